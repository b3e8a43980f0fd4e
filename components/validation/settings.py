"""Settings of validation: where the schema is, and what the gate does about each broken rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pydantic

from components.errors import nearest
from components.settings import Settings
from components.validation.rules import RULES, Policy

Threshold = float | Literal["ignore"]

_MILDER: dict[Policy, Policy] = {"error": "warn", "warn": "ignore", "ignore": "ignore"}


class RuleSettings(Settings):
    """What the configuration says about one rule; what it leaves out keeps its default.

    `policy` stops the run (`error`), tells (`warn`) or drops (`ignore`). With `above`, a share of
    the rows, it acts only above that share; at or below it, the next milder policy does. `below`
    is a number of rows, for `too_few_rows`.
    """

    policy: Policy | None = None
    above: float | None = pydantic.Field(default=None, ge=0, lt=1)
    below: int | None = pydantic.Field(default=None, ge=1)


RuleSetting = Policy | RuleSettings


class Comparison(Settings):
    """How far values may be from those they are compared with.

    `categorical` bounds the L-infinity distance of text columns: the largest change of one value's
    share. `numeric` bounds the Jensen-Shannon divergence of the others' histograms, 0 to 1.
    `features` has a bound of its own for a column, or `ignore`.
    """

    categorical: float = pydantic.Field(default=0.1, gt=0, le=1)
    numeric: float = pydantic.Field(default=0.1, gt=0, le=1)
    features: dict[str, Threshold] = pydantic.Field(default_factory=dict)

    @pydantic.field_validator("features")
    @classmethod
    def _are_shares(cls, value: dict[str, Threshold]) -> dict[str, Threshold]:
        for name, bound in value.items():
            if bound != "ignore" and not 0 < bound <= 1:
                raise ValueError(f"the bound of {name!r} must be above 0 and at most 1, or ignore")
        return value


@dataclass(frozen=True)
class Applied:
    """The settings of one rule for one column, complete."""

    policy: Policy
    above: float | None
    below: int | None

    def act(self, share: float | None) -> Policy:
        """What to do about a finding.

        Args:
            share: the share of the rows that break the rule; None where it is unknown.
        """
        if self.above is None or share is None or share > self.above:
            return self.policy
        return _MILDER[self.policy]


class ValidationSettings(Settings):
    """Where the schema is, and what the gate does.

    `schema_path` names a curated schema.pbtxt; without one the schema is inferred from the data.
    `rules` says what to do about each rule, `features` the same for one column. `drift` compares
    the data with the last accepted data, `skew` with the requests in `serving_log`, a folder of
    TFRecord files of tf.Example or of JSON lines; a comparator in the schema turns them on as
    well. The gate looks at the first `look_rows` rows of each split for what statistics cannot
    tell: which values, repeated rows, leakage.
    """

    schema_path: str | None = None
    rules: dict[str, RuleSetting] = pydantic.Field(default_factory=dict)
    features: dict[str, dict[str, RuleSetting]] = pydantic.Field(default_factory=dict)
    drift: Comparison | None = None
    skew: Comparison | None = None
    serving_log: str | None = None
    look_rows: int = pydantic.Field(default=200_000, ge=1)

    @pydantic.field_validator("rules")
    @classmethod
    def _rules_are_known(cls, value: dict[str, RuleSetting]) -> dict[str, RuleSetting]:
        _check(value)
        return value

    @pydantic.field_validator("features")
    @classmethod
    def _rules_of_features_are_known(
        cls, value: dict[str, dict[str, RuleSetting]]
    ) -> dict[str, dict[str, RuleSetting]]:
        for column, rules in value.items():
            _check(rules)
            for name in rules:
                if RULES[name].scope == "data":
                    raise ValueError(
                        f"the rule {name} judges the data as a whole, not the column {column!r}: "
                        f"set it under validation.rules"
                    )
        return value

    @pydantic.model_validator(mode="after")
    def _skew_has_a_log(self) -> ValidationSettings:
        if self.skew is not None and self.serving_log is None:
            raise ValueError("skew compares with logged requests: name them in serving_log")
        return self

    def applied(self, rule: str, column: str = "") -> Applied:
        """What is to be done about a rule: the column's setting, else the rule's, else the default.

        Args:
            rule: one of `RULES`.
            column: the column, or empty for the data as a whole.
        """
        policy, above, below = RULES[rule].policy, RULES[rule].above, RULES[rule].below
        for setting in (self.rules.get(rule), self.features.get(column, {}).get(rule)):
            if isinstance(setting, RuleSettings):
                policy = setting.policy or policy
                above = above if setting.above is None else setting.above
                below = below if setting.below is None else setting.below
            elif setting is not None:
                policy = setting
        return Applied(policy, above, below)


def _check(rules: Mapping[str, RuleSetting]) -> None:
    for name, setting in rules.items():
        if name not in RULES:
            raise ValueError(
                f"there is no rule {name!r}.{nearest(name, RULES)} Rules: {', '.join(RULES)}"
            )
        if isinstance(setting, RuleSettings):
            if setting.above is not None and RULES[name].above is None:
                raise ValueError(f"the rule {name} has no share: leave out above")
            if setting.below is not None and RULES[name].below is None:
                raise ValueError(f"the rule {name} has no number of rows: leave out below")
