from __future__ import annotations

import subprocess
import sys

import pydantic
import pytest

from components.errors import ConfigError
from components.ingestion.settings import DataSettings, FeatureOverride
from pipeline import config


def test_defaults_read_the_builtin_trips_two_to_one() -> None:
    settings = DataSettings()
    assert settings.path == "builtin:taxi"
    assert (settings.splits.train, settings.splits.eval) == (2, 1)
    assert settings.delimiter == ","


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "\0", "§"])
def test_delimiter_must_be_one_plain_character(delimiter: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="cannot separate fields"):
        DataSettings(delimiter=delimiter)


def test_a_split_without_buckets_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="greater than or equal to 1"):
        DataSettings.model_validate({"splits": {"train": 2, "eval": 0}})


def test_unknown_keys_of_a_feature_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="bukets"):
        FeatureOverride.model_validate({"bukets": 5})


def test_profiling_a_file_loads_no_tensorflow() -> None:
    code = (
        "import sys; from components.ingestion import profile, schema_spec, sources, spec;"
        "from components.ingestion.settings import DataSettings;"
        "found = profile.profile(sources.resolve(DataSettings(path='builtin:penguin')), 'species');"
        "spec.infer_data_spec(found, 'species');"
        "print([name for name in ('tensorflow', 'tfx', 'apache_beam') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("features.a.heigth=5", "features.a.heigth is not a key. Did you mean 'height'?"),
        ("features.a.height=5", "features.a: height and width of an image go together."),
        ("features.a=ignroe", "features.a: input should be 'ignore' (it is 'ignroe')."),
        ("features.a.channels=2", "features.a.channels: input should be 1 or 3 (it is 2)."),
    ],
)
def test_a_wrong_key_of_a_feature_is_one_line(assignment: str, message: str) -> None:
    values = config.override({"name": "x", "label": {"column": "y"}}, [assignment])
    with pytest.raises(ConfigError) as caught:
        config.validate(values, "x.yaml")
    assert str(caught.value) == f"x.yaml: {message}"
