"""Numbers that are given as flags."""

from __future__ import annotations

import argparse


def at_least_one(text: str) -> int:
    """The number in `text`, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1 on")
    return number
