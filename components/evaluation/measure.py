"""Computes every metric of every slice, with the interval in which another draw would put it.

The intervals are Poisson bootstrap ones: in each of some hundred resamplings a row counts 0, 1, 2 …
times, by chance. Both models get the same resamplings, so the interval of their difference knows
that they were asked about the same rows. TFMA has the same method and the same metrics; but it asks
its combiners about one row, metric, slice and resampling at a time, here they are array operations.

Source: Chamandy et al., Estimating uncertainty for massive data streams, 2012.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluation import custom
from components.evaluation.binary import binary_metrics
from components.evaluation.catalogue import Metric, metrics_of
from components.evaluation.multiclass import multiclass_metrics
from components.evaluation.regression import regression_metrics
from components.evaluation.results import Estimate, SliceResult, estimate
from components.evaluation.scores import Array, Scores
from components.evaluation.settings import EvaluationSettings
from components.evaluation.slicing import slices_of
from components.features import Label

CANDIDATE, BASELINE = "candidate", "baseline"
# Of more rows than this, so many are resampled, and the error is brought to that of all.
MAX_ROWS = 50_000
_MAX_CELLS = 2_000_000
_SEED = 20_240_229

# Takes labels, predictions and weights [weightings, rows]; gives metrics [weightings].
Compute = Callable[[Array, Array, Array], dict[str, Array]]


def measure(
    scores: Scores,
    label: Label,
    settings: EvaluationSettings,
    functions: Mapping[str, custom.Function] | None = None,
) -> list[SliceResult]:
    """Every metric of every slice; all examples come first.

    Args:
        scores: the rows, with what `candidate` answered and, if there is one, `baseline`.
        label: the problem and its classes.
        settings: the slices, the level and the number of resamplings.
        functions: the metrics of one's own by name.

    Raises:
        NodeFailed: a metric of one's own fails.
    """
    measuring = Measuring(
        metrics=metrics_of(label, settings),
        compute=compute_for(label, settings),
        functions=functions or {},
        replicates=settings.confidence.replicates,
    )
    return [
        measuring.slice(item.key, scores.rows(item.index))
        for item in slices_of(scores, settings.groups)
    ]


def compute_for(label: Label, settings: EvaluationSettings) -> Compute:
    """What computes the metrics of a kind of problem."""
    if label.problem == "binary":
        return lambda labels, found, weights: binary_metrics(
            labels, found, weights, threshold=settings.threshold
        )
    if label.problem == "multiclass":
        return lambda labels, found, weights: multiclass_metrics(
            labels, found, weights, classes=label.classes, top_k=settings.top_k
        )
    return regression_metrics


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """Computes the metrics of one slice after the other.

    Attributes:
        metrics: what is known of each metric.
        compute: computes those of the problem.
        functions: compute those of one's own.
        replicates: how many resamplings.
    """

    metrics: Mapping[str, Metric]
    compute: Compute
    functions: Mapping[str, custom.Function]
    replicates: int

    def slice(self, key: Mapping[str, str], scores: Scores) -> SliceResult:
        """The estimates of one slice.

        Args:
            key: column to value.
            scores: the rows of the slice.
        """
        values = {
            model: self._values(scores, predictions, scores.weights[np.newaxis, :])
            for model, predictions in scores.predictions.items()
        }
        samples, shrink = self._samples(scores)
        found = {
            model: self._estimates(values[model], samples[model], shrink, len(scores))
            for model in values
        }
        if BASELINE not in found:
            return SliceResult(key=key, num_examples=len(scores), candidate=found[CANDIDATE])
        change = {
            name: Estimate(
                float(values[CANDIDATE][name][0] - values[BASELINE][name][0]),
                _spread(samples[CANDIDATE][name] - samples[BASELINE][name]) * shrink,
            )
            for name in values[CANDIDATE]
        }
        return SliceResult(
            key=key,
            num_examples=len(scores),
            candidate=found[CANDIDATE],
            baseline=found[BASELINE],
            change=change,
        )

    def _samples(self, scores: Scores) -> tuple[dict[str, dict[str, Array]], float]:
        """The metrics of each model under each resampling, and what brings their spread to n."""
        random = np.random.default_rng(_SEED)
        num_rows = len(scores)
        if num_rows > MAX_ROWS:
            scores = scores.rows(random.choice(num_rows, MAX_ROWS, replace=False))
        parts: dict[str, list[dict[str, Array]]] = {model: [] for model in scores.predictions}
        for size in _block_sizes(self.replicates, len(scores)):
            counts = random.poisson(1, (size, len(scores)))
            for model, predictions in scores.predictions.items():
                weights = counts * scores.weights
                parts[model].append(self._values(scores, predictions, weights, counts))
        joined = {
            model: {name: np.concatenate([part[name] for part in found]) for name in found[0]}
            for model, found in parts.items()
        }
        return joined, float(np.sqrt(len(scores) / num_rows))

    def _values(
        self, scores: Scores, predictions: Array, weights: Array, counts: Array | None = None
    ) -> dict[str, Array]:
        """Every metric under every weighting; all NaN where an answer is not a number."""
        if not np.isfinite(predictions).all():
            return {name: np.full(len(weights), np.nan) for name in self.metrics}
        found = self.compute(scores.labels, predictions, weights)
        for name, function in self.functions.items():
            found[name] = np.array(list(_calls(name, function, scores, predictions, counts)))
        return {name: found[name] for name in self.metrics}

    def _estimates(
        self,
        values: Mapping[str, Array],
        samples: Mapping[str, Array],
        shrink: float,
        num_rows: int,
    ) -> dict[str, Estimate]:
        return {
            name: estimate(
                metric, float(values[name][0]), _spread(samples[name]) * shrink, num_rows
            )
            for name, metric in self.metrics.items()
        }


def _calls(
    name: str,
    function: custom.Function,
    scores: Scores,
    predictions: Array,
    counts: Array | None,
) -> Iterator[float]:
    """The function's value for each resampling: a row that counts twice is there twice."""
    rows = np.arange(len(scores))
    for times in counts if counts is not None else [None]:
        index = rows if times is None else np.repeat(rows, times)
        yield custom.call(
            name, function, scores.labels[index], predictions[index], scores.weights[index]
        )


def _spread(samples: Array) -> float:
    """The standard deviation; NaN unless most of the resamplings define the metric."""
    defined = samples[np.isfinite(samples)]
    return float(defined.std(ddof=1)) if 2 * len(defined) > len(samples) else float("nan")


def _block_sizes(replicates: int, num_rows: int) -> Sequence[int]:
    """How many resamplings at a time, so that the arrays stay small."""
    size = max(1, min(replicates, _MAX_CELLS // max(1, num_rows)))
    whole, rest = divmod(replicates, size)
    return [size] * whole + [rest] * bool(rest)
