"""What the tests share. A fixture of the session is imported here only.

In every other module that imported it, it would be another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command import PROJECT, Command, Result, call
from tests.contract.databases import mariadb_server, postgresql_server  # noqa: F401
from tests.e2e.lineage_runs import lineage_runs  # noqa: F401

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; skips where there is none.

    It ends with its module: Playwright keeps an event loop, beside which no other runs.
    """
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if executable is None:
        pytest.skip("no Chromium is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="session")
def run_local() -> Command:
    """Runs `python -m pipeline.run_local --root ROOT FLAGS…` to its end."""

    def run(root: Path, *flags: str, project: Path = PROJECT) -> Result:
        process = call(root, *flags, project=project)
        stdout, stderr = process.communicate(timeout=900)
        return Result(process.returncode, stdout, stderr, root)

    return run


@pytest.fixture(scope="session")
def taxi_run(run_local: Command, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One cold run on the built-in data; the tests that share it must not change its root."""
    result = run_local(tmp_path_factory.mktemp("taxi") / "root")
    assert result.exit_code == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="session")
def small_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that trains in a moment: 569 rows of scikit-learn's breast cancer data."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer(as_frame=True)
    frame = data.frame.iloc[:, [0, 1, 2, 3, -1]].assign(
        target=data.frame["target"].map({0: "malignant", 1: "benign"})
    )
    path = tmp_path_factory.mktemp("table") / "tumors.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """A copy of our packages, to be edited."""
    copy = tmp_path / "project"
    for package in ("components", "pipeline", "schemas", "serving"):
        shutil.copytree(
            PROJECT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for module in PROJECT.glob("farmhash.py"):
        shutil.copy(module, copy)
    return copy
