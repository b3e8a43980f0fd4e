"""What `--target` can be: each gives the files to write beside the compiled pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline.compile.bundle import Bundle
from pipeline.resolve import Resolved

# Takes the compiled pipeline and the configuration; returns file names and their texts.
Target = Callable[[Bundle, Resolved], dict[str, str]]


def _nothing(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    return {}


def _airflow(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    from pipeline.compile.airflow import target

    return target.files(bundle, resolved)


def _kubeflow(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    from pipeline.compile.kubeflow import target

    return target.files(bundle, resolved)


def _vertex(bundle: Bundle, resolved: Resolved) -> dict[str, str]:
    from pipeline.compile.vertex import target

    return target.files(bundle, resolved)


TARGETS: Mapping[str, Target] = {
    "ir": _nothing,
    "airflow": _airflow,
    "kubeflow": _kubeflow,
    "vertex": _vertex,
}
