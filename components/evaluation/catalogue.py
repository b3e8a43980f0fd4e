"""The metrics of each kind of problem: their names, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from components.errors import ConfigError, nearest
from components.evaluation.settings import EvaluationSettings, Threshold
from components.features import Label

# A model of more classes has no metrics for each, nor, above the second, a curve for each.
MAX_CLASSES, MAX_CURVES = 20, 10


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is known of a metric before it is computed.

    Attributes:
        name: what it is called in the configuration and in all that is written.
        better: which value is better; `one` if 1 is best.
        least: the smallest value it can have.
        most: the largest.
        is_share_of_rows: whether it is the share of all rows that are right.
    """

    name: str
    better: Literal["higher", "lower", "one"]
    least: float = float("-inf")
    most: float = float("inf")
    is_share_of_rows: bool = False

    @property
    def is_per_class(self) -> bool:
        """Whether it is about one class of several."""
        return ":" in self.name


def _share(name: str) -> Metric:
    return Metric(
        name=name,
        better="higher",
        least=0,
        most=1,
        is_share_of_rows=name == "accuracy" or name.startswith("top_"),
    )


def _error(name: str) -> Metric:
    return Metric(name=name, better="lower", least=0)


_BINARY = (
    _share("auc"),
    _share("pr_auc"),
    _error("log_loss"),
    _share("accuracy"),
    _share("precision"),
    _share("recall"),
    Metric(name="calibration", better="one", least=0),
)
_REGRESSION = (_error("rmse"), _error("mae"), Metric(name="r2", better="higher", most=1))


def metrics_of(label: Label, settings: EvaluationSettings) -> dict[str, Metric]:
    """Every metric of a model, by name, in the order in which they are shown.

    Args:
        label: the problem and its classes.
        settings: the metrics of one's own, and how many guesses count.
    """
    if label.problem == "binary":
        found = list(_BINARY)
    elif label.problem == "regression":
        found = list(_REGRESSION)
    else:
        found = [_share("accuracy"), _error("log_loss")]
        if len(label.classes) > settings.top_k:
            found.insert(1, _share(f"top_{settings.top_k}"))
        kinds = ["precision", "recall"] if len(label.classes) <= MAX_CLASSES else []
        kinds += ["auc"] if len(label.classes) <= MAX_CURVES else []
        found += [_share(f"{kind}:{name}") for name in label.classes for kind in kinds]
    found += [
        Metric(name=name, better="higher" if custom.higher_is_better else "lower")
        for name, custom in settings.metrics.items()
    ]
    return {metric.name: metric for metric in found}


def check_metrics(settings: EvaluationSettings, label: Label) -> None:
    """Refuses thresholds of metrics that the model does not have.

    Raises:
        ConfigError: naming the key, and the metrics there are.
    """
    standard = metrics_of(label, settings.model_copy(update={"metrics": {}}))
    for name in settings.metrics:
        if name in standard:
            raise ConfigError(
                f"evaluation.metrics.{name}: a {label.problem} model has a metric of that name "
                "already. Choose another."
            )
    known = metrics_of(label, settings)
    named = [("thresholds", metric, bounds) for metric, bounds in settings.thresholds.items()]
    for where, thresholds in settings.slice_thresholds.items():
        named += [
            (f"slice_thresholds.{where}", metric, bounds) for metric, bounds in thresholds.items()
        ]
    for key, name, bounds in named:
        _check(f"evaluation.{key}.{name}", known.get(name), bounds, known, label)


def _check(
    key: str, metric: Metric | None, bounds: Threshold, known: dict[str, Metric], label: Label
) -> None:
    if metric is None:
        names = list(known)
        raise ConfigError(
            f"{key}: a {label.problem} model has no such metric. It has: {', '.join(names[:30])}"
            f"{' …' if len(names) > 30 else ''}.{nearest(key.rsplit('.', 1)[-1], names)}"
        )
    if metric.better == "one" and (bounds.max_loss, bounds.max_loss_ratio) != (None, None):
        raise ConfigError(
            f"{key}: {metric.name} is best at 1, so it can be too high as well as too low. Give "
            "it min and max in place of max_loss."
        )
