"""A configuration is right, or is refused in one line that says what to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ConfigError
from pipeline import config as configuration
from pipeline.beam import flags

LABELLED = {"name": "mine", "label": {"column": "y"}}


def refusal(values: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as refused:
        configuration.validate(values, "mine.yaml")
    return str(refused.value)


def test_every_built_in_configuration_is_valid() -> None:
    for file in configuration.CONFIG_DIR.glob("*.yaml"):
        config = configuration.validate(configuration.read(file), file.name)
        assert config.name == file.stem


def test_paths_in_a_file_are_relative_to_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\nlabel: {column: y}\ndata: {path: rows.csv}\n")
    assert configuration.read(file)["data"]["path"] == str(tmp_path / "rows.csv")


def test_built_in_data_is_not_a_path(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("name: mine\ndata: {path: 'builtin:taxi'}\n")
    assert configuration.read(file)["data"]["path"] == "builtin:taxi"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({**LABELLED, "trainng": {}}, "mine.yaml: trainng is not a key. Did you mean 'training'?"),
        (
            {**LABELLED, "training": {"bach_size": 1}},
            "training.bach_size is not a key. Did you mean 'batch_size'?",
        ),
        ({**LABELLED, "training": {"steps": "many"}}, "training.steps: "),
        ({**LABELLED, "training": {"steps": 0}}, "(it is 0)"),
        ({**LABELLED, "name": "Bad Name"}, "name: "),
        ({"name": "mine"}, "label is missing."),
        ({**LABELLED, "evaluation": {"thresholds": {"auc": {}}}}, "min, max or max_loss"),
        ({"name": "mine", "label": {"column": "y", "ratio_to": "x"}}, "ratio_to and above"),
        ({**LABELLED, "data": {"delimiter": "||"}}, "data.delimiter: "),
        ({**LABELLED, "beam": {"num_workers": -1}}, "(it is -1)"),
    ],
)
def test_wrong_configuration_is_named_with_its_fix(values: dict[str, object], says: str) -> None:
    message = refusal(values)
    assert says in message
    assert "\n" not in message


def test_every_wrong_key_is_reported_at_once() -> None:
    assert len(refusal({**LABELLED, "a": 1, "b": 2}).splitlines()) == 2


def test_set_changes_a_nested_key_and_reads_its_value_as_yaml() -> None:
    values = configuration.override(
        LABELLED, ["training.steps=5", "evaluation.slices=[[a], [a, b]]"]
    )
    config = configuration.validate(values, "flags")
    assert config.training.steps == 5
    assert config.evaluation.slices == (("a",), ("a", "b"))


def test_set_leaves_the_original_values_alone() -> None:
    values = {**LABELLED, "training": {"steps": 1}}
    configuration.override(values, ["training.steps=2"])
    assert values["training"] == {"steps": 1}


@pytest.mark.parametrize("assignment", ["training.steps", "=3", "a.b=[1"])
def test_malformed_set_is_refused(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        configuration.override(LABELLED, [assignment])


def test_unknown_built_in_name_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'taxi'"):
        configuration.find("taxy")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        configuration.find(str(tmp_path / "nowhere.yaml"))


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1\n", "!!python/object:os.system x\n"])
def test_file_that_is_no_plain_mapping_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        configuration.read(file)


def test_the_beam_runner_is_always_named() -> None:
    settings = configuration.BeamSettings()
    assert any(arg.startswith("--runner=") for arg in flags.pipeline_args(settings))


def test_a_runner_of_ones_own_replaces_the_local_one() -> None:
    settings = configuration.BeamSettings(args=("--runner=FlinkRunner", "--flink_master=here:1"))
    assert flags.pipeline_args(settings) == ["--runner=FlinkRunner", "--flink_master=here:1"]
