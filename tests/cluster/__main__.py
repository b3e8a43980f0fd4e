"""Keeps a cluster up on this machine, to try a run on it: `python -m tests.cluster flink|spark`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.cluster import flink, install, spark

_CLUSTERS = {"flink": flink.cluster, "spark": spark.cluster}


def main() -> int:
    """Starts the cluster, says how to use it, and stops it at Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("engine", choices=tuple(_CLUSTERS))
    engine = parser.parse_args().engine
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        jar = install.install(engine)
        with (
            tempfile.TemporaryDirectory(prefix=f"{engine}-") as folder,
            _CLUSTERS[engine](install.INSTALLED, Path(folder)) as found,
        ):
            flags = [
                f"beam.runner={engine}",
                f"beam.{engine}.master={found.master}",
                f"beam.{engine}.job_server_jar={jar}",
            ]
            words = " ".join(f"--set {flag}" for flag in flags)
            print(
                f"\npython -m pipeline.run_local {words}\n\nCtrl-C stops the cluster.", flush=True
            )
            signal.pause()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
