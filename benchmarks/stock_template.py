"""The stock TFX taxi template with all components enabled, side by side with our pipeline.

Both train 1000 steps of 40 rows on the template's table, in one process and one environment.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import PROJECT, BenchmarkError, Sample, environment, measure
from benchmarks.ours import Ours

# The template's names for what we call otherwise.
SAME_NODE = {
    "CsvExampleGen": "ExampleGen",
    "latest_blessed_model_resolver": "BaselineResolver",
}
_DISABLED = re.compile(r"^(\s*)# (components\.append)", re.MULTILINE)


class Stock:
    """The taxi template as `tfx template copy` makes it, its `components.append` lines enabled."""

    def __init__(self, scratch: Path) -> None:
        """Copies the template.

        Args:
            scratch: an existing, empty directory to work in.

        Raises:
            BenchmarkError: the `tfx` command failed.
        """
        self._scratch = scratch
        self._template = scratch / "template"
        # Not the project itself: it has a package `pipeline` as the template has.
        shim = scratch / "modules"
        shim.mkdir()
        shutil.copy(PROJECT / "farmhash.py", shim)
        self._env = environment() | {"PYTHONPATH": str(shim)}
        tfx = Path(sys.executable).with_name("tfx")
        target = f"--destination_path={self._template}"
        copied = subprocess.run(
            [str(tfx), "template", "copy", "--model=taxi", "--pipeline_name=stock", target],
            env=self._env,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if copied.returncode != 0:
            raise BenchmarkError(f"tfx template copy failed:\n{copied.stdout}{copied.stderr}")
        definition = self._template / "pipeline" / "pipeline.py"
        definition.write_text(_DISABLED.sub(r"\1\2", definition.read_text()))

    @property
    def table(self) -> Path:
        """The CSV file that comes with the template: 15,002 taxi trips."""
        return self._template / "data" / "data.csv"

    def run(self, table: Path | None = None) -> Sample:
        """Measures a run in a directory of its own, which is removed again.

        Args:
            table: a CSV file to use instead of the template's.
        """
        place, seconds = self._scratch / "run", self._scratch / "seconds.json"
        shutil.copytree(self._template, place)
        if table is not None:
            shutil.copy(table, place / "data" / "data.csv")
        driver = PROJECT / "benchmarks" / "stock_driver.py"
        command = [sys.executable, str(driver), str(seconds)]
        sample = measure(command, cwd=place, log=self._scratch / "stock.log", env=self._env)
        shutil.rmtree(place)
        nodes = {SAME_NODE.get(k, k): v for k, v in json.loads(seconds.read_text()).items()}
        return dataclasses.replace(sample, nodes=nodes)


@dataclass(frozen=True)
class Comparison:
    """The samples of one comparison, in the order they were taken."""

    stock: list[Sample]
    cold: list[Sample]
    again: list[Sample]


def compare(scratch: Path, *, num_runs: int, say: Callable[[str], None]) -> Comparison:
    """Measures both, alternating, so that what else the machine does falls on both.

    Args:
        scratch: an existing, empty directory to work in.
        num_runs: how often each is measured.
        say: called before each measurement with what is measured.

    Raises:
        BenchmarkError: one of them failed.
    """
    (scratch / "stock").mkdir()
    stock = Stock(scratch / "stock")
    result = Comparison([], [], [])
    for index in range(1, num_runs + 1):
        ours = Ours(scratch / f"ours-{index}")
        for name, run, samples in (
            ("stock template", stock.run, result.stock),
            ("ours, cold", ours.run, result.cold),
            ("ours, nothing changed", ours.run, result.again),
        ):
            say(f"{name}, run {index} of {num_runs}")
            samples.append(run())
    return result
