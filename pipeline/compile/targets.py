"""What `--target` can be: each gives the files to write beside the compiled pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.compile.bundle import Bundle
from pipeline.resolve import Resolved

# Takes the compiled pipeline and the configuration; returns file names and their texts.
Target = Callable[[Bundle, Resolved], dict[str, str]]


def _nothing(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    return {}


TARGETS: Mapping[str, Target] = {"ir": _nothing}
