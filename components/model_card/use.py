"""What the model predicts, and how a server is asked."""

from __future__ import annotations

from components.features import Feature, Label
from components.model_card.facts import Facts
from components.model_card.markdown import code_block, inline, number, table
from components.model_card.request import SIGNATURE, example_request, url_path
from components.raw_inputs import raw_inputs

_ANSWERS = {
    "binary": [
        ("probability", "float32 (N, 1)", "of the second class"),
        ("scores", "float32 (N, 2)", "the probability of each class"),
        ("classes", "string (N, 2)", "their names"),
        ("label", "string (N)", "the likelier class"),
    ],
    "multiclass": [
        ("scores", "float32 (N, C)", "the probability of each class"),
        ("classes", "string (N, C)", "their names"),
        ("label", "string (N)", "the likeliest class"),
    ],
    "regression": [("prediction", "float32 (N, 1)", "the value")],
}
_INPUT_TYPES = {"bytes": "string", "float": "float32", "int": "int64"}
_MISSING = {"bytes": "an empty string", "float": "NaN", "int": f"{-(2**63)}"}
_MAX_CLASSES = 30


def what_it_predicts(label: Label) -> str:
    """One paragraph."""
    if label.problem == "regression":
        return f"Predicts a number: {inline(label.column)}."
    classes = [inline(name) for name in label.classes]
    if label.problem == "binary":
        negative, positive = classes
        asked = inline(label.column)
        if label.ratio_to is not None and label.above is not None:
            asked = f"whether {asked} > {number(label.above)} x {inline(label.ratio_to)}"
        return f"Tells two classes apart by {asked}: {negative} and {positive}."
    more = len(classes) - _MAX_CLASSES
    named = ", ".join(classes[:_MAX_CLASSES]) + (f" and {more:,} more" if more > 0 else "")
    return f"Tells {len(classes):,} classes of {inline(label.column)} apart: {named}."


def serving(facts: Facts) -> list[str]:
    """The signatures, an example of a request, and what the ServingCheck measured."""
    signatures = table(
        ["signature", "asks for"],
        [
            ("serving_default", "examples: serialized tf.Examples of the raw columns, string (N)"),
            (SIGNATURE, "one input a raw column, see below"),
        ],
    )
    inputs = table(
        ["input", "column", "type", "missing"],
        [
            (name, feature.name, _type(feature), _MISSING[feature.dtype])
            for name, feature in raw_inputs(facts.spec).items()
        ],
    )
    request = f"POST {url_path(facts.name)}\n\n{example_request(facts)}"
    return [
        "### Signatures",
        signatures,
        f"### Inputs of {inline(SIGNATURE)}",
        inputs,
        "### Answer",
        table(["output", "type", "what"], _ANSWERS[facts.spec.label.problem]),
        "### A request by REST",
        "Typical values, as TensorFlow Serving expects them:",
        code_block(request, "http"),
        *_measured(facts),
    ]


def _type(feature: Feature) -> str:
    length = "(N, any length)" if feature.kind == "series" else "(N)"
    image = ", the bytes of a file" if feature.kind == "image" else ""
    return f"{_INPUT_TYPES[feature.dtype]} {length}{image}"


def _measured(facts: Facts) -> list[str]:
    check = facts.check
    measured = [
        ("loading the model, s", check.load_s),
        ("a call with one row, median, ms", check.latency_p50_ms),
        ("a call with one row, 99th percentile, ms", check.latency_p99_ms),
    ]
    known = [(name, value) for name, value in measured if value is not None]
    if not known:
        return []
    return ["### Measured by the ServingCheck", table(["what", "value"], known, numbers=1)]
