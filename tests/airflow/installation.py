"""An environment with Airflow, made once from its lock: `python -m tests.airflow`."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import filelock

from pipeline.beam import job_server
from tests.command import PROJECT

LOCK = PROJECT / "docker" / "airflow" / "requirements.lock"


def python() -> Path:
    """The Python that has Airflow; makes its environment at the first call."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(LOCK.read_bytes() + version.encode()).hexdigest()[:16]
    folder = job_server.cache().with_name(f"airflow-{key}")
    found, whole = folder / "bin" / "python", folder / ".whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
        if not whole.is_file():
            uv = [sys.executable, "-m", "uv"]
            subprocess.run(
                [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True
            )
            how = ["--quiet", "--require-hashes", "--compile-bytecode", "--python", found]
            subprocess.run([*uv, "pip", "sync", *how, LOCK], check=True)
            whole.touch()
    return found
