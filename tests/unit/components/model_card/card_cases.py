"""The facts of a small model, for the tests of its card."""

from __future__ import annotations

import dataclasses
from typing import Any

from components.features import DataSpec, Feature, Label, Problem
from components.model_card.data import Column, Data
from components.model_card.evaluated import Evaluation
from components.model_card.facts import Check, Facts, Lineage, Source, Training
from components.model_card.settings import ModelCardSettings
from tests.unit.components.model_card.evaluation_cases import CLASSES, evaluation

LABELS = {"binary": "tips", "multiclass": "kind", "regression": "fare"}


def spec(problem: Problem = "binary", classes: tuple[str, ...] | None = None) -> DataSpec:
    """Three inputs and a label."""
    names = tuple(CLASSES[problem]) if classes is None else classes
    return DataSpec(
        features=(
            Feature(name="trip_miles", kind="numeric", dtype="float"),
            Feature(name="hour", kind="numeric", dtype="int"),
            Feature(name="payment type", kind="categorical", dtype="bytes"),
        ),
        label=Label(column=LABELS[problem], dtype="bytes", problem=problem, classes=names),
    )


def facts(problem: Problem = "binary", **changes: Any) -> Facts:
    """A model that was blessed; `changes` replace attributes."""
    known = spec(problem)
    columns = (
        Column(name="trip_miles", use="numeric", type="number", missing=0.25, seen="0 to 9",
               median=1.5),
        Column(name="hour", use="numeric", type="whole number", missing=0.0, median=12.0,
               allowed="0 to 23"),
        Column(name="payment type", use="categorical", type="text",
               counts={"Card": 60, "Cash": 40}),
        Column(name=known.label.column, use="label", type="text", seen="0 to 40, median 8",
               counts=dict.fromkeys(known.label.classes, 25)),
        Column(name="driver", use="not used", type="text", counts={"unique": 1}),
    )  # fmt: skip
    made = Facts(
        name="taxi",
        owner=ModelCardSettings(),
        spec=known,
        data=Data(num_rows={"train": 1200, "eval": 400}, columns=columns),
        training=Training(settings={"steps": 300, "optimizer.name": "adam"}, num_steps=300),
        evaluation=Evaluation.model_validate(evaluation(problem)),
        check=Check(is_blessed=True, reason="64 rows were answered", latency_p99_ms=0.75),
        lineage=Lineage(
            pipeline="taxi",
            run="taxi-20260101-000000-ab12",
            sources=(Source(role="model", type="Model", id=7, sha256="ee" * 32),),
            code="cd" * 32,
            fingerprint="ab" * 32,
            spans="3 to 5",
            libraries={"tfx": "1.21.0"},
        ),
    )
    return dataclasses.replace(made, **changes)
