"""Brings what the clusters of the tests are made of into the cache; does nothing the next time.

    python -m tests.cluster.install

Flink and Spark come from the Python registry, whose packages of them hold all their jars. Beam's
job servers come from Maven. Where its repository leaves out jars of that size, one is put together
from Beam's runner and all that it needs, of the newest version that is whole there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from components.errors import WaybillError
from pipeline.beam import job_server

INSTALLED = job_server.cache().with_name("clusters")
_HERE = Path(__file__).parent
# From the archive of each package: its name, the folder in it, and what it is called here.
_PARTS = (
    ("apache-flink-libraries", "deps/lib", "flink/lib"),
    ("pyspark", "deps/jars", "spark/jars"),
    ("pyspark", "deps/bin", "spark/bin"),
)


def main() -> None:
    """Installs what is missing."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    if not all((INSTALLED / target).is_dir() for _, _, target in _PARTS):
        _unpack()
    for engine in ("flink", "spark"):
        print(job_server_jar(engine))


def job_server_jar(engine: str) -> Path:
    """Beam's job server for `flink` or `spark`, brought or put together at the first call."""
    artifact = job_server.flink("1.19") if engine == "flink" else job_server.SPARK
    made = INSTALLED / "job_servers" / f"{engine}.jar"
    if made.is_file():
        return made
    try:
        return job_server.fetch(artifact)
    except WaybillError as error:
        print(f"{error}\nPutting a job server for {engine} together.", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=INSTALLED, prefix=".tmp-") as scratch:
        shutil.copy(_HERE / "job_server.xml", Path(scratch, "pom.xml"))
        maven = ["mvn", "--batch-mode", "--quiet", "--strict-checksums"]
        subprocess.run([*maven, f"-P{engine}", "package"], cwd=scratch, check=True)
        made.parent.mkdir(exist_ok=True)
        Path(scratch, "target", "job-server.jar").replace(made)
    return made


def _unpack() -> None:
    """Downloads the archives, whose hashes are pinned, and takes the jars out of them."""
    with tempfile.TemporaryDirectory(dir=INSTALLED, prefix=".tmp-") as scratch:
        # pip needs a folder of its own to look into an archive; nothing is installed.
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        how = ["--no-deps", "--no-binary=:all:", "--require-hashes", "--dest", scratch]
        subprocess.run([*pip, *how, "-r", str(_HERE / "requirements.txt")], check=True)
        for archive in Path(scratch).glob("*.tar.gz"):
            with tarfile.open(archive) as opened:
                opened.extractall(scratch, filter="data")
        for name, source, target in _PARTS:
            [folder] = [path for path in Path(scratch).glob(f"{name}-*") if path.is_dir()]
            shutil.rmtree(INSTALLED / target, ignore_errors=True)
            (INSTALLED / target).parent.mkdir(exist_ok=True)
            (folder / source).replace(INSTALLED / target)


if __name__ == "__main__":
    main()
