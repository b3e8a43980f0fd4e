"""Settings of the evaluation: metrics, slices, and the thresholds a model must pass."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from components.settings import Settings

AUTO: Literal["auto"] = "auto"
EVERY = "every"

WhenAbsent = Literal["bless", "refuse"]
WhenNotShown = Literal["point", "refuse", "bless"]
_FUNCTION = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class Threshold(Settings):
    """The bounds of one metric.

    The candidate's value must lie between `min` and `max`. It may be worse than the baseline's by
    `max_loss` at most, in the metric's own units, or by `max_loss_ratio` of the baseline's value.
    Which way is worse is known for each metric.
    """

    min: float | None = None
    max: float | None = None
    max_loss: float | None = pydantic.Field(default=None, ge=0)
    max_loss_ratio: float | None = pydantic.Field(default=None, ge=0)

    @pydantic.model_validator(mode="after")
    def _says_something(self) -> Threshold:
        if not self.model_dump(exclude_none=True):
            raise ValueError("a threshold needs min, max or max_loss")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.max_loss is not None and self.max_loss_ratio is not None:
            raise ValueError("max_loss and max_loss_ratio say the same thing; keep one")
        return self


class CustomMetric(Settings):
    """A metric of one's own: `function` is `package.module:function`.

    It is called with the arrays `labels` [rows], `predictions` [rows], or [rows, classes] of a
    multiclass model, and `weights` [rows], and returns a number. A text is short for it.
    """

    function: str = pydantic.Field(pattern=_FUNCTION)
    higher_is_better: bool = True

    @pydantic.model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {"function": value} if isinstance(value, str) else value


class NotShown(Settings):
    """What happens where the interval holds the bound, so that the rows do not settle it.

    `point`: the value itself decides. `refuse`: the model is refused. `bless`: it is not held
    against the model. `value` is for `min` and `max`, `change` for `max_loss`.
    """

    value: WhenNotShown = "point"
    change: WhenNotShown = "bless"


class BaselineSettings(Settings):
    """The model that the candidate is compared with: the one that `label` points to.

    The others say what happens without one: with `bless` the other thresholds alone decide.
    `when_missing`: no model is live yet. `when_unreadable`: its files are gone or damaged.
    `when_incompatible`: it reads other columns, or predicts something else.
    """

    label: str = pydantic.Field(default="stable", pattern=r"^[A-Za-z0-9_]+$")
    when_missing: WhenAbsent = "bless"
    when_unreadable: WhenAbsent = "bless"
    when_incompatible: WhenAbsent = "bless"


class ConfidenceSettings(Settings):
    """How sure an interval is, and from how many resamplings of the rows it is told."""

    level: float = pydantic.Field(default=0.95, ge=0.5, le=0.9999)
    replicates: int = pydantic.Field(default=200, ge=20, le=5000)


class EvaluationSettings(Settings):
    """What decides whether a model is good enough.

    `slices` lists the columns, or groups of columns, to compute every metric by; with `auto`, each
    small category and boolean. `thresholds` maps a metric to its bounds over all rows,
    `slice_thresholds` does so for slices: by the name of a slice (`payment_type=Cash`), by its
    columns (`payment_type`), or for `every` slice; the first that names the metric holds. Without
    thresholds of one's own, the candidate must beat a constant prediction and lose little against
    the baseline.

    `threshold` is the probability above which a row is positive, `top_k` how many guesses a
    multiclass model has. A slice with fewer than `min_examples` rows is not judged.
    """

    slices: Literal["auto"] | tuple[tuple[str, ...], ...] = AUTO
    metrics: dict[str, CustomMetric] = pydantic.Field(default_factory=dict)
    thresholds: dict[str, Threshold] = pydantic.Field(default_factory=dict)
    slice_thresholds: dict[str, dict[str, Threshold]] = pydantic.Field(default_factory=dict)
    threshold: float = pydantic.Field(default=0.5, gt=0, lt=1)
    top_k: int = pydantic.Field(default=3, ge=2)
    min_examples: int = pydantic.Field(default=50, ge=1)
    not_shown: NotShown = NotShown()
    baseline: BaselineSettings = BaselineSettings()
    confidence: ConfidenceSettings = ConfidenceSettings()
    importance: bool = True

    @pydantic.field_validator("slices", mode="before")
    @classmethod
    def _groups_of_columns(cls, value: Any) -> Any:
        if value == AUTO:
            return value
        if not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is neither auto nor a list of columns")
        groups = [(item,) if isinstance(item, str) else item for item in value]
        for group in groups:
            if not isinstance(group, list | tuple) or not all(isinstance(n, str) for n in group):
                raise ValueError(f"{group!r} is neither a column nor a list of columns")
            if not group:
                raise ValueError("a group without columns is all examples, which is always there")
            if len(set(group)) != len(group):
                raise ValueError(f"a group names a column twice: {', '.join(group)}")
        return tuple(tuple(group) for group in groups)

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The groups of columns; none where `auto` was not worked out yet."""
        return self.slices if isinstance(self.slices, tuple) else ()
