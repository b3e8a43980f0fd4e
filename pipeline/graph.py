"""The graph: every component of the pipeline, from the data to the pushed model."""

from __future__ import annotations

import json
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from components.evaluation import component as evaluation
from components.ingestion import component as ingestion
from components.pushing import component as pushing
from components.serving_check import component as serving_check
from components.training import component as training
from components.training import starting_model
from components.training.tuning import component as tuning
from components.transform import component as transform
from components.validation import component as validation
from pipeline.contract import is_drift_on
from pipeline.fingerprint import SETTINGS
from pipeline.layout import Layout
from pipeline.nodes import ACCEPTED, BASELINE, STARTING, TUNER, trainer_settings
from pipeline.resolve import Resolved


def create_pipeline(resolved: Resolved, layout: Layout) -> Pipeline:
    """Builds the pipeline of a resolved configuration.

    Args:
        resolved: the settings of every stage, and what the data adds.
        layout: where artifacts, metadata and pushed models go.
    """
    config, spec = resolved.config, resolved.data_spec

    # The data becomes tf.Examples, split into `train` and `eval`, by a hash of each row by default.
    example_gen = ingestion.build(config.data, resolved.source, resolved.column_types)
    examples = example_gen.outputs["examples"]

    # The data is described, compared with its contract, and stopped when it breaks it.
    statistics_gen = validation.build_statistics(examples=examples, opaque=resolved.opaque)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = validation.build_schema(config.validation, statistics=statistics)
    schema = schema_gen.outputs["schema"]
    accepted = validation.build_accepted(statistics=statistics) if is_drift_on(resolved) else None
    validator, gate = validation.build_gate(
        config.validation,
        data=config.data.path,
        data_spec=spec,
        examples=examples,
        statistics=statistics,
        schema=schema,
        accepted_statistics=accepted.outputs["statistics"] if accepted is not None else None,
    )

    # Columns become the tensors that models read; the same graph runs in training and serving.
    preprocessing = transform.build(
        config.transform, examples=examples, schema=schema, data_spec=spec
    )
    preprocessing.add_upstream_node(gate)
    transform_graph = preprocessing.outputs["transform_graph"]

    # A model is trained, from an earlier one and with searched-for settings if that is wanted.
    transformed = preprocessing.outputs["transformed_examples"]
    starting = None
    if config.training.warm_start:
        starting = starting_model.build(
            examples=transformed,
            property_name=SETTINGS,
            settings=json.dumps(trainer_settings(resolved), sort_keys=True),
        )
    base_model = starting.outputs["model"] if starting is not None else None
    tuner = None
    if config.tuning is not None:
        tuner = tuning.build(
            config.tuning,
            training=config.training,
            directory=layout.artifacts / config.name / TUNER / "search",
            examples=transformed,
            transform_graph=transform_graph,
            schema=schema,
            data_spec=spec,
            base_model=base_model,
        )
    trainer = training.build(
        settings=config.training,
        data_spec=spec,
        examples=transformed,
        transform_graph=transform_graph,
        schema=schema,
        base_model=base_model,
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner is not None else None,
    )

    # It is compared with the one it would replace.
    model = trainer.outputs["model"]
    baseline = evaluation.build_baseline(candidate=model)
    evaluator = evaluation.build_evaluator(
        resolved.evaluation,
        data_spec=spec,
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
    )

    # Only a model that a server can serve, and that is good enough, is pushed.
    check = serving_check.build(
        config.serving_check,
        data_spec=spec,
        model=model,
        examples=examples,
        transform_graph=transform_graph,
    )
    pusher = pushing.build(
        config.push,
        root=layout.root,
        model_name=config.name,
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
    )

    named: dict[str, BaseNode] = {
        "ExampleGen": example_gen,
        "StatisticsGen": statistics_gen,
        "SchemaGen": schema_gen,
        "ExampleValidator": validator,
        **({ACCEPTED: accepted} if accepted is not None else {}),
        "DataGate": gate,
        "Transform": preprocessing,
        **({STARTING: starting} if starting is not None else {}),
        **({TUNER: tuner} if tuner is not None else {}),
        "Trainer": trainer,
        BASELINE: baseline,
        "Evaluator": evaluator,
        "ServingCheck": check,
        "Pusher": pusher,
    }
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(layout.artifacts / config.name),
        components=[component.with_id(name) for name, component in named.items()],
        enable_cache=True,
        metadata_connection_config=_sqlite(layout.metadata),
        beam_pipeline_args=config.beam.pipeline_args(),
    )


def _sqlite(database: Path) -> metadata_store_pb2.ConnectionConfig:
    config = metadata_store_pb2.ConnectionConfig()
    config.sqlite.filename_uri = str(database)
    config.sqlite.connection_mode = (
        metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    )
    return config
