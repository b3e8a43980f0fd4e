from __future__ import annotations

import subprocess
import sys

import pydantic
import pytest

from components.ingestion.settings import DataSettings, FeatureOverride


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
