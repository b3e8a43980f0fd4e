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
from components.pushing.component import base_directory, build
from components.pushing.executor import Executor
from components.pushing.settings import PushSettings
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
        model = write_model(root / "model")
        self.inputs = {
            "model": [make_artifact(standard_artifacts.Model, model, 1)],
            "model_blessing": [make_artifact(standard_artifacts.ModelBlessing, root / "b", 2)],
            "infra_blessing": [make_artifact(standard_artifacts.InfraBlessing, root / "i", 3)],
        }
        for name in ("model_blessing", "infra_blessing"):
            self.inputs[name][0].set_int_custom_property("blessed", 1)
        self.pushed = make_artifact(standard_artifacts.PushedModel, root / "pushed", 4)

    def do(self, **context: Any) -> Artifact:
        destination = pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=str(self.base))
        )
        Executor(BaseExecutor.Context(**context)).Do(
            self.inputs,
            {"pushed_model": [self.pushed]},
            {"push_destination": proto_utils.proto_to_json(destination)},
        )
        return self.pushed


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


def test_url_is_refused_with_the_reason() -> None:
    with pytest.raises(pydantic.ValidationError, match="'gs://bucket' is a URL, expected a folder"):
        PushSettings(directory="gs://bucket")


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
