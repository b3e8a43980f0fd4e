"""What the Evaluator's `evaluation.json` says, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic

from components.errors import NodeFailed
from components.features import Problem
from components.model_card.files import EVALUATION_FILE

# What is not a number is None, as everywhere in the file.
Point = tuple[float | None, float | None]


class _Record(pydantic.BaseModel):
    """Keys that are not known here are left for others to read."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore")


class Estimate(_Record):
    """A value with the bounds of its confidence interval; what is not known is None.

    `nan` tells a value that is not a number from one that was not measured.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    nan: bool = False


class Metric(_Record):
    """One metric of the candidate and of its baseline, and the candidate's change against it."""

    candidate: Estimate = Estimate()
    baseline: Estimate | None = None
    change: Estimate | None = None


class Slice(_Record):
    """The metrics of the rows that have these values; all rows have none."""

    slice: Mapping[str, Any] = {}
    name: str
    num_examples: int
    metrics: Mapping[str, Metric] = {}


class Baseline(_Record):
    """What the candidate was compared with, or why with nothing."""

    status: str
    label: str | None = None
    version: int | None = None
    model_artifact: int | None = None
    reason: str = ""


class Row(_Record):
    """One bound, what was measured, the verdict, and whether the model is refused for it."""

    metric: str
    slice: str
    candidate: float | None = None
    baseline: float | None = None
    low: float | None = None
    high: float | None = None
    bound: str
    threshold: float | None = None
    verdict: str
    why: str = ""
    blocks: bool = False


class Decision(_Record):
    """Whether the model is good enough, and every bound behind that."""

    blessed: bool
    reason: str = ""
    rows: tuple[Row, ...] = ()


class Threshold(_Record):
    """Rows counted by label and answer, where a score of at least `threshold` is positive."""

    threshold: float
    tp: float
    fp: float
    tn: float
    fn: float


class Confusion(_Record):
    """Rows by class (first index) and by the class answered (second)."""

    labels: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]


class Residuals(_Record):
    """Pairs of actual and predicted value, and the errors as (low, high, count)."""

    predicted_vs_actual: tuple[Point, ...] = ()
    histogram: tuple[tuple[float, float, float], ...] = ()


class Plots(_Record):
    """What is drawn of one model: which of these there are depends on the problem."""

    roc: tuple[Point, ...] = ()
    pr: tuple[Point, ...] = ()
    calibration: tuple[tuple[float | None, float | None, float], ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    confusion: Confusion | None = None
    residuals: Residuals | None = None


class BothPlots(_Record):
    """The plots of the candidate, and of the baseline where there is one."""

    candidate: Plots = Plots()
    baseline: Plots | None = None


class Importance(_Record):
    """How much worse a metric becomes when a column's values are shuffled."""

    feature: str
    metric: str
    loss: float | None = None
    low: float | None = None
    high: float | None = None


class Confidence(_Record):
    """How the intervals were made, and which share of them holds the true value."""

    method: str = ""
    level: float | None = None


class Evaluation(_Record):
    """Everything in the file; the first slice is all rows."""

    problem: Problem
    classes: tuple[str, ...] = ()
    num_examples: int
    confidence: Confidence | None = None
    baseline: Baseline
    slices: tuple[Slice, ...] = pydantic.Field(min_length=1)
    decision: Decision
    plots: BothPlots = BothPlots()
    importance: tuple[Importance, ...] | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of all metrics, in the order of the file."""
        return tuple(dict.fromkeys(name for part in self.slices for name in part.metrics))

    @property
    def is_compared(self) -> bool:
        """Whether there are numbers of a baseline."""
        everything = self.slices[0].metrics.values()
        return any(metric.baseline is not None for metric in everything)

    def class_of(self, metric: str) -> tuple[str, str] | None:
        """The kind and the class of a metric such as `recall:cat`; None of one about all."""
        kind, separator, name = metric.partition(":")
        return (kind, name) if separator and name in self.classes else None


def read_evaluation(folder: Path) -> Evaluation:
    """Reads the file in the folder of an Evaluation artifact.

    Raises:
        NodeFailed: it is not there, or says something else.
    """
    path = folder / EVALUATION_FILE
    try:
        return Evaluation.model_validate_json(path.read_bytes())
    except OSError as error:
        raise NodeFailed(f"{path} cannot be read: {error.strerror}. Run the Evaluator.") from error
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise NodeFailed(
            f"{path} is no evaluation: {where}: {problem['msg']}. Run the Evaluator again."
        ) from error
