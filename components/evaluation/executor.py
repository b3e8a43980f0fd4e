"""The Evaluator's executor: unpacks what TFX gives, and writes down what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_beam_executor
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import io_utils, path_utils

from components import progress
from components.evaluation.compared import Baseline, find_baseline
from components.evaluation.evaluating import Evaluation, evaluate
from components.evaluation.extraction import SPLIT, ask
from components.evaluation.live import find_live
from components.evaluation.measure import BASELINE, CANDIDATE
from components.evaluation.record import overall, write
from components.evaluation.scores import Scores
from components.evaluation.settings import EvaluationSettings
from components.evaluation.tfma_files import write_tfma_files
from components.features import DataSpec
from serving.errors import ServingError

SETTINGS, DATA_SPEC, SERVED = "settings", "data_spec", "served"


class Executor(base_beam_executor.BaseBeamExecutor):
    """Judges the candidate; what it decided is on the blessing as TFX's own Evaluator says it.

    The blessing also gets a `reason`, the evaluation the metrics over all examples, so a summary or
    a lineage query needs to open no file.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates the candidate, and the baseline where there is one.

        Args:
            input_dict: `examples`, `model`, `baseline_model`, `schema`.
            output_dict: `evaluation` and `blessing`.
            exec_properties: `settings` and `data_spec` as JSON; `served`, the folder of the pushed
                versions, empty if it is no folder.

        Raises:
            ConfigError: a metric of one's own cannot be imported.
            NodeFailed: a metric of one's own fails, or there is no row.
        """
        settings = EvaluationSettings.model_validate_json(exec_properties[SETTINGS])
        spec = DataSpec.model_validate_json(exec_properties[DATA_SPEC])
        examples = input_dict[specs.EXAMPLES_KEY]
        schema = _read_schema(artifact_utils.get_single_uri(input_dict[specs.SCHEMA_KEY]))
        model = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
        output = artifact_utils.get_single_instance(output_dict[specs.EVALUATION_KEY])

        def ask_models(models: Mapping[str, str]) -> Scores:
            return ask(
                models,
                examples=examples,
                schema=schema,
                spec=spec,
                settings=settings,
                make_pipeline=self._make_beam_pipeline,
                scratch=Path(output.uri) / "rows",
            )

        found = evaluate(
            _folder(model),
            _baseline(input_dict, exec_properties, settings, spec, schema),
            spec=spec,
            settings=settings,
            schema=schema,
            folders=artifact_utils.get_split_uris(examples, SPLIT),
            ask=ask_models,
        )
        if found.baseline.status in ("unreadable", "incompatible"):
            progress.report("Evaluator", note=found.baseline.reason)
        _write(found, output, spec, settings)
        blessing = artifact_utils.get_single_instance(output_dict[specs.BLESSING_KEY])
        _bless(found, blessing, model, input_dict.get(specs.BASELINE_MODEL_KEY) or [])


def _baseline(
    input_dict: dict[str, list[Artifact]],
    exec_properties: dict[str, Any],
    settings: EvaluationSettings,
    spec: DataSpec,
    schema: schema_pb2.Schema,
) -> Baseline:
    label, served = settings.baseline.label, exec_properties[SERVED]
    live, problem = None, ""
    try:
        live = find_live(Path(served) if served else None, label)
    except ServingError as error:
        problem = str(error)
    resolved = next(iter(input_dict.get(specs.BASELINE_MODEL_KEY) or []), None)
    return find_baseline(
        label=label,
        live=live,
        problem=problem,
        model_id=resolved.id if resolved is not None else None,
        folder=Path(_folder(resolved)) if resolved is not None else None,
        candidate=artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY]),
        spec=spec,
        schema=schema,
    )


def _write(
    found: Evaluation, output: Artifact, spec: DataSpec, settings: EvaluationSettings
) -> None:
    """Writes the files, and the metrics over all examples onto the artifact."""
    folder = Path(output.uri)
    write_tfma_files(folder, found, spec=spec, settings=settings)
    write(folder, found, label=spec.label, settings=settings)
    everything = found.slices[0]
    for name, estimates in ((CANDIDATE, everything.candidate), (BASELINE, everything.baseline)):
        if estimates is not None:
            text = overall(estimates, everything.num_examples)
            output.set_string_custom_property(f"{name}_metrics", text)


def _bless(
    found: Evaluation, blessing: Artifact, model: Artifact, baseline: list[Artifact]
) -> None:
    """Says the decision as TFX does, so that its own Pusher and resolvers understand it."""
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    for artifact in baseline[:1]:
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, artifact.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, artifact.id
        )
    name, value = (
        (constants.BLESSED_FILE_NAME, constants.BLESSED_VALUE)
        if found.decision.blessed
        else (constants.NOT_BLESSED_FILE_NAME, constants.NOT_BLESSED_VALUE)
    )
    io_utils.write_string_file(str(Path(blessing.uri) / name), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    blessing.set_string_custom_property("reason", found.decision.reason)


def _read_schema(uri: str) -> schema_pb2.Schema:
    return io_utils.SchemaReader().read(io_utils.get_only_uri_in_dir(uri))


def _folder(model: Artifact) -> str:
    return path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
