"""Beam's job servers: the Java programs that hand a job to Flink or Spark, one jar each.

A run never downloads one. `python -m pipeline.beam fetch` asks Maven for it, which looks where this
machine's Maven settings say; a jar can as well be put down by hand and named in the configuration.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from components.errors import ConfigError, NodeFailed
from pipeline.beam.settings import FETCHED

# Pinned: what Maven runs decides what it writes.
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"
# A wrong checksum fails and does not only warn; an earlier failure is not remembered.
_MAVEN = (
    "--batch-mode",
    "--quiet",
    "--strict-checksums",
    "--update-snapshots",
    "-Dstyle.color=never",
)
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Artifact:
    """A job server in a Maven repository.

    Attributes:
        engine: `flink` or `spark`.
        id: its artifact id; the group is `org.apache.beam`, the version that of the installed Beam.
    """

    engine: str
    id: str

    @property
    def file_name(self) -> str:
        """The jar's name, with the version."""
        return f"{self.id}-{beam_version()}.jar"

    @property
    def coordinates(self) -> str:
        """What Maven calls it."""
        return f"org.apache.beam:{self.id}:{beam_version()}"


SPARK = Artifact("spark", "beam-runners-spark-3-job-server")


def flink(version: str) -> Artifact:
    """The job server for a version of Flink, such as `1.19`."""
    return Artifact("flink", f"beam-runners-flink-{version}-job-server")


def beam_version() -> str:
    """The version of the installed Beam, which that of the job server has to be."""
    return importlib.metadata.version("apache-beam")


def cache() -> Path:
    """The folder of fetched jars."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "waybill" / "jars"


def find(jar: str, artifact: Artifact) -> Path:
    """The jar that a configuration names.

    Args:
        jar: a path, or `maven`.
        artifact: what is meant by `maven`.

    Raises:
        ConfigError: it is not there, or there is no Java to run it.
    """
    path = cache() / artifact.file_name if jar == FETCHED else Path(jar)
    if not path.is_file():
        hint = f"python -m pipeline.beam fetch {artifact.engine}"
        raise ConfigError(
            f"There is no job server {path}. Fetch it: {hint}; or name a jar of your own as "
            f"beam.{artifact.engine}.job_server_jar."
        )
    if shutil.which("java") is None:
        raise ConfigError(f"{path.name} needs Java 11 or 17, and there is no java on the path.")
    return path


def require_sha256(path: Path, expected: str) -> None:
    """Refuses a file of another content.

    Raises:
        ConfigError: its SHA-256 is not `expected`.
    """
    found = sha256(path)
    if found != expected:
        raise ConfigError(
            f"{path} is not the job server that was pinned: its SHA-256 is {found}, expected "
            f"{expected}. Fetch it again, or correct job_server_sha256."
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fetch(artifact: Artifact, *, expected: str | None = None) -> Path:
    """Has Maven bring a job server into the cache; does nothing if it is there.

    Maven itself compares the file with the repository's checksum.

    Args:
        artifact: which one.
        expected: the SHA-256 that it must have, if that is known.

    Raises:
        ConfigError: there is no Maven, or the jar is another one.
        NodeFailed: Maven could not bring it.
    """
    target = cache() / artifact.file_name
    if not target.is_file():
        if shutil.which("mvn") is None:
            raise ConfigError(
                f"Fetching {artifact.coordinates} needs Maven, and there is no mvn on the path. "
                f"Install it, or download the jar yourself to {target}."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".tmp-") as folder:
            _copy(artifact, folder)
            draft = Path(folder) / artifact.file_name
            if expected is not None:
                require_sha256(draft, expected)
            draft.replace(target)
    elif expected is not None:
        require_sha256(target, expected)
    return target


def _copy(artifact: Artifact, folder: str) -> None:
    """Has Maven write the jar into a folder."""
    goal = [f"{_PLUGIN}:copy", f"-Dartifact={artifact.coordinates}", f"-DoutputDirectory={folder}"]
    done = subprocess.run(
        ["mvn", *_MAVEN, *goal],
        cwd=folder,  # another folder may hold a project of Maven's, and would be read
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not (Path(folder) / artifact.file_name).is_file():
        lines = [line for line in done.stdout.splitlines() if "ERROR" in line]
        # Maven colours the lines before it has read that it should not.
        said = lines[0].partition("[ERROR]")[2].partition(" -> ")[0] if lines else done.stderr
        reason = said.strip().removesuffix(".") or "it says nothing"
        raise NodeFailed(
            f"Maven could not bring {artifact.coordinates}: {reason}. "
            f"Check your Maven settings, or put the jar at {cache() / artifact.file_name}."
        )
