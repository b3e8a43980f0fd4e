"""What `--target` can be: each gives the files to write beside the compiled pipeline."""

from __future__ import annotations

from typing import Protocol

from pipeline.compile.bundle import Bundle
from pipeline.resolve import Resolved

TARGETS = ("ir", "airflow", "kubeflow", "vertex")


class Target(Protocol):
    """An orchestrator; a module of its package is one."""

    def check(self, resolved: Resolved) -> None:
        """Raises ConfigError for settings that it cannot run, before anything is compiled."""

    def files(self, bundle: Bundle, resolved: Resolved) -> dict[str, str]:
        """File names in the folder of the compiled pipeline, and their texts.

        Args:
            bundle: the compiled pipeline.
            resolved: its configuration.

        Raises:
            ConfigError: the compiled pipeline is nothing that it takes.
        """
        ...


class _Nothing:
    """For whoever starts the tasks in another way."""

    def check(self, resolved: Resolved) -> None:
        pass

    def files(self, bundle: Bundle, resolved: Resolved) -> dict[str, str]:
        return {}


def target(name: str) -> Target:
    """The target of this name.

    Args:
        name: of `TARGETS`.
    """
    match name:
        case "airflow":
            from pipeline.compile.airflow import target as airflow

            return airflow
        case "kubeflow":
            from pipeline.compile.kubeflow import target as kubeflow

            return kubeflow
        case "vertex":
            from pipeline.compile.vertex import target as vertex

            return vertex
        case _:
            return _Nothing()
