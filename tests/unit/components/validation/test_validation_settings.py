"""Rules are named exactly, and what is not said keeps its default."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from components.errors import ConfigError
from components.validation.rules import RULES
from components.validation.settings import ValidationSettings
from pipeline.config import override, validate


def config(**validation: Any) -> Any:
    values = {"name": "mine", "data": {"path": "x.csv"}, "label": {"column": "y"}}
    return validate({**values, "validation": validation}, "mine.yaml").validation


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        ({"rules": {"out_of_domian": "warn"}}, "Did you mean 'out_of_domain'"),
        ({"features": {"city": {"new_colum": "warn"}}}, "Did you mean 'new_column'"),
        ({"rules": {"new_column": {"above": 0.1}}}, "the rule new_column has no share"),
        ({"rules": {"nan": {"below": 3}}}, "the rule nan has no number of rows"),
        ({"rules": {"nan": {"above": 1.5}}}, "less than 1"),
        ({"rules": {"nan": {"policy": "warm"}}}, "'error', 'warn' or 'ignore'"),
        ({"features": {"city": {"duplicate_rows": "warn"}}}, "set it under validation.rules"),
        ({"skew": {}}, "name them in serving_log"),
        ({"drift": {"features": {"city": 2}}}, "above 0 and at most 1, or ignore"),
        ({"min_rows": 5}, "validation.min_rows is not a key"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_place(validation: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=r"mine\.yaml: validation") as refused:
        config(**validation)
    assert says in str(refused.value)


def test_what_is_not_said_keeps_its_default() -> None:
    applied = config(rules={"out_of_domain": {"above": 0.2}}).applied("out_of_domain", "city")
    assert (applied.policy, applied.above) == ("error", 0.2)
    assert config(rules={"nan": "warn"}).applied("nan").above == RULES["nan"].above


def test_a_column_overrides_a_rule_key_by_key() -> None:
    settings = config(
        rules={"nan": {"policy": "warn", "above": 0.5}}, features={"city": {"nan": {"above": 0.1}}}
    )
    assert settings.applied("nan", "city").policy == "warn"
    assert settings.applied("nan", "city").above == 0.1
    assert settings.applied("nan", "other").above == 0.5


@pytest.mark.parametrize(
    ("share", "acts"), [(0.02, "error"), (0.01, "warn"), (0.0, "warn"), (None, "error")]
)
def test_at_or_below_its_share_a_rule_is_one_step_milder(share: float | None, acts: str) -> None:
    assert ValidationSettings().applied("out_of_domain").act(share) == acts


def test_a_rule_can_be_set_on_the_command_line() -> None:
    values = override({"validation": {}}, ["validation.features.city.out_of_domain=warn"])
    assert config(**values["validation"]).applied("out_of_domain", "city").policy == "warn"


def test_settings_survive_the_way_into_the_node() -> None:
    settings = config(rules={"nan": {"above": 0.3}}, drift={"features": {"city": "ignore"}})
    assert ValidationSettings.model_validate_json(settings.model_dump_json()) == settings


def test_an_unknown_key_of_a_rule_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError):
        ValidationSettings(rules={"nan": {"over": 0.3}})  # type: ignore[dict-item]
