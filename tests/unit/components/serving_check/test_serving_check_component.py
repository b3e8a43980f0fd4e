"""The ServingCheck node in a TFX pipeline, and what it leaves for the Pusher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ml_metadata import MetadataStore
from tfx.components.util.model_utils import is_infra_validated
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import artifact_utils, standard_artifacts

from components.serving_check.component import build
from components.serving_check.settings import ServingCheckSettings
from tests.unit.components.serving_check.models import MakeModel, Tensors
from tests.unit.components.serving_check.specs import make_data_spec

MODERN = {"tfx_version": "1.21.0"}  # decides the layout TFX expects inside an artifact


def run_node(
    root: Path, *, model: Path, examples: Path, transform_graph: Path
) -> standard_artifacts.InfraBlessing:
    """Runs the node on existing folders, and reads its output back from the metadata store."""
    models = Importer(
        source_uri=str(model.parent),
        artifact_type=standard_artifacts.Model,
        custom_properties=MODERN,
    ).with_id("model")
    rows = Importer(
        source_uri=str(examples.parent),
        artifact_type=standard_artifacts.Examples,
        properties={"split_names": artifact_utils.encode_split_names(["eval"])},
        custom_properties=MODERN,
    ).with_id("examples")
    graphs = Importer(
        source_uri=str(transform_graph), artifact_type=standard_artifacts.TransformGraph
    ).with_id("transform_graph")
    node = build(
        ServingCheckSettings(num_rows=5),
        data_spec=make_data_spec(),
        model=models.outputs["result"],
        examples=rows.outputs["result"],
        transform_graph=graphs.outputs["result"],
    )
    connection = metadata.sqlite_metadata_connection_config(str(root / "metadata.db"))
    LocalDagRunner().run(
        pipeline.Pipeline(
            pipeline_name="test",
            pipeline_root=str(root),
            components=[models, rows, graphs, node],
            metadata_connection_config=connection,
        )
    )
    (found,) = MetadataStore(connection).get_artifacts_by_type("InfraBlessing")
    blessing = standard_artifacts.InfraBlessing()
    blessing.set_mlmd_artifact(found)
    return blessing


@pytest.fixture
def folders(tmp_path: Path, eval_split: Path, transform_graph: Path) -> dict[str, Any]:
    return {"root": tmp_path, "examples": eval_split, "transform_graph": transform_graph}


def test_good_model_is_blessed_as_by_the_infra_validator(
    folders: dict[str, Any], make_model: MakeModel
) -> None:
    blessing = run_node(model=make_model("good-node"), **folders)
    assert is_infra_validated(blessing)
    names = {path.name for path in Path(blessing.uri).iterdir()}
    assert names == {"INFRA_BLESSED", "tf_serving_warmup_requests"}
    assert blessing.get_int_custom_property("peak_bytes") > 100 << 20
    assert blessing.get_int_custom_property("num_rows") == 5
    assert blessing.get_float_custom_property("load_s") > 0
    p50, p99 = (blessing.get_float_custom_property(f"latency_{name}_ms") for name in ("p50", "p99"))
    assert 0 < p50 <= p99


def _shift(outputs: Tensors) -> Tensors:
    return {**outputs, "probability": outputs["probability"] + 0.125}


def test_skewed_model_is_not_blessed_and_the_reason_is_recorded(
    folders: dict[str, Any], make_model: MakeModel
) -> None:
    blessing = run_node(model=make_model("skewed-node", on_outputs=_shift), **folders)
    assert not is_infra_validated(blessing)
    reason = blessing.get_string_custom_property("reason")
    assert "of the eval split: the server answers probability = " in reason
    (verdict,) = Path(blessing.uri).iterdir()
    assert verdict.name == "INFRA_NOT_BLESSED"
    assert verdict.read_text() == reason
