"""Evaluates a candidate beside its baseline: asks both, measures, decides."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import WaybillError
from components.evaluation import custom
from components.evaluation.catalogue import metrics_of
from components.evaluation.compared import Baseline
from components.evaluation.decide import Decision, decide
from components.evaluation.importance import MAX_ROWS, Importance, importance
from components.evaluation.measure import BASELINE, CANDIDATE, measure
from components.evaluation.plots import plots_of
from components.evaluation.results import SliceResult
from components.evaluation.sample import take_sample
from components.evaluation.scores import Scores
from components.evaluation.settings import EvaluationSettings
from components.features import DataSpec

_MAX_CHARACTERS = 300
# How TensorFlow and Beam say where.
_PLACE = re.compile(r"\[\[.*|\{\{.*?\}\}|\[while running .*\]|Name: <unknown>, ")
_log = logging.getLogger(__name__)

# Takes the folder of each model by its name; gives what they answer to the eval split.
AskModels = Callable[[Mapping[str, str]], Scores]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that was found out.

    Attributes:
        models: the folder of `candidate` and, if it was compared with one, of `baseline`.
        slices: all examples, and every slice.
        baseline: what the candidate was compared with.
        decision: what was decided.
        plots: what is drawn of each model.
        importance: of each column; None where it is turned off.
    """

    models: Mapping[str, str]
    slices: Sequence[SliceResult]
    baseline: Baseline
    decision: Decision
    plots: Mapping[str, Any]
    importance: Sequence[Importance] | None


def evaluate(
    candidate: str,
    baseline: Baseline,
    *,
    spec: DataSpec,
    settings: EvaluationSettings,
    schema: schema_pb2.Schema,
    folders: Sequence[str],
    ask: AskModels,
) -> Evaluation:
    """Judges the candidate.

    Args:
        candidate: the folder of its SavedModel.
        baseline: what to compare it with.
        spec: the columns and the label.
        settings: metrics, slices and thresholds.
        schema: of the examples.
        folders: of the files of the eval split.
        ask: asks the models about that split.

    Raises:
        ConfigError: a metric of one's own cannot be imported.
        NodeFailed: a metric of one's own fails, or there is no row.
    """
    functions = custom.load(settings)
    scores, baseline = _ask_both(ask, candidate, baseline)
    slices = measure(scores, spec.label, settings, functions)
    decision = decide(
        slices,
        settings,
        metrics_of(spec.label, settings),
        status=baseline.status,
        status_reason=baseline.reason,
    )
    models = {CANDIDATE: candidate}
    if baseline.folder is not None:
        models[BASELINE] = str(baseline.folder)
    return Evaluation(
        models=models,
        slices=slices,
        baseline=baseline,
        decision=decision,
        plots=plots_of(scores, spec.label, settings),
        importance=_importance(candidate, folders, schema, spec, settings, len(scores))
        if settings.importance
        else None,
    )


def _ask_both(ask: AskModels, candidate: str, baseline: Baseline) -> tuple[Scores, Baseline]:
    """The answers of both models; of the candidate alone where the baseline has none."""
    if baseline.folder is None:
        return ask({CANDIDATE: candidate}), baseline
    try:
        return ask({CANDIDATE: candidate, BASELINE: str(baseline.folder)}), baseline
    except WaybillError:
        raise
    except Exception as error:  # Whatever a model does that was not made for this data.
        _log.warning("The baseline cannot be asked.", exc_info=True)
        # If it is the candidate's fault, this raises again.
        scores = ask({CANDIDATE: candidate})
        return scores, _diagnosed(baseline, error)


def _diagnosed(baseline: Baseline, error: Exception) -> Baseline:
    """Whether the model itself is damaged, or only does not fit the data."""
    name = baseline.reason.removeprefix("compared with ")
    try:
        tf.saved_model.load(str(baseline.folder))
    except Exception as damage:  # TensorFlow raises several kinds for a damaged file.
        return baseline.without("unreadable", f"{name} does not load: {_line(damage)}")
    return baseline.without("incompatible", f"{name} cannot answer for this data: {_line(error)}")


def _line(error: BaseException) -> str:
    """What happened, without where, which Beam, TFMA and TensorFlow tell at length."""
    link: BaseException | None = error
    while link is not None and not isinstance(link, tf.errors.OpError):
        link = link.__cause__ or link.__context__
    lines = [_PLACE.sub("", line).strip() for line in str(link or error).splitlines()]
    said = [line for line in lines if line] or [type(error).__name__]
    return said[-1 if link is not None else 0][:_MAX_CHARACTERS]


def _importance(
    candidate: str,
    folders: Sequence[str],
    schema: schema_pb2.Schema,
    spec: DataSpec,
    settings: EvaluationSettings,
    num_rows: int,
) -> list[Importance]:
    sample = take_sample(
        folders, model=candidate, schema=schema, spec=spec, num_rows=num_rows, most=MAX_ROWS
    )
    return importance(
        sample.batch,
        sample.labels,
        sample.weights,
        spec=spec,
        ask=sample.ask,
    )
