"""MLflow: a run on a server, in a folder, or in a database."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.errors import ConfigError
from components.training.settings import MlflowSettings
from components.training.watching.requirements import import_tracker
from components.training.watching.tracker import Metric, Tracker, recall
from components.training.watching.writer import End, Parameter

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "killed": "KILLED"}
# MLflow refuses more in one request, and longer values of a parameter.
_MOST_PARAMETERS, _MOST_CHARACTERS = 100, 6000


class MlflowBackend:
    """A run of MLflow; see `Backend`."""

    name = "MLflow"

    def __init__(self, settings: MlflowSettings, *, name: str, run: str = "") -> None:
        """Opens the run.

        Args:
            settings: where, and in which experiment.
            name: of a new run.
            run: the run to go on with, if it is still there.

        Raises:
            ConfigError: MLflow is not installed or cannot be reached, or the uri is wrong.
        """
        self._mlflow = import_tracker("mlflow")
        try:
            self._client = self._mlflow.MlflowClient(tracking_uri=settings.uri)
            self.run = self._reopened(run) or self._created(settings, name)
        # MLflow raises all kinds of errors, even bare ones.
        except Exception as error:
            raise ConfigError(
                f"training.watch.mlflow.uri: {_without_password(settings.uri)!r} cannot be used: "
                f"{_reason(error, settings.uri)}. Name a folder, the address of a running MLflow "
                "server, or sqlite:///FILE (which needs `pip install sqlalchemy alembic`)."
            ) from error

    def metrics(self, metrics: Sequence[Metric]) -> None:
        """See `Backend`."""
        make = self._mlflow.entities.Metric
        sent = [make(m.name, m.value, m.time_ms, m.step) for m in metrics]
        self._client.log_batch(self.run, metrics=sent, synchronous=True)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """See `Backend`."""
        with self._mlflow.utils.file_utils.TempDir() as folder:
            path = Path(folder.path(f"{name}.png"))
            path.write_bytes(png)
            self._client.log_artifact(self.run, str(path))

    def text(self, name: str, markdown: str) -> None:
        """See `Backend`."""
        self._client.log_text(self.run, markdown, f"{name}.md")

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """See `Backend`."""
        make = self._mlflow.entities.Param
        sent = [make(name, str(value)[:_MOST_CHARACTERS]) for name, value in values.items()]
        for begin in range(0, len(sent), _MOST_PARAMETERS):
            part = sent[begin : begin + _MOST_PARAMETERS]
            self._client.log_batch(self.run, params=part, synchronous=True)

    def close(self, end: End) -> None:
        """See `Backend`."""
        self._client.set_terminated(self.run, status=_STATUS[end])

    def _reopened(self, run: str) -> str:
        if not run:
            return ""
        try:
            info = self._client.get_run(run).info
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return ""
            raise
        if info.lifecycle_stage != "active":
            return ""
        self._client.update_run(run, status="RUNNING")
        return run

    def _created(self, settings: MlflowSettings, name: str) -> str:
        experiment = self._client.get_experiment_by_name(settings.experiment)
        if experiment is None:
            folder = _artifacts_beside(settings.uri)
            identity = self._client.create_experiment(settings.experiment, folder)
        else:
            identity = experiment.experiment_id
        return str(self._client.create_run(identity, run_name=name).info.run_id)


def open_mlflow(settings: MlflowSettings, *, directory: Path, name: str) -> Tracker:
    """The run of this training: the one that `directory` remembers, or a new one.

    Raises:
        ConfigError: see `MlflowBackend`.
    """
    memory = directory / "mlflow.json"
    earlier = recall(memory)
    backend = MlflowBackend(settings, name=name, run=earlier.run)
    return Tracker(backend, memory, sent=earlier.sent if backend.run == earlier.run else 0)


def _artifacts_beside(uri: str) -> str | None:
    """Beside a database in a file; MLflow's default is the working directory."""
    database = urllib.parse.urlsplit(uri)
    if database.scheme != "sqlite":
        return None
    return (Path(database.path[1:]).absolute().parent / "mlartifacts").as_uri()


def _without_password(uri: str) -> str:
    parts = urllib.parse.urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit(parts._replace(netloc=host)) if host != parts.netloc else uri


def _reason(error: Exception, uri: str) -> str:
    """The first sentence, without a password that the uri holds."""
    text = " ".join(str(error).split()).replace(uri, _without_password(uri))
    return text.partition(". ")[0].rstrip(".")[:300]
