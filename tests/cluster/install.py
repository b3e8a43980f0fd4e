"""Brings what the clusters of the tests are made of into the cache; does nothing the next time.

    python -m tests.cluster.install [flink|spark]

Flink and Spark come from the Python registry, whose packages of them hold all their jars. Beam's
job servers come from Maven. Where its repository leaves out jars of that size, one is put together
from Beam's runner and all that it needs, of the newest version that is whole there.
"""

from __future__ import annotations

import argparse
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
# Of each engine: the folder that its archive becomes, and by the folders in there what they are
# called here.
_PARTS = {
    "flink": ("apache-flink-libraries-*", {"deps/lib": "flink/lib"}),
    "spark": ("pyspark-*", {"deps/jars": "spark/jars", "deps/bin": "spark/bin"}),
}


def main() -> None:
    """Installs what is missing of the engines that the command line names; of all without one."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.install")
    parser.add_argument("engine", nargs="?", choices=tuple(_PARTS), help="both by default")
    engine = parser.parse_args().engine
    for name in _PARTS if engine is None else (engine,):
        print(install(name))


def install(engine: str) -> Path:
    """Installs what is missing of an engine; returns its job server."""
    if not is_installed(engine):
        _unpack(engine)
    return job_server_jar(engine)


def is_installed(engine: str) -> bool:
    """Whether the jars of an engine are there; its job server is not looked for."""
    return all((INSTALLED / target).is_dir() for target in _PARTS[engine][1].values())


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


def _unpack(engine: str) -> None:
    """Downloads an engine's archive, whose hash is pinned, and takes the jars out of it."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    pattern, parts = _PARTS[engine]
    with tempfile.TemporaryDirectory(dir=INSTALLED, prefix=".tmp-") as scratch:
        # pip needs a folder of its own to look into an archive; nothing is installed.
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        how = ["--no-deps", "--no-binary=:all:", "--require-hashes", "--dest", scratch]
        subprocess.run([*pip, *how, "-r", str(_HERE / f"{engine}.txt")], check=True)
        [archive] = Path(scratch).glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(scratch, filter="data")
        [folder] = [path for path in Path(scratch).glob(pattern) if path.is_dir()]
        for source, target in parts.items():
            shutil.rmtree(INSTALLED / target, ignore_errors=True)
            (INSTALLED / target).parent.mkdir(exist_ok=True)
            (folder / source).replace(INSTALLED / target)


if __name__ == "__main__":
    main()
