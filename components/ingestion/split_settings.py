"""Holds what the configuration says of the splits against the columns."""

from __future__ import annotations

import datetime
import re

from components.errors import ConfigError, nearest
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.profile import Profile
from components.ingestion.settings import DataSettings, TimeSplit
from components.ingestion.sources import Source
from components.ingestion.splitting import Number

# Texts of this form sort as their times do.
DATE_THAT_SORTS = r"^[0-9]{4}-[0-9]{2}(-[0-9]{2}|$)"
_NAMES_SHOWN = 20


def check(settings: DataSettings, source: Source, found: Profile) -> None:
    """Refuses a way of splitting that the data has no columns or folders for.

    Raises:
        ConfigError: `data.split_key` or `data.split_time` names no column, or one whose values
            cannot tell a split, or folders say it already.
    """
    key, time = settings.split_key, settings.split_time
    if source.split_folders and (key or time or "splits" in settings.model_fields_set):
        said = "split_key" if key else "split_time" if time else "splits"
        raise ConfigError(
            f"data.{said}: the folders {', '.join(source.split_folders)} of "
            f"{source.base_dir} are the splits already. Remove the key, or put the files into one "
            "folder."
        )
    if key is not None:
        column = _column("data.split_key", key, found)
        if column.dtype == "float" or column.max_values > 1 or column.images:
            what = (
                "numbers with fractions" if column.dtype == "float" else "several values or images"
            )
            raise ConfigError(
                f"data.split_key: the column {key!r} holds {what}. A key is a text or a whole "
                "number."
            )
    if time is not None:
        column = _column("data.split_time.column", time.column, found)
        if column.max_values > 1 or column.images or column.dtype == "empty":
            raise ConfigError(
                f"data.split_time.column: {time.column!r} holds no times. Name a column of numbers "
                "or of dates."
            )
        if column.dtype == "bytes" and not all(
            re.match(DATE_THAT_SORTS, text) for text in column.examples
        ):
            raise ConfigError(
                f"data.split_time.column: {time.column!r} holds text such as "
                f"{column.examples[0]!r}, whose order is not that of time. Write it as numbers, or "
                "as dates like 2014-05-01."
            )
        begin(time, column.dtype)


def begin(time: TimeSplit, dtype: str) -> Number | str | None:
    """Where the eval split begins, in the column's type; None where its share says so.

    Args:
        time: the settings.
        dtype: the type of the column.

    Raises:
        ConfigError: a number is compared with text, or a text that is no date with numbers.
    """
    value = time.eval_from
    if value is None or (dtype == "bytes") == isinstance(value, str):
        return value
    if not isinstance(value, str):
        raise ConfigError(
            f"data.split_time.eval_from: {value} is a number, but the column {time.column!r} holds "
            "text. Give a date as it is written there."
        )
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError as error:
        raise ConfigError(
            f"data.split_time.eval_from: {value!r} is no date, and the column {time.column!r} "
            "holds numbers. Give a number, or a date such as 2014-05-01."
        ) from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return int(moment.timestamp())


def train_share(settings: DataSettings, source: Source) -> float:
    """About how much of the data is the split `train`."""
    if source.split_folders:
        # Files of one kind: their bytes stand for rows.
        sizes = dict.fromkeys(source.split_folders, 0)
        for name, file in source.split_files():
            sizes[name] += file.stat().st_size
        return sizes["train"] / max(1, sum(sizes.values()))
    if settings.split_time is not None and settings.split_time.share is not None:
        return 1 - settings.split_time.share
    return settings.splits.train / (settings.splits.train + settings.splits.eval)


def _column(key: str, name: str, found: Profile) -> ColumnProfile:
    names = [column.name for column in found.columns]
    if name not in names:
        raise ConfigError(
            f"{key}: the data has no column {name!r}.{nearest(name, names)} Its columns: "
            f"{', '.join(names[:_NAMES_SHOWN])}{' …' if len(names) > _NAMES_SHOWN else ''}."
        )
    return found.column(name)
