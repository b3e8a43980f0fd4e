"""Settings of the search for good settings."""

from __future__ import annotations

from typing import Any, Literal

import pydantic

from components.settings import Settings

Number = int | float


class Dimension(Settings):
    """The values of one setting: `values` lists them, or they lie from `min` to `max`.

    A range of whole numbers needs a setting of whole numbers. With `step` it is every `step`-th
    number (with `log` sampling: each is `step` times the one before). `log` draws every order of
    magnitude equally often, which is what a learning rate needs.
    """

    values: tuple[Any, ...] | None = None
    min: Number | None = None
    max: Number | None = None
    step: Number | None = pydantic.Field(default=None, gt=0)
    sampling: Literal["linear", "log"] = "linear"

    @pydantic.model_validator(mode="after")
    def _is_a_list_or_a_range(self) -> Dimension:
        if self.values is not None:
            if (self.min, self.max, self.step) != (None, None, None):
                raise ValueError("values are listed, or lie from min to max; not both")
            if not self.values:
                raise ValueError("values lists nothing")
            if any(value in self.values[:place] for place, value in enumerate(self.values)):
                raise ValueError("values names one of them twice")
            return self
        if self.min is None or self.max is None:
            raise ValueError("give values, or min and max")
        if not self.min < self.max:
            raise ValueError(f"min ({self.min}) must be below max ({self.max})")
        if self.sampling == "log" and self.min <= 0:
            raise ValueError(f"log sampling needs min above 0 (it is {self.min})")
        if self.sampling == "log" and self.step is not None and self.step <= 1:
            raise ValueError(f"with log sampling a step multiplies; {self.step} is not above 1")
        return self


class TuningSettings(Settings):
    """How to search for settings of the training, before it; the best ones train the model.

    `space` maps settings by their full names (`training.optimizer.learning_rate`) to the values to
    try. Each trial is a training with some of them; `objective` is a metric on the eval split.

    `random` draws values, `bayesian` draws a few and then proposes what promises most (a Gaussian
    process over the trials so far), `grid` tries all combinations of listed values. `hyperband`
    begins with many trials of few steps and gives more to the best of them only: each of `rungs`
    rungs takes `factor` times the steps of the one below, the last all of them; a trial on a higher
    rung goes on where it stopped on the lower one (Li et al. 2018).

    `max_trials` is 10 for `random` and `bayesian`, all of them for the others. A trial trains as
    long as the training does, or `steps`. `parallel` trials run at once, each in a process of its
    own.
    """

    oracle: Literal["random", "bayesian", "hyperband", "grid"] = "random"
    objective: str = "loss"
    max_trials: int | None = pydantic.Field(default=None, ge=1, le=10_000)
    steps: int | None = pydantic.Field(default=None, ge=1)
    parallel: int = pydantic.Field(default=1, ge=1, le=64)
    seed: int = pydantic.Field(default=0, ge=0, lt=2**31 - 1)
    rungs: int = pydantic.Field(default=3, ge=2, le=8)
    factor: int = pydantic.Field(default=3, ge=2, le=10)
    space: dict[str, Dimension] = pydantic.Field(min_length=1)

    @pydantic.model_validator(mode="after")
    def _a_grid_is_finite(self) -> TuningSettings:
        if self.oracle == "grid":
            for name, found in self.space.items():
                if found.values is None and found.step is None:
                    raise ValueError(f"oracle grid needs a step, or values, for {name}")
        return self
