"""Completes a configuration with what the data says: the columns, the label, the thresholds.

Reads the data once, without TensorFlow. What it inferred is told to the user, line by line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError, nearest
from components.evaluation.automatic import automatic_slices
from components.evaluation.checks import check
from components.evaluation.settings import AUTO, EvaluationSettings, Threshold
from components.features import DataSpec, Label
from components.ingestion import profile, schema_spec, sources, spec, split_settings, weights
from components.ingestion.cells import CellType
from components.training.settings import TrainingSettings
from pipeline.config import PipelineConfig

# Enough for the default learning rate to converge on a small table, and no more than minutes on a
# large one; early stopping would be better than any such rule.
_EPOCHS, _MIN_STEPS, _MAX_STEPS = 40, 300, 10_000


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A configuration, and what the data adds to it.

    Attributes:
        config: the configuration.
        source: the data's files and their content hash.
        column_types: column to how it is read into the tf.Example.
        data_spec: the columns and the label.
        evaluation: the evaluation's settings, slices and thresholds included.
        opaque: columns of images, texts and names of files, whose values need not be compared.
        notes: what was inferred, a line each.
    """

    config: PipelineConfig
    source: sources.Source
    column_types: Mapping[str, CellType]
    data_spec: DataSpec
    evaluation: EvaluationSettings
    opaque: tuple[str, ...]
    notes: tuple[str, ...]


def resolve(config: PipelineConfig) -> Resolved:
    """Reads the data once and completes the configuration with it.

    Raises:
        ConfigError: a path, a column or a slice that is named does not exist.
        DataRejected: the data cannot be read, nothing can be learned from its label, or a weight
            is not one.
    """
    source = sources.resolve(config.data)
    label = config.label
    found = profile.profile(source, None if label.ratio_to else label.column)
    for key, column in (
        ("label.column", label.column),
        ("label.ratio_to", label.ratio_to),
        ("label.weight", label.weight),
    ):
        if column is not None:
            _check_column(key, column, found)
    if label.weight is not None:
        weights.check(source, found.column(label.weight))
    split_settings.check(config.data, source, found)
    schema_path = config.validation.schema_path
    schema = schema_spec.read_schema(Path(schema_path)) if schema_path else None
    inference = _infer(config, found, schema)
    contract = schema_spec.schema_types(schema) if schema is not None else None
    data_spec = inference.spec
    evaluation = _with_slices(
        _with_thresholds(config.evaluation, data_spec, found), data_spec, found
    )
    config = _with_steps(config, found, split_settings.train_share(config.data, source))
    for group in evaluation.groups:
        for column in group:
            _check_column("evaluation.slices", column, found)
    check(evaluation, data_spec)
    return Resolved(
        config=config,
        source=source,
        column_types=profile.column_types(found, contract, data_spec),
        data_spec=data_spec,
        evaluation=evaluation,
        opaque=_opaque(found, data_spec),
        notes=_notes(config, inference, evaluation, is_inferred=schema is None),
    )


def _check_column(key: str, column: str, found: profile.Profile) -> None:
    names = [item.name for item in found.columns]
    if column not in names:
        raise ConfigError(
            f"{key}: the data has no column {column!r}.{nearest(column, names)} "
            f"Its columns: {', '.join(names[:30])}{' …' if len(names) > 30 else ''}."
        )


def _infer(
    config: PipelineConfig, found: profile.Profile, schema: schema_pb2.Schema | None
) -> spec.Inference:
    label = config.label
    if label.ratio_to is None:
        inferred = spec.infer_data_spec(
            found,
            label.column,
            config.features,
            label.problem,
            label.weight,
            # A curated schema decides the columns, so those crosses are looked at below.
            crosses=config.transform.crosses if schema is None else (),
        )
        if schema is None:
            return inferred
        chosen = inferred.spec.label
    elif schema is None:
        raise ConfigError(
            "label.ratio_to: a derived label needs a curated schema (validation.schema_path): only "
            "that says what is known after the fact and must not be an input."
        )
    else:
        chosen = Label(
            column=label.column,
            dtype="float",
            problem="binary",
            classes=label.classes,
            ratio_to=label.ratio_to,
            above=label.above,
        )
    return schema_spec.spec_from_schema(
        schema,
        chosen,
        config.features,
        profile=found,
        weight=label.weight,
        crosses=config.transform.crosses,
    )


def _opaque(found: profile.Profile, data_spec: DataSpec) -> tuple[str, ...]:
    read = [f.name for f in data_spec.features if f.kind in ("image", "text")]
    # An image column that is left out holds images all the same.
    large = [column.name for column in found.columns if column.images or column.no_input]
    return tuple(dict.fromkeys([*read, *large]))


def _with_steps(
    config: PipelineConfig, found: profile.Profile, train_share: float
) -> PipelineConfig:
    """Sets `training.steps`, where nothing says how long to train, by the rows that were seen."""
    training = config.training
    if any(limit is not None for limit in (training.steps, training.epochs, training.time_limit_s)):
        return config
    num_train = found.num_rows * train_share
    wanted = round(_EPOCHS * num_train / training.batch_size)
    steps = min(max(wanted, _MIN_STEPS), _MAX_STEPS)
    return config.model_copy(update={"training": training.model_copy(update={"steps": steps})})


def _with_thresholds(
    settings: EvaluationSettings, data_spec: DataSpec, found: profile.Profile
) -> EvaluationSettings:
    """Adds, where none are set, the thresholds that a constant prediction just misses."""
    if settings.thresholds:
        return settings
    label = data_spec.label
    if label.problem == "binary":
        thresholds = {"auc": Threshold(min=0.55, max_loss=0.02)}
    elif label.problem == "multiclass":
        counts = [count for _, count in found.label_counts or ()]
        share = max(counts) / sum(counts) if counts else 1 / len(label.classes)
        thresholds = {"accuracy": Threshold(min=round(share, 4), max_loss=0.02)}
    else:
        std = found.column(label.column).std or 0.0
        thresholds = {"rmse": Threshold(max=std, max_loss=0.05 * std)}
    return settings.model_copy(update={"thresholds": thresholds})


def _with_slices(
    settings: EvaluationSettings, data_spec: DataSpec, found: profile.Profile
) -> EvaluationSettings:
    """Works out what `auto` means for this data."""
    if settings.slices != AUTO:
        return settings
    groups = automatic_slices(data_spec, {item.name: item.num_distinct for item in found.columns})
    return settings.model_copy(update={"slices": groups})


def _notes(
    config: PipelineConfig,
    inference: spec.Inference,
    evaluation: EvaluationSettings,
    *,
    is_inferred: bool,
) -> tuple[str, ...]:
    """What was decided for the user; nothing where the configuration says it all."""
    if not is_inferred:
        return ()
    bounds = []
    for name, threshold in evaluation.thresholds.items():
        if threshold.min is not None:
            bounds.append(f"{name} at least {threshold.min:.4g}")
        if threshold.max is not None:
            bounds.append(f"{name} at most {threshold.max:.4g}")
    lines = (*inference.explanation, f"training: {_duration(config.training)}")
    if config.evaluation.thresholds:
        return lines
    return (*lines, f"a model is pushed with {' and '.join(bounds)}")


def _duration(training: TrainingSettings) -> str:
    limits = {
        "{} steps": training.steps,
        "{:g} passes over the data": training.epochs,
        "{:g} s": training.time_limit_s,
    }
    return ", at most ".join(
        text.format(limit) for text, limit in limits.items() if limit is not None
    )
