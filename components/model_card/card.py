"""The card as Markdown: the same facts give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping

from components.model_card import quality, use
from components.model_card.facts import Facts
from components.model_card.markdown import free_text, inline, table

NOT_STATED = "Not stated by the owner."
_MAX_COLUMNS = 200
_ALWAYS_TOLD = (
    "steps",
    "batch_size",
    "seed",
    "model.name",
    "optimizer.name",
    "optimizer.learning_rate",
    "loss.name",
)


def title(facts: Facts) -> str:
    """What the card is called."""
    return facts.owner.title or f"Model card of {facts.name}"


def card(facts: Facts) -> str:
    """The card.

    Args:
        facts: all that is known.

    Returns:
        Markdown in which foreign text is escaped; it ends with a line break.
    """
    owner = facts.owner
    sections = [
        ("", _summary(facts)),
        ("Intended use", _owner(owner.intended_use)),
        ("Out of scope", _owner(owner.out_of_scope)),
        ("Limits", [*_owner(owner.limits), *quality.weak_points(facts.evaluation)]),
        ("Data", _data(facts)),
        ("Training", _training(facts)),
        ("Evaluation", quality.evaluation(facts.evaluation)),
        ("Serving", use.serving(facts)),
        ("Lineage", _lineage(facts)),
        ("License", _owner(owner.license)),
        ("Contact", _owner(owner.contact)),
    ]
    blocks = [f"# {inline(title(facts))}"]
    for heading, content in sections:
        blocks += [f"## {heading}"] if heading else []
        blocks += [block for block in content if block]
    return "\n\n".join(blocks) + "\n"


def _owner(text: str | None) -> list[str]:
    return [free_text(text) if text is not None and text.strip() else NOT_STATED]


def _summary(facts: Facts) -> list[str]:
    decision, check = facts.evaluation.decision, facts.check
    judged = "Good enough" if decision.blessed else "**Not good enough**"
    servable = "Servable" if check.is_blessed else "**Not servable**"
    lines = [
        f"- {judged}: {inline(decision.reason) or quality.NO_REASON}",
        f"- {servable}: {inline(check.reason) or quality.NO_REASON}",
    ]
    refused = not (decision.blessed and check.is_blessed)
    return [
        use.what_it_predicts(facts.spec.label),
        "**This model was refused: it was not pushed.**" if refused else "",
        "\n".join(lines),
    ]


def _data(facts: Facts) -> list[str]:
    data, lineage = facts.data, facts.lineage
    rows = ", ".join(f"{count:,} {inline(split)}" for split, count in data.num_rows.items())
    told = [f"Rows: {rows or 'not counted'}."]
    if lineage.spans:
        told.append(f"Spans: {inline(lineage.spans)}.")
    if lineage.fingerprint:
        told.append(f"Fingerprint of the raw files: `{inline(lineage.fingerprint)}`.")
    shown = data.columns[:_MAX_COLUMNS]
    columns = table(
        ["column", "use", "type", "values in the train split", "allowed", "missing, %"],
        [
            (
                item.name,
                item.use,
                item.type,
                item.seen,
                item.allowed,
                None if item.missing is None else 100 * item.missing,
            )
            for item in shown
        ],
        numbers=1,
    )
    left = len(data.columns) - len(shown)
    crosses = ", ".join(inline(cross.name) for cross in facts.spec.crosses)
    return [
        " ".join(told),
        "### Columns",
        columns,
        f"{left:,} more columns are in the schema." if left else "",
        f"Columns whose values are also looked at together: {crosses}." if crosses else "",
        "### Label",
        *quality.label_balance(facts),
    ]


def _training(facts: Facts) -> list[str]:
    training = facts.training
    steps = f"Steps made: {training.num_steps:,}." if training.num_steps is not None else ""
    found = ["The Tuner found:", _settings(training.found)] if training.found else []
    chosen = {
        name: value
        for name, value in training.settings.items()
        if name in _ALWAYS_TOLD or value != training.defaults.get(name)
    }
    return [
        steps,
        *found,
        "Settings that are not the default, and the main ones:",
        _settings(chosen),
    ]


def _settings(values: Mapping[str, object]) -> str:
    # True is a number to Python, and would read as 1.
    rows = [
        (name, str(value) if isinstance(value, bool) else value) for name, value in values.items()
    ]
    return table(["setting", "value"], rows)


def _lineage(facts: Facts) -> list[str]:
    lineage = facts.lineage
    lines = [
        ("pipeline", lineage.pipeline),
        ("run that wrote this card", lineage.run),
        ("code that made the model, SHA-256", lineage.code),
    ]
    sources = table(
        ["artifact", "type", "SHA-256 of its files", "id"],
        [(item.role, item.type, item.sha256, item.id) for item in lineage.sources],
        numbers=1,
    )
    libraries = table(["library", "version"], sorted(lineage.libraries.items()))
    return [
        table(["what", "value"], lines),
        "### Artifacts in ML Metadata",
        sources,
        "### Libraries",
        libraries,
    ]
