from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.errors import ConfigError
from components.ingestion.digits import digits_folder
from components.ingestion.profile import profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import resolve
from components.ingestion.spec import infer_data_spec


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_digits_are_pictures_of_scikit_learns_values(cache: Path) -> None:
    from sklearn import datasets

    source = resolve(DataSettings(path="builtin:digits"))
    assert source.base_dir.is_relative_to(cache)
    assert len(source.files) == 1797
    images = datasets.load_digits().images
    for index in (0, 5, 1796):
        [file] = source.base_dir.glob(f"*/{index:04d}.png")
        np.testing.assert_allclose(np.asarray(Image.open(file)) / 255 * 16, images[index], atol=0.1)
    found = profile(source, "label")
    [feature] = infer_data_spec(found, "label").spec.features
    assert (feature.height, feature.width, feature.channels) == (8, 8, 1)


def test_the_folder_is_made_once_and_never_seen_half(cache: Path) -> None:
    # Killed while it writes, the first process leaves no folder of that name.
    killed = (
        "import os; from components.ingestion import digits; from pathlib import Path\n"
        "write = Path.write_bytes\n"
        "Path.write_bytes = lambda p, b: os._exit(9) if p.name > '0100' else write(p, b)\n"
        "digits.digits_folder()"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 9
    assert list(cache.rglob("*.png"))
    assert not [path for path in (cache / "waybill").iterdir() if path.name[0] != "."]
    folder = digits_folder()
    (folder / "mark").touch()
    assert digits_folder() == folder
    assert (folder / "mark").exists(), "the second call must not write again"


def test_a_cache_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match=r"builtin:digits cannot be written.*XDG_CACHE_HOME"):
        digits_folder()


def test_a_relative_cache_folder_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert digits_folder().is_relative_to(tmp_path / ".cache" / "waybill")
