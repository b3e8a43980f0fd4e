from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from components.training.job import Job
from components.training.settings import TrainingSettings
from tests.unit.components.training.datasets import TAXI


def job(**settings: Any) -> Job:
    return Job(
        settings=TrainingSettings(**settings),
        data_spec=TAXI,
        train_files=("/a/train-*",),
        eval_files=("/a/eval-*",),
        transform_graph="/a/graph",
        code="abc",
    )


def test_a_job_travels_as_text() -> None:
    sent = job(steps=3, optimizer={"clip": "norm"}, loss={"class_weights": {"big": 2.0}})
    sent = dataclasses.replace(sent, base_model="/a/model")
    assert Job.from_json(sent.to_json()) == sent


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"optimizer": {"clip_at": 0.5}},
        {"model": {"freeze": {"share": 0.5}}},
        {"loss": {"class_weights": {"big": 2.0}}},
        {"input": {"remainder": "drop"}},
        {"stopping": {"patience": 1}},
        {"watch": {"evaluate_every_steps": 10}},
    ],
)
def test_what_decides_the_result_is_a_fact(settings: dict[str, Any]) -> None:
    plain, other = job().facts(), job(**settings).facts()
    names = {name for name in {**plain, **other} if plain.get(name) != other.get(name)}
    section = next(iter(settings))
    assert names
    assert all(name.startswith(f"training.{section}") for name in names)


@pytest.mark.parametrize(
    "settings",
    [
        {"checkpoint_every_steps": 10},
        {"checkpoint_every_s": 1.0},
        {"export": {"tflite": ["float"]}},
        {"watch": {"histograms": True, "plots": False}},
    ],
)
def test_what_is_only_written_down_is_none(settings: dict[str, Any]) -> None:
    assert job(**settings).facts() == job().facts()


@pytest.mark.parametrize(
    "change", [{"code": "other"}, {"train_files": ("/b",)}, {"base_model": "/m"}, {"data_spec": 0}]
)
def test_data_and_code_are_facts(change: dict[str, Any]) -> None:
    if "data_spec" in change:
        change = {"data_spec": TAXI.model_copy(update={"weight": "fare"})}
    assert dataclasses.replace(job(), **change).facts() != job().facts()
