"""The steps of a training whose layers do not all learn from the beginning."""

from __future__ import annotations

from collections.abc import Callable

from components.training.batches import Call
from components.training.learner import Learner, frozen_layers, unfreezes_at
from components.training.loop import Action, AtSteps, Moment
from components.training.settings import TrainingSettings
from components.training.step import RunSteps, Steps


class Phases:
    """Runs steps: first with the layers frozen that `training.model.freeze` names, then with all.

    A frozen layer also does not change what it knows of the data, as batch normalisation would.
    """

    def __init__(
        self,
        learner: Learner,
        settings: TrainingSettings,
        make_steps: Callable[[], RunSteps],
        *,
        start: int,
        total: int,
    ) -> None:
        """Begins after step `start` of `total`; `make_steps` compiles for what learns just then."""
        self._layers = frozen_layers(learner.model, settings)
        self._make_steps = make_steps
        self._until = unfreezes_at(settings, total)
        self._set_frozen(start < self._until)

    def __call__(self, call: Call) -> Steps:
        """Makes the steps of `call`."""
        return self._run_steps(call)

    @property
    def actions(self) -> list[Action]:
        """What the loop must do for this: change at the one step between the phases."""
        return [Action(AtSteps(self._until), self._unfreeze)] if self._layers else []

    def _unfreeze(self, moment: Moment) -> None:
        if not moment.is_last:
            self._set_frozen(False)

    def _set_frozen(self, frozen: bool) -> None:
        for layer in self._layers:
            layer.trainable = not frozen
        self._run_steps = self._make_steps()
