"""The graph: every component of the pipeline, from the data to the pushed model."""

from __future__ import annotations

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline

from components.evaluation import component as evaluation
from components.ingestion import component as ingestion
from components.model_card import component as model_card
from components.pushing import component as pushing
from components.serving_check import component as serving_check
from components.training import component as training
from components.training import starting_model
from components.training.settings import TrainingSettings
from components.training.tuning import component as tuning
from components.training.watching.parameters import hyper_parameters
from components.transform import component as transform
from components.validation import component as validation
from pipeline import metadata
from pipeline.beam import flags
from pipeline.contract import is_drift_on
from pipeline.fingerprint import SETTINGS, code_hash, library_versions, settings_text
from pipeline.layout import Layout
from pipeline.nodes import ACCEPTED, BASELINE, MODEL_CODE, STARTING, TUNER, trainer_settings
from pipeline.recording.facts import config_hash
from pipeline.resolve import Resolved


def create_pipeline(resolved: Resolved, layout: Layout) -> Pipeline:
    """Builds the pipeline of a resolved configuration.

    Args:
        resolved: the settings of every stage, and what the data adds.
        layout: where artifacts, metadata and pushed models go.
    """
    config, spec = resolved.config, resolved.data_spec
    store = str(metadata.address_of(config, layout))

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
            settings=settings_text(trainer_settings(resolved)),
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
    served = pushing.base_directory(config.push, root=layout.root, model_name=config.name)
    baseline = evaluation.build_baseline(resolved.evaluation, candidate=model, served=served)
    evaluator = evaluation.build_evaluator(
        resolved.evaluation,
        data_spec=spec,
        examples=examples,
        model=model,
        baseline_model=baseline.outputs["model"],
        schema=schema,
        served=served,
    )

    # Only a model that a server can serve, and that is good enough, is pushed.
    check = serving_check.build(
        config.serving_check,
        data_spec=spec,
        model=model,
        examples=examples,
        transform_graph=transform_graph,
    )
    # Whatever came of it, the model gets a card, which is pushed with it.
    described = model_card.build(
        config.model_card,
        name=config.name,
        data_spec=spec,
        training=hyper_parameters(config.training),
        defaults=hyper_parameters(TrainingSettings()),
        code=code_hash(MODEL_CODE),
        libraries=library_versions(),
        inputs={
            "model": model,
            "model_run": trainer.outputs["model_run"],
            "examples": examples,
            "statistics": statistics,
            "schema": schema,
            "evaluation": evaluator.outputs["evaluation"],
            "model_blessing": evaluator.outputs["blessing"],
            "infra_blessing": check.outputs["blessing"],
        },
    )
    pusher = pushing.build(
        config.push,
        root=layout.root,
        model_name=config.name,
        model=model,
        model_blessing=evaluator.outputs["blessing"],
        infra_blessing=check.outputs["blessing"],
        model_card=described.outputs["model_card"],
        evaluation=evaluator.outputs["evaluation"],
        examples=examples,
        origin={
            "code": code_hash(MODEL_CODE),
            "config": config_hash(config.model_dump(mode="json"))[:12],
            "metadata": store,
        },
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
        "ModelCard": described,
        "Pusher": pusher,
    }
    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(layout.artifacts / config.name),
        components=[component.with_id(name) for name, component in named.items()],
        enable_cache=True,
        metadata_connection_config=metadata.connection(store),
        beam_pipeline_args=flags.pipeline_args(config.beam),
    )
