"""One batch of what TFMA extracts, as an Arrow table of labels, weights, answers and slice values.

Columns: `label` and `weight` (float64), one a model (list of float64) and, for each column to slice
by, one of text named `slice:<column>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.evaluation.measure import BASELINE, CANDIDATE
from components.evaluation.scores import Array, Column, Scores

PREFIX = "slice:"


def to_table(
    extracts: Mapping[str, Any],
    *,
    models: Sequence[str],
    prediction_key: str,
    classes: Sequence[str],
    columns: Sequence[str],
) -> pa.Table:
    """Takes what the evaluation needs from a batch.

    Args:
        extracts: `labels`, `example_weights`, `predictions` and `features`, as TFMA's extractors
            leave them; by model where there are two.
        models: `candidate`, and `baseline` if there is one.
        prediction_key: the output of the models that is compared with the label.
        classes: the label's classes, in order; none of a regression.
        columns: the columns to slice by.

    Raises:
        ValueError: a model has no such output, or other classes.
    """
    labels = np.asarray(_of_candidate(extracts["labels"]), np.float64).reshape(-1)
    weights = extracts.get("example_weights")
    table = {
        "label": labels,
        "weight": np.ones(len(labels))
        if weights is None
        else np.asarray(_of_candidate(weights), np.float64).reshape(-1),
    }
    for model in models:
        # TFMA names no model where there is only one.
        outputs = extracts["predictions"]
        outputs = outputs[model] if len(models) > 1 else outputs
        table[model] = _answers(outputs, model, prediction_key, classes)
    features = extracts["features"]
    for name in columns:
        table[PREFIX + name] = pa.array(_texts(features.get(name), len(labels)), pa.string())
    return pa.table(table)


def to_scores(
    table: pa.Table, *, is_regression: bool, is_weighted: bool, columns: Sequence[str]
) -> Scores:
    """The rows of all batches, in an order of their own: Beam gives them in any.

    Rows without a known label are left out: nothing can be said of an answer to them.

    Args:
        table: what `to_table` made, put together.
        is_regression: whether labels are numbers and not classes.
        is_weighted: whether the weights are the data's.
        columns: the columns to slice by.
    """
    labels = table["label"].to_numpy()
    is_known = np.isfinite(labels) if is_regression else labels >= 0
    models = [model for model in (CANDIDATE, BASELINE) if model in table.column_names]
    predictions = {model: _matrix(table[model])[is_known] for model in models}
    labels, weights = labels[is_known], table["weight"].to_numpy()[is_known]
    order = np.lexsort([weights, *(p.T[0] for p in reversed(predictions.values())), labels])
    return Scores(
        labels=labels[order] if is_regression else labels[order].astype(np.int64),
        weights=weights[order],
        predictions={
            model: values[order, 0] if values.shape[1] == 1 else values[order]
            for model, values in predictions.items()
        },
        columns={name: _column(table[PREFIX + name], is_known, order) for name in columns},
        is_weighted=is_weighted,
    )


def _of_candidate(values: Any) -> Any:
    return values[CANDIDATE] if isinstance(values, Mapping) else values


def _answers(outputs: Any, model: str, key: str, classes: Sequence[str]) -> pa.Array:
    # Where a model has one output alone, TFMA leaves out its name.
    outputs = outputs if isinstance(outputs, Mapping) else {key: outputs}
    if key not in outputs:
        known = ", ".join(sorted(outputs))
        raise ValueError(f"The {model} has no output {key!r}; it has: {known}.")
    if "classes" in outputs and len(outputs["classes"]):
        found = tuple(_text(name) for name in np.asarray(outputs["classes"])[0])
        if found != tuple(classes):
            raise ValueError(
                f"The {model} has the classes {', '.join(found[:10])}; those of the data are "
                f"{', '.join(classes[:10])}."
            )
    answers = np.asarray(outputs[key], np.float64)
    answers = answers.reshape(len(answers), -1)
    flat = pa.array(answers.reshape(-1))
    offsets = np.arange(len(answers) + 1, dtype=np.int32) * answers.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), flat)


def _texts(feature: Any, num_rows: int) -> list[str | None]:
    """The first value of each row, as text; None where a row has none."""
    texts: list[str | None] = [None] * num_rows
    if feature is None:
        return texts
    if isinstance(feature, np.ndarray):
        for row, values in enumerate(feature.reshape(num_rows, -1)):
            texts[row] = _text(values[0]) if len(values) else None
        return texts
    # Sparse: `indices` are [row, position], in order.
    rows, first = np.unique(feature.indices[:, 0], return_index=True)
    for row, value in zip(rows, feature.values[first], strict=True):
        texts[row] = _text(value)
    return texts


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _matrix(column: pa.ChunkedArray) -> Array:
    """Lists of one length as an array [rows, length]."""
    joined = column.combine_chunks()
    flat = joined.flatten().to_numpy()
    return flat.reshape(len(joined), -1) if len(joined) else flat.reshape(0, 1)


def _column(texts: pa.ChunkedArray, is_known: Array, order: Array) -> Column:
    encoded = texts.combine_chunks().dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy().astype(np.int32)
    return Column(codes=codes[is_known][order], values=tuple(encoded.dictionary.to_pylist()))
