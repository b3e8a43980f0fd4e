"""ServingCheck: the node that asks the exported model what a client would ask a server."""

from pathlib import Path

from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.channel import BaseChannel
from tfx.utils import path_utils

from components.features import DataSpec
from components.serving_check.settings import ServingCheckSettings

SPLIT = "eval"
BLESSED = "INFRA_BLESSED"
NOT_BLESSED = "INFRA_NOT_BLESSED"


@component
def ServingCheck(  # noqa: N802 - a component is named like a class
    model: InputArtifact[standard_artifacts.Model],
    examples: InputArtifact[standard_artifacts.Examples],
    transform_graph: InputArtifact[standard_artifacts.TransformGraph],
    blessing: OutputArtifact[standard_artifacts.InfraBlessing],
    settings: Parameter[str],
    data_spec: Parameter[str],
) -> None:
    """Blesses the model if a process that has only TensorFlow answers as the pipeline does.

    Args:
        model: the Trainer's model, with `serving_default`, `serving_raw` and `score_transformed`.
        examples: raw examples with the split `eval`.
        transform_graph: Transform's graph.
        blessing: gets what TFX's InfraValidator sets, the property `blessed` and a file named
            after the verdict, and the properties `reason`, `num_rows`, and if the model answered
            `load_s`, `latency_p50_ms`, `latency_p99_ms` and `peak_bytes`; and if it is blessed
            the file `tf_serving_warmup_requests`, which a server replays when it loads the model.
        settings: ServingCheckSettings as JSON.
        data_spec: a DataSpec as JSON.
    """
    # TensorFlow and TensorFlow Transform are not needed to build a graph.
    from components.serving_check.check import check
    from components.serving_check.warm_up import write_requests

    spec = DataSpec.model_validate_json(data_spec)
    report = check(
        model=Path(
            path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        ),
        examples=Path(artifact_utils.get_split_uri([examples], SPLIT)),
        transform_graph=Path(transform_graph.uri),
        data_spec=spec,
        settings=ServingCheckSettings.model_validate_json(settings),
    )
    verdict = Path(blessing.uri) / (NOT_BLESSED if report.objections else BLESSED)
    verdict.parent.mkdir(parents=True, exist_ok=True)
    if not report.objections:
        write_requests(verdict.parent, report.sent, spec)
    verdict.write_text(report.reason, encoding="utf-8")
    blessing.set_int_custom_property("blessed", 0 if report.objections else 1)
    blessing.set_string_custom_property("reason", report.reason)
    blessing.set_int_custom_property("num_rows", report.num_rows)
    for name in ("load_s", "latency_p50_ms", "latency_p99_ms"):
        value = getattr(report, name)
        if value is not None:
            blessing.set_float_custom_property(name, value)
    if report.peak_bytes is not None:
        blessing.set_int_custom_property("peak_bytes", report.peak_bytes)


def build(
    settings: ServingCheckSettings,
    *,
    data_spec: DataSpec,
    model: BaseChannel,
    examples: BaseChannel,
    transform_graph: BaseChannel,
) -> BaseComponent:
    """The ServingCheck node.

    Args:
        settings: how many rows, and what is allowed.
        data_spec: the input columns and the label.
        model: the Trainer's model.
        examples: raw examples, with the split `eval`.
        transform_graph: Transform's graph.
    """
    return ServingCheck(
        model=model,
        examples=examples,
        transform_graph=transform_graph,
        settings=settings.model_dump_json(),
        data_spec=data_spec.model_dump_json(),
    )
