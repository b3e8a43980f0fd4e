"""Comet: an experiment of its service, or an archive on this machine to be uploaded later.

Each process of an offline training writes an archive that is complete up to its end, for the one of
a killed process is lost; so of several archives of one training the newest is to be uploaded.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.errors import ConfigError
from components.training.settings import CometSettings
from components.training.watching.requirements import comet_key, import_tracker
from components.training.watching.tracker import Metric, Tracker, recall
from components.training.watching.writer import End, Parameter

# Comet would otherwise collect what was not asked for: code, git, environment, host, output.
_NOTHING_ELSE = {
    "auto_log_co2": False,
    "auto_metric_logging": False,
    "auto_output_logging": False,
    "auto_param_logging": False,
    "display_summary_level": 0,
    "log_code": False,
    "log_env_cpu": False,
    "log_env_details": False,
    "log_env_disk": False,
    "log_env_gpu": False,
    "log_env_host": False,
    "log_git_metadata": False,
    "log_git_patch": False,
    "log_graph": False,
    "parse_args": False,
}


class CometBackend:
    """An experiment of Comet; see `Backend`."""

    name = "Comet"

    def __init__(self, settings: CometSettings, *, name: str, run: str = "") -> None:
        """Opens the experiment.

        Args:
            settings: in which project, and whether on this machine.
            name: of a new experiment.
            run: the key of the experiment to go on with.

        Raises:
            ConfigError: Comet is not installed or cannot be reached, or there is no valid key.
        """
        key = "" if settings.offline_folder else comet_key()
        comet = import_tracker("comet")
        self.run = run or uuid.uuid4().hex
        try:
            self._experiment = self._open(comet, settings, key, is_new=not run)
        except ValueError as error:
            raise _refused(str(error).replace(key or "\n", "…")) from None
        if not self._experiment.alive:
            raise _refused("it cannot be reached, or it refused the key (the log says which)")
        self._experiment.set_name(name)

    def _open(self, comet: Any, settings: CometSettings, key: str, *, is_new: bool) -> Any:
        same = {"project_name": settings.project, "experiment_key": self.run, **_NOTHING_ELSE}
        if settings.offline_folder:
            return comet.OfflineExperiment(offline_directory=settings.offline_folder, **same)
        kind = comet.Experiment if is_new else comet.ExistingExperiment
        return kind(api_key=key, **same)

    def metrics(self, metrics: Sequence[Metric]) -> None:
        """See `Backend`."""
        for metric in metrics:
            self._experiment.log_metric(metric.name, metric.value, step=metric.step)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """See `Backend`."""
        self._experiment.log_image(io.BytesIO(png), name=f"{name}.png", step=step)

    def text(self, name: str, markdown: str) -> None:
        """See `Backend`."""
        self._experiment.log_asset_data(markdown, name=f"{name}.md")

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """See `Backend`."""
        self._experiment.log_parameters(dict(values))

    def close(self, end: End) -> None:
        """See `Backend`."""
        self._experiment.log_other("end", end)
        self._experiment.end()


def open_comet(settings: CometSettings, *, directory: Path, name: str) -> Tracker:
    """The experiment of this training: the one that `directory` remembers, or a new one.

    Raises:
        ConfigError: see `CometBackend`.
    """
    memory = directory / "comet.json"
    if settings.offline_folder:
        return Tracker(CometBackend(settings, name=name), memory)
    earlier = recall(memory)
    backend = CometBackend(settings, name=name, run=earlier.run)
    return Tracker(backend, memory, sent=earlier.sent)


def _refused(reason: str) -> ConfigError:
    return ConfigError(
        f"training.watch.comet: Comet cannot be used: {reason}. Check the network and "
        "COMET_API_KEY, or set training.watch.comet.offline_folder."
    )
