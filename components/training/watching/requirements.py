"""Whether the trackers that a configuration names can be used, found out without importing them."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import Any

from components.errors import ConfigError
from components.training.settings import WatchSettings

# By extra: the tracker's name, and the module to import.
_TRACKERS = {"mlflow": ("MLflow", "mlflow"), "comet": ("Comet", "comet_ml")}

# Read by the trackers; set only where the user has not.
_ENVIRONMENT = {
    # Nothing is sent but to the place that was named.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "COMET_ERROR_TRACKING_ENABLE": "false",
    # Comet would change other libraries to record what they do.
    "COMET_DISABLE_AUTO_LOGGING": "1",
    # Whoever names a folder wants one; MLflow 3 refuses them without this.
    "MLFLOW_ALLOW_FILE_STORE": "true",
    # By default a server that is gone would hold a training up for four minutes at a time.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    # It would write into the display.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def require_trackers(settings: WatchSettings) -> None:
    """Checks what `settings` ask for, so that no run fails for it after minutes.

    Raises:
        ConfigError: a tracker is not installed, or Comet's key is missing.
    """
    for extra, (_, module) in _TRACKERS.items():
        if getattr(settings, extra) is not None and importlib.util.find_spec(module) is None:
            raise _missing(extra, f"no module named {module!r}")
    if settings.comet is not None and settings.comet.offline_folder is None:
        comet_key()


def import_tracker(extra: str) -> Any:
    """The module of the tracker that the extra `mlflow` or `comet` installs.

    Raises:
        ConfigError: it cannot be imported.
    """
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    try:
        return importlib.import_module(_TRACKERS[extra][1])
    except ImportError as error:
        raise _missing(extra, str(error)) from error


def comet_key() -> str:
    """Comet's API key, from the environment variable COMET_API_KEY.

    Raises:
        ConfigError: it is not set.
    """
    key = os.environ.get("COMET_API_KEY", "")
    if not key:
        raise ConfigError(
            "training.watch.comet: the environment variable COMET_API_KEY is not set. Set it to "
            "the API key of your account, or set training.watch.comet.offline_folder."
        )
    return key


def _missing(extra: str, reason: str) -> ConfigError:
    return ConfigError(
        f"training.watch.{extra}: {_TRACKERS[extra][0]} cannot be imported: {reason}. Install it "
        f"with `pip install 'waybill[{extra}]'`, or remove training.watch.{extra}."
    )
