"""The Pusher with our executor, on real artifacts and in a TFX pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pydantic
import pytest
from ml_metadata import MetadataStore
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.proto import pusher_pb2
from tfx.types import Artifact, standard_artifacts
from tfx.utils import proto_utils

from components.errors import NodeFailed
from components.pushing.component import ModelCard, base_directory, build, destination
from components.pushing.executor import Executor
from components.pushing.settings import PushSettings
from serving import changes
from serving.labels import labels, live
from serving.shelves import LocalShelf
from serving.versions import audit, versions

MODERN = {"tfx_version": "1.21.0"}  # decides the layout TFX expects inside an artifact


def write_model(folder: Path, text: str = "weights") -> Path:
    """Something that looks like the Trainer's model."""
    serving = folder / "Format-Serving"
    (serving / "variables").mkdir(parents=True)
    (serving / "saved_model.pb").write_text("graph")
    (serving / "variables" / "variables.index").write_text(text)
    return folder


def make_artifact(kind: type[Artifact], uri: Path, number: int) -> Artifact:
    artifact = kind()
    artifact.uri = str(uri)
    artifact.id = number
    return artifact


class Push:
    """One execution of the Pusher."""

    def __init__(self, root: Path) -> None:
        self.base = root / "serving" / "taxi"
        self.place = str(self.base)
        model = write_model(root / "model")
        self.inputs = {
            "model": [make_artifact(standard_artifacts.Model, model, 1)],
            "model_blessing": [make_artifact(standard_artifacts.ModelBlessing, root / "b", 2)],
            "infra_blessing": [make_artifact(standard_artifacts.InfraBlessing, root / "i", 3)],
        }
        for name in ("model_blessing", "infra_blessing"):
            self.inputs[name][0].set_int_custom_property("blessed", 1)
        self._root = root

    def do(self, config: dict[str, Any] | None = None, **context: Any) -> Artifact:
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=self.place)
        )
        pushed = make_artifact(standard_artifacts.PushedModel, self._root / "pushed", 4)
        Executor(BaseExecutor.Context(**context)).Do(
            self.inputs,
            {"pushed_model": [pushed]},
            {
                "push_destination": proto_utils.proto_to_json(destination),
                **({"custom_config": json.dumps(config)} if config is not None else {}),
            },
        )
        return pushed


@pytest.fixture
def push(tmp_path: Path) -> Push:
    return Push(tmp_path)


def test_blessed_model_is_published_and_recorded(push: Push) -> None:
    pushed = push.do(pipeline_run_id="run-1")
    (version,) = versions(push.base)
    assert pushed.get_int_custom_property("pushed") == 1
    assert pushed.get_string_custom_property("pushed_destination") == str(push.base / "1")
    assert pushed.get_string_custom_property("pushed_version") == "1"
    assert pushed.get_string_custom_property("sha256") == version.sha256
    assert pushed.get_string_custom_property("manifest") == str(version.manifest)
    assert version.properties == {
        "model": push.inputs["model"][0].uri,
        "model_artifact": "1",
        "model_blessing_artifact": "2",
        "infra_blessing_artifact": "3",
        "run": "run-1",
    }
    assert (push.base / "1" / "variables" / "variables.index").read_text() == "weights"
    manifest = Path(pushed.uri) / "manifest.json"
    assert json.loads(manifest.read_text())["key"] == version.key


@pytest.mark.parametrize(
    ("blessing", "judge"), [("model_blessing", "Evaluator"), ("infra_blessing", "ServingCheck")]
)
def test_model_that_is_not_blessed_is_not_published(push: Push, blessing: str, judge: str) -> None:
    push.inputs[blessing][0].set_int_custom_property("blessed", 0)
    push.inputs[blessing][0].set_string_custom_property("reason", "auc is below 0.9")
    pushed = push.do()
    assert pushed.get_int_custom_property("pushed") == 0
    assert pushed.get_string_custom_property("reason") == (
        f"The {judge} did not bless the model: auc is below 0.9"
    )
    assert not push.base.exists()
    assert not Path(pushed.uri).exists()


def test_origin_and_extra_files_are_shipped_with_the_model(push: Push, tmp_path: Path) -> None:
    for name, kind, number in (
        ("model_card", ModelCard, 5),
        ("evaluation", standard_artifacts.ModelEvaluation, 6),
        ("examples", standard_artifacts.Examples, 7),
    ):
        push.inputs[name] = [make_artifact(kind, tmp_path / name, number)]
    push.inputs["examples"][0].set_string_custom_property("input_fingerprint", "f00d")
    push.inputs["evaluation"][0].set_string_custom_property("candidate_metrics", '{"auc": 0.9}')
    warm_up = Path(push.inputs["infra_blessing"][0].uri) / "tf_serving_warmup_requests"
    for path in (
        warm_up,
        *(tmp_path / "model_card" / f"model_card.{end}" for end in ("md", "html")),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text(path.name)
    origin = {"code": "c0de", "config": "c0f1", "metadata": str(tmp_path / "none.db")}
    push.do({"origin": origin})
    (version,) = versions(push.base)
    assert (
        version.properties.items()
        >= {
            **origin,
            "data": "f00d",
            "metrics": '{"auc": 0.9}',
            "evaluation": str(tmp_path / "evaluation"),
        }.items()
    )
    for name in ("model_card.md", "model_card.html", "tf_serving_warmup_requests"):
        assert (version.path / "assets.extra" / name).read_text() == name


def test_label_moves_to_the_new_version_and_is_noted(push: Push, tmp_path: Path) -> None:
    store = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))
    MetadataStore(store)
    config = {"origin": {"metadata": str(tmp_path / "metadata.db")}}
    pushed = push.do(config)
    assert pushed.get_string_custom_property("label") == "stable"
    assert live(push.base) == 1
    [change] = MetadataStore(store).get_executions_by_type("waybill.LabelChange")
    assert change.properties["action"].string_value == "push"
    push.do(config)
    assert len(MetadataStore(store).get_executions_by_type("waybill.LabelChange")) == 1


@pytest.mark.parametrize(("label", "expected"), [("canary", {"canary": 1}), (None, {})])
def test_label_is_the_one_that_was_asked_for(
    push: Push, label: str | None, expected: dict[str, int]
) -> None:
    push.do({"push": {"label": label}})
    assert labels(push.base) == expected


def test_push_repeated_after_a_rollback_does_not_undo_it(push: Push) -> None:
    push.do()
    push.inputs["model"][0].id = 17
    push.do()
    changes.roll_back(LocalShelf(push.base), "stable")
    again = push.do()
    assert again.get_string_custom_property("pushed_version") == "2"
    assert not again.get_string_custom_property("label")
    assert live(push.base) == 1


def test_old_versions_go(push: Push) -> None:
    for number in (11, 12, 13):
        push.inputs["model"][0].id = number
        push.do({"push": {"keep": 1}})
    # The one before stays too: the label can go back to it.
    assert [version.number for version in versions(push.base)] == [2, 3]


def test_server_that_does_not_load_keeps_the_label_where_it_is(push: Push) -> None:
    push.do()
    push.inputs["model"][0].id = 17
    with pytest.raises(
        NodeFailed, match=r"published as version 2, but not announced.*127\.0\.0\.1"
    ):
        push.do({"push": {"server": "http://127.0.0.1:1"}})
    assert live(push.base) == 1
    # Without the server, the same command goes on.
    assert push.do().get_string_custom_property("label") == "stable"
    assert live(push.base) == 2


def test_model_is_pushed_to_a_url(push: Push, tmp_path: Path) -> None:
    push.place = f"file://{tmp_path}/remote/taxi"
    pushed = push.do()
    assert pushed.get_string_custom_property("pushed_destination") == f"{push.place}/1"
    assert audit(tmp_path / "remote" / "taxi") == {"1": []}
    assert live(tmp_path / "remote" / "taxi") == 1


def test_missing_verdict_counts_as_no(push: Push) -> None:
    blank = make_artifact(standard_artifacts.ModelBlessing, push.base, 9)
    push.inputs["model_blessing"] = [blank]
    assert push.do().get_int_custom_property("pushed") == 0
    assert not push.base.exists()


def test_retry_of_a_push_publishes_once(push: Push) -> None:
    push.do(pipeline_run_id="run-1")
    pushed = push.do(pipeline_run_id="run-2")
    assert [version.number for version in versions(push.base)] == [1]
    assert pushed.get_string_custom_property("pushed_version") == "1"


@pytest.mark.parametrize("name", ["model", "model_blessing", "infra_blessing"])
def test_same_model_with_a_new_verdict_is_published_again(push: Push, name: str) -> None:
    push.do()
    push.inputs[name][0].id = 17
    assert push.do().get_string_custom_property("pushed_version") == "2"


def test_refusal_of_the_file_system_is_a_failure_of_the_node(push: Push) -> None:
    push.base.parent.mkdir()
    push.base.write_text("not a folder")
    with pytest.raises(NodeFailed, match=f"The model was not pushed. Cannot publish .*{push.base}"):
        push.do()


def test_artifact_without_a_model_is_a_failure_of_the_node(push: Push) -> None:
    (Path(push.inputs["model"][0].uri) / "Format-Serving" / "saved_model.pb").unlink()
    with pytest.raises(NodeFailed, match=r"holds no saved_model\.pb"):
        push.do()


@pytest.mark.parametrize(
    ("directory", "expected"),
    [(None, "/root/serving/taxi"), ("models", "/root/models/taxi"), ("/srv/tf", "/srv/tf/taxi")],
)
def test_relative_directory_starts_at_the_root(directory: str | None, expected: str) -> None:
    settings = PushSettings(directory=directory)
    assert base_directory(settings, root=Path("/root"), model_name="taxi") == Path(expected)


def test_url_is_taken_as_it_is() -> None:
    settings = PushSettings(directory="gs://bucket/serving/")
    assert base_directory(settings, root=Path("/root"), model_name="taxi") is None
    place = destination(settings, root=Path("/root"), model_name="taxi")
    assert place == "gs://bucket/serving/taxi"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"directory": "http://host/models"}, "is no place to write to, expected a folder, or a"),
        ({"directory": "gs://"}, "is no place to write to"),
        ({"label": "a-b"}, "should match pattern"),
        ({"keep": 0}, "greater than or equal to 1"),
        ({"server": "localhost:8501"}, "is no address of a server"),
    ],
)
def test_wrong_setting_is_refused_with_the_reason(settings: Any, expected: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=expected):
        PushSettings(**settings)


def test_node_publishes_in_a_pipeline_and_comes_from_the_cache_afterwards(tmp_path: Path) -> None:
    connection = metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.db"))
    write_model(tmp_path / "model")
    for _ in range(2):
        importers = [
            Importer(
                source_uri=str(tmp_path / name),
                artifact_type=kind,
                custom_properties={**MODERN, **properties},
            ).with_id(name)
            for name, kind, properties in (
                ("model", standard_artifacts.Model, {}),
                ("model_blessing", standard_artifacts.ModelBlessing, {"blessed": 1}),
                ("infra_blessing", standard_artifacts.InfraBlessing, {"blessed": 1}),
            )
        ]
        node = build(
            PushSettings(),
            root=tmp_path,
            model_name="taxi",
            **{importer.id: importer.outputs["result"] for importer in importers},
        )
        LocalDagRunner().run(
            pipeline.Pipeline(
                pipeline_name="test",
                pipeline_root=str(tmp_path),
                components=[*importers, node],
                metadata_connection_config=connection,
                enable_cache=True,
            )
        )
    assert audit(tmp_path / "serving" / "taxi") == {"1": []}
    for found in MetadataStore(connection).get_artifacts_by_type("PushedModel"):
        assert found.custom_properties["pushed_version"].string_value == "1"
