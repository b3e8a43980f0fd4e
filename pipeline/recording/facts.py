"""What is known of a run before its first node: what was asked, with which code, on which machine.

Imports nothing of the stack.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pipeline import __version__
from pipeline.recording import names
from pipeline.recording.redaction import redact, redact_command

_GIT_TIMEOUT_S = 2.0
_INFO = ".dist-info"
# As ssh takes it: user@host:path.
_SHORT_URL = re.compile(r"(?:[^@/\s]+@)?(?P<host>[^:/\s]+):(?P<path>[^/\s].*|/[^/\s].*)")


def run_facts(
    config: Mapping[str, Any], *, seed: int, folder: Path, argv: Sequence[str] | None = None
) -> dict[str, str | int]:
    """The properties of a run, by the names of `pipeline.recording.names`.

    Args:
        config: the configuration as JSON values.
        seed: of the training.
        folder: where the user works; its commit is the run's.
        argv: the command line; by default this process's.
    """
    shown = json.dumps(redact(config), sort_keys=True)
    commit = git_commit(folder)
    url = git_url(folder) if commit else ""
    return {
        names.CONFIG: shown,
        names.CONFIG_HASH: config_hash(config),
        names.SEED: seed,
        names.LIBRARIES: json.dumps(installed(), sort_keys=True),
        names.PYTHON: platform.python_version(),
        names.HOST: socket.gethostname(),
        names.COMMAND: shlex.join(redact_command(sys.orig_argv if argv is None else argv)),
        names.VERSION: __version__,
        **({names.GIT: commit} if commit else {}),
        **({names.GIT_URL: url} if url else {}),
    }


def config_hash(config: Mapping[str, Any]) -> str:
    """SHA-256 of a configuration as JSON, without its secrets, as hex."""
    return hashlib.sha256(json.dumps(redact(config), sort_keys=True).encode()).hexdigest()


def git_commit(folder: Path) -> str:
    """The commit that `folder` is at, with `-dirty` where tracked files differ from it.

    Empty where there is no repository, no git, or no answer in two seconds.
    """
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def git_url(folder: Path) -> str:
    """Where the repository's `origin` is, without a user or a password; empty if it has none."""
    url = _git(folder, "config", "--get", "remote.origin.url")
    short = _SHORT_URL.fullmatch(url)
    if short is not None:
        return f"ssh://{short['host']}/{short['path'].lstrip('/')}"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    if not parts.scheme or not parts.hostname:
        return ""
    return urlunsplit((parts.scheme, parts.hostname + port, parts.path, "", ""))


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where it does not succeed."""
    # Nothing that the repository's configuration names is started, and nothing is written.
    command = ["git", "-c", "core.fsmonitor=false", "--no-optional-locks", "-C", str(folder)]
    try:
        done = subprocess.run(
            [*command, *arguments],
            capture_output=True,
            timeout=_GIT_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""


def installed() -> dict[str, str]:
    """Each installed package's version, read from the names of the folders that describe them.

    Asking `importlib.metadata` for all of them takes half a second.
    """
    found: dict[str, str] = {}
    for entry in sys.path:
        folder = Path(entry or ".")
        if not folder.is_dir():
            continue
        for info in folder.glob(f"*-*{_INFO}"):
            name, _, version = info.name.removesuffix(_INFO).partition("-")
            found.setdefault(name.lower().replace("_", "-"), version)
    return found
