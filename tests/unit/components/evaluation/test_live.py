"""Which model a candidate is compared with: what TFX resolves is what the plan foresees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.lineage.models import Artifact, Execution
from pipeline.nodes import BASELINE, Node
from pipeline.resolvers import ANSWERS


def artifact(identity: int, folder: Path, kind: str = "Model", **properties: Any) -> Artifact:
    return Artifact(
        id=identity, type=kind, uri=str(folder / str(identity)), live=True, properties=properties
    )


def execution(
    identity: int, node: str, inputs: dict[str, Artifact], outputs: dict[str, Artifact]
) -> Execution:
    return Execution(
        id=identity,
        node=node,
        state="COMPLETE",
        run="r",
        started_ms=0,
        updated_ms=0,
        properties={},
        inputs={key: (value,) for key, value in inputs.items()},
        outputs={key: (value,) for key, value in outputs.items()},
    )


class Past:
    """Models 1, 2, … that were trained, and how they were judged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models: list[Artifact] = []
        self.evaluators: list[Execution] = []
        self.serving = folder / "serving"

    def train(self) -> int:
        identity = len(self.models) + 1
        (self.folder / str(identity)).mkdir()
        self.models.append(artifact(identity, self.folder))
        return identity

    def judge(self, model: int, baseline: int | None = None, *, blessed: bool = True) -> None:
        properties: dict[str, Any] = {"blessed": int(blessed), "current_model_id": model}
        if baseline is not None:
            properties["baseline_model_id"] = baseline
        number = 100 + len(self.evaluators)
        blessing = artifact(number, self.folder, "ModelBlessing", **properties)
        self.evaluators.append(
            execution(
                number, "Evaluator", {"model": self.models[model - 1]}, {"blessing": blessing}
            )
        )

    def label(self, model: int, uri: str | None = None) -> None:
        """Pushes a model and makes it the live one."""
        from serving import model_config, versions

        draft = self.folder / "draft"
        draft.mkdir(exist_ok=True)
        (draft / "saved_model.pb").write_bytes(b"x")
        found = versions.publish(
            draft,
            self.serving / "m",
            key=f"{model} {len(self.evaluators)}",
            properties={
                "model": uri or self.models[model - 1].uri,
                "model_artifact": str(model),
            },
        )
        (self.serving / model_config.FILE).write_text(
            f'model_config_list {{ config {{ name: "m" base_path: "{self.serving}/m" '
            f'version_labels {{ key: "stable" value: {found.number} }} }} }}'
        )

    def foreseen(self, candidate: int) -> int | None:
        """What the plan says."""
        trainers = [
            execution(number, "Trainer", {}, {"model": model})
            for number, model in enumerate(self.models)
        ]
        past = {"Trainer": trainers, "Evaluator": list(reversed(self.evaluators))}
        settings = json.dumps({"served": str(self.serving / "m"), "label": "stable"})
        answer = ANSWERS[BASELINE][1](
            lambda node: trainers[candidate - 1] if node == "Trainer" else None,
            lambda node: past.get(node, []),
            lambda uri: Path(uri).exists(),
            settings,
        )
        return answer.id if answer is not None else None

    def resolved(self, candidate: int) -> int | None:
        """What TFX is told."""
        from tfx.types import standard_artifacts

        from components.evaluation.baseline import LiveModel

        models, blessings = [], []
        for source in self.models:
            model = standard_artifacts.Model()
            model.id, model.uri = source.id, source.uri
            models.append(model)
        for evaluator in self.evaluators:
            source = evaluator.outputs["blessing"][0]
            blessing = standard_artifacts.ModelBlessing()
            blessing.id, blessing.uri = source.id, source.uri
            for name, value in source.properties.items():
                blessing.set_int_custom_property(name, value)
            blessings.append(blessing)
        found = LiveModel(str(self.serving / "m"), "stable").resolve_artifacts(
            None,
            {
                "candidate": [models[candidate - 1]],
                "model": models,
                "model_blessing": blessings,
            },
        )
        return found["model"][0].id if found["model"] else None


@pytest.fixture
def past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def compared(past: Past, candidate: int) -> int | None:
    foreseen = past.foreseen(candidate)
    assert past.resolved(candidate) == foreseen
    return foreseen


def test_the_first_model_is_compared_with_nothing(past: Past) -> None:
    assert compared(past, past.train()) is None


def test_the_live_model_is_compared_with_not_the_one_blessed_last(past: Past) -> None:
    for _ in range(3):
        past.train()
    past.judge(1)
    past.judge(2, 1)
    past.label(2)
    past.label(1)  # Rolled back.
    assert compared(past, 3) == 1


def test_a_live_model_whose_files_are_gone_is_still_the_one(past: Past) -> None:
    past.train()
    past.train()
    past.judge(1)
    past.label(1)
    Path(past.models[0].uri).rmdir()
    assert compared(past, 2) == 1


def test_a_candidate_that_is_live_is_compared_as_it_was(past: Past) -> None:
    for _ in range(3):
        past.train()
    past.judge(1)
    past.label(1)
    past.judge(2, 1)
    past.label(2)
    past.label(1)  # Rolled back, so the third was compared with the first.
    past.judge(3, 1)
    past.label(3)
    assert compared(past, 3) == 1
    past.label(1)
    assert compared(past, 1) is None


def test_a_refused_candidate_is_compared_with_what_is_live(past: Past) -> None:
    past.train()
    past.train()
    past.judge(1)
    past.label(1)
    past.judge(2, 1, blessed=False)
    assert compared(past, 2) == 1


def test_a_model_of_another_store_is_not_taken_for_one_of_this(past: Past) -> None:
    past.train()
    past.train()
    past.judge(1)
    past.label(1, uri="/another/root/model/1")
    assert compared(past, 2) is None


def test_without_labels_it_is_the_model_blessed_last(past: Past) -> None:
    for _ in range(4):
        past.train()
    past.judge(1)
    past.judge(2, 1)
    past.judge(3, 2, blessed=False)
    assert compared(past, 4) == 2
    assert compared(past, 2) == 1
    Path(past.models[1].uri).rmdir()
    assert compared(past, 4) == 1


def test_a_damaged_label_file_counts_as_none(past: Past) -> None:
    past.train()
    past.train()
    past.judge(1)
    past.label(1)
    (past.serving / "models.config").write_text("model_config_list {")
    assert compared(past, 2) == 1


def test_the_plan_looks_where_the_push_writes(tmp_path: Path, small_table: Path) -> None:
    from components.pushing.component import base_directory
    from pipeline.config import validate
    from pipeline.nodes import nodes, served_folder
    from pipeline.resolve import resolve

    values = {"name": "m", "data": {"path": str(small_table)}, "label": {"column": "target"}}
    for push in ({}, {"directory": "elsewhere"}, {"directory": str(tmp_path / "abs")}):
        config = validate({**values, "push": push}, "test")
        expected = base_directory(config.push, root=tmp_path, model_name="m")
        assert served_folder(config, tmp_path) == expected
    resolved = resolve(validate(values, "test"))

    def others(served: Path | None) -> list[Node]:
        return [node for node in nodes(resolved, served) if node.id != BASELINE]

    assert others(tmp_path) == others(None)
