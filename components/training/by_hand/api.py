"""Trains from what Transform left: for notebooks, and to find out why something does not train.

    from components.training.by_hand import api as by_hand

    inputs = by_hand.find_inputs("output")
    settings = by_hand.make_settings(steps=500, optimizer={"learning_rate": 0.01})
    trained = by_hand.train(inputs, settings)
    trained.history.evaluations[-1].metrics

The command `python -m components.training` does the same.
"""

from components.training.by_hand.inputs import Inputs, find_inputs, read_inputs
from components.training.by_hand.overfit import Overfit, overfit_one_batch
from components.training.by_hand.profile import Profile, profile
from components.training.by_hand.run import train, write_output
from components.training.by_hand.settings import make_settings, read_settings

__all__ = [
    "Inputs",
    "Overfit",
    "Profile",
    "find_inputs",
    "make_settings",
    "overfit_one_batch",
    "profile",
    "read_inputs",
    "read_settings",
    "train",
    "write_output",
]
