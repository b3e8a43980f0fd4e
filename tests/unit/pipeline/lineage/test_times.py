from __future__ import annotations

import datetime

import pytest

from components.errors import ConfigError
from pipeline.lineage.times import parse_time

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T10:30+00:00", datetime.datetime(2026, 11, 20, 10, 30, tzinfo=datetime.UTC)),
        ("2026-11-20", datetime.datetime(2026, 11, 20).astimezone()),
        ("30m", NOW - datetime.timedelta(minutes=30)),
        ("12h", NOW - datetime.timedelta(hours=12)),
        ("7d", NOW - datetime.timedelta(days=7)),
        ("2w", NOW - datetime.timedelta(weeks=2)),
    ],
)
def test_dates_and_ages_are_times(text: str, expected: datetime.datetime) -> None:
    assert parse_time(text, flag="--since", now=NOW) == int(expected.timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "yesterday", "7y", "2026-13-01", "99999999999w"])
def test_anything_else_is_one_clear_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--since .*expected a date"):
        parse_time(text, flag="--since", now=NOW)
