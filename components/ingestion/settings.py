"""What the configuration says about the data: where it is, how it is written, how it is split."""

from __future__ import annotations

import codecs
import datetime
import math
from typing import Annotated, Any, Literal

import pydantic

from components.features import MAX_HASH_BUCKETS, Kind, Missing, Scale, TimeUnit
from components.settings import Settings

BUILTIN = "builtin:"
LATEST = "latest"
# What stands for a number in a path; `{DATE}` is short for `{YYYY}{MM}{DD}`.
DATE = "{YYYY}{MM}{DD}"

_HASH_BUCKETS_LIMIT = 10_000


class Splits(Settings):
    """How many hash buckets go to each split: a row's content alone decides where it lands."""

    train: int = pydantic.Field(default=2, ge=1, le=_HASH_BUCKETS_LIMIT)
    eval: int = pydantic.Field(default=1, ge=1, le=_HASH_BUCKETS_LIMIT)


class FeatureOverride(Settings):
    """What the configuration says about one column; what it leaves out keeps its default.

    The fields are those of `components.features.Feature`: `buckets`, `scale`, `clip` and `missing`
    belong to a numeric column, `hash_buckets`, `oov_buckets`, `top_k` and `min_count` to a
    categorical one, `unit` to a timestamp, `height`, `width` and `channels` to an image, `length`
    (in words or values) to a text or a series. In a mapping by column name, the text `ignore`
    instead leaves the column out.
    """

    kind: Kind | None = None
    buckets: int | None = pydantic.Field(default=None, ge=0, le=1000)
    scale: Scale | None = None
    clip: float | None = pydantic.Field(default=None, ge=0)
    missing: Missing | None = None
    hash_buckets: int | None = pydantic.Field(default=None, ge=1, le=MAX_HASH_BUCKETS)
    oov_buckets: int | None = pydantic.Field(default=None, ge=1, le=MAX_HASH_BUCKETS)
    top_k: int | None = pydantic.Field(default=None, ge=1)
    min_count: int | None = pydantic.Field(default=None, ge=1)
    unit: TimeUnit | None = None
    height: int | None = pydantic.Field(default=None, ge=1, le=4096)
    width: int | None = pydantic.Field(default=None, ge=1, le=4096)
    channels: Literal[1, 3] | None = None
    length: int | None = pydantic.Field(default=None, ge=1, le=65_536)

    @pydantic.model_validator(mode="after")
    def _size_is_complete(self) -> FeatureOverride:
        if (self.height is None) != (self.width is None):
            raise ValueError("height and width of an image go together")
        return self

    @pydantic.field_validator("missing", mode="before")
    @classmethod
    def _mean_median_or_number(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value in (None, "mean", "median") or (is_number and math.isfinite(value)):
            return value
        raise ValueError("it is neither mean nor median nor a number")

    @pydantic.model_validator(mode="after")
    def _hashed_has_no_vocabulary(self) -> FeatureOverride:
        for key in ("oov_buckets", "top_k", "min_count"):
            if self.hash_buckets is not None and getattr(self, key) is not None:
                raise ValueError(f"hash_buckets and {key}: what is hashed has no vocabulary")
        return self


def _alternative(value: object) -> str:
    return "ignore" if isinstance(value, str) else "column"


# Told apart by type, so that a wrong key is an error of one alternative and not of both.
Override = Annotated[
    Annotated[FeatureOverride, pydantic.Tag("column")]
    | Annotated[Literal["ignore"], pydantic.Tag("ignore")],
    pydantic.Discriminator(_alternative),
]


class TimeSplit(Settings):
    """Splits by time: what is learned from is earlier than what is judged on.

    `column` holds numbers (seconds, years, …) or dates as text in an order that sorts (ISO 8601:
    2014-05-01). Rows from `eval_from` on are the eval split, or the latest `share` of the rows. A
    date is the first second of that day, UTC, where the column holds numbers.
    """

    column: str = pydantic.Field(min_length=1)
    eval_from: int | float | str | None = None
    share: float | None = pydantic.Field(default=None, gt=0, lt=1)

    @pydantic.field_validator("eval_from", mode="before")
    @classmethod
    def _date_as_text(cls, value: Any) -> Any:
        # YAML reads 2014-05-01 as a date.
        is_date = isinstance(value, datetime.date | datetime.datetime)
        return value.isoformat() if is_date else value

    @pydantic.model_validator(mode="after")
    def _one_of_two(self) -> TimeSplit:
        if (self.eval_from is None) == (self.share is None):
            raise ValueError("give either eval_from, where the eval split begins, or its share")
        return self


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


class DataSettings(Settings):
    """The source of the data, how its files are written, and how its rows are split.

    `path` is a file, a folder of files of one kind, or a folder of class folders of images
    (`photos/cat/x.jpg`, format `images`). Built in are `builtin:taxi` (15,002 Chicago taxi trips,
    CSV), `builtin:penguin` (334 penguins, TFRecord), both from the tfx package, and
    `builtin:digits` (1,797 handwritten digits, PNG), made once from scikit-learn's in the user's
    cache folder. A relative path is relative to the working directory.

    In a path, `{SPAN}` or a date (`{DATE}`, or `{YYYY}`, `{MM}` and `{DD}`) stands for the number
    of a delivery, and `{VERSION}` for a correction of it; then `*`, `?` and `[…]` are wildcards.
    `span` and `version` choose one (a date as 2014-05-01), and `window` reads so many spans that
    end with it.

    `delimiter`, `quote` (None: cells are never quoted), `encoding` (a codec of Python), `header`
    and, for files without one, the names of the `columns` apply to CSV.

    Rows go to the splits by a hash of their content, of one column (`split_key`), or by time
    (`split_time`), unless the path holds the folders `train`, `eval` and maybe `test`.
    """

    path: str = pydantic.Field(default="builtin:taxi", min_length=1)
    format: Literal["auto", "csv", "parquet", "tfrecord", "images"] = "auto"
    delimiter: str = ","
    quote: str | None = '"'
    encoding: str = "utf-8"
    header: bool = True
    columns: tuple[str, ...] = ()
    span: int | str = LATEST
    version: int | str = LATEST
    window: int = pydantic.Field(default=1, ge=1, le=10_000)
    splits: Splits = Splits()
    split_key: str | None = pydantic.Field(default=None, min_length=1)
    split_time: TimeSplit | None = None

    @pydantic.field_validator("delimiter")
    @classmethod
    def _is_one_character(cls, value: str) -> str:
        if len(value) != 1 or not value.isascii() or value in '"\r\n\0':
            raise ValueError(
                f'{value!r} cannot separate fields: give one ASCII character, such as ";" or "\\t"'
            )
        return value

    @pydantic.field_validator("quote")
    @classmethod
    def _is_one_character_or_none(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in " \t\r\n\0"):
            raise ValueError(
                f'{value!r} cannot quote cells: give one ASCII character, such as "\'", or null '
                "where cells are never quoted"
            )
        return value

    @pydantic.field_validator("encoding")
    @classmethod
    def _is_a_codec_of_text(cls, value: str) -> str:
        try:
            codec = codecs.lookup(value)
            # A codec from bytes to bytes, such as hex, does not encode text.
            codecs.getincrementaldecoder(value)("strict").decode("a,1".encode(value), True)
        except (LookupError, UnicodeError) as error:
            raise ValueError(
                f"{value!r} is no codec of Python that reads text: give one such as utf-8, "
                "latin-1, cp1252 or utf-16"
            ) from error
        return codec.name

    @pydantic.field_validator("span", "version", mode="before")
    @classmethod
    def _is_one_of_them(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        if isinstance(value, datetime.date):
            value = value.isoformat()
        is_number = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        if value == LATEST or is_number:
            return value
        if info.field_name == "span" and isinstance(value, str) and _is_date(value):
            return value
        date = ", or a date such as 2014-05-01" if info.field_name == "span" else ""
        raise ValueError(f"{value!r} is neither latest nor a number from 0 up{date}")

    @pydantic.model_validator(mode="after")
    def _keys_go_together(self) -> DataSettings:
        if self.quote == self.delimiter:
            raise ValueError(f"quote and delimiter are both {self.quote!r}")
        if self.header and self.columns:
            raise ValueError("columns are for files without a header: set header to false as well")
        if not self.header and not self.columns:
            raise ValueError("header is false: name the columns, in their order, in columns")
        if any(not name.strip() for name in self.columns):
            raise ValueError("columns: a column has no name")
        repeated = [name for name in self.columns if self.columns.count(name) > 1]
        if repeated:
            raise ValueError(f"columns: {repeated[0]!r} is named twice")
        if self.split_key is not None and self.split_time is not None:
            raise ValueError("rows are split by split_key or by split_time, not by both")
        if "{" not in self.path and (self.span, self.version, self.window) != (LATEST, LATEST, 1):
            raise ValueError(
                "span, version and window choose among paths: write {SPAN} or {DATE}, and "
                "{VERSION}, into path"
            )
        return self
