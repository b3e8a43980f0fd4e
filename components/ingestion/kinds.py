"""What kind of input a column is, and the sizes that go with it.

What the configuration says of a column comes first, then the kind a curated schema names, then what
its values look like.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from components.errors import ConfigError
from components.features import IMAGE, NUMERIC, SERIES, TIMESTAMP, Dtype, Feature, Kind, TimeUnit
from components.ingestion.column_stats import ColumnProfile
from components.ingestion.images import ImageProfile
from components.ingestion.kind_checks import TEXT, check_keys, check_values, is_boolean, refuse
from components.ingestion.settings import FeatureOverride, Override

DEFAULT_BUCKETS = 10

# Fewer values than this and quantile buckets would be a second copy of the value.
_MIN_VALUES_TO_BUCKETIZE = 21
# A few whole numbers, each common enough to learn a weight of its own, are codes (weekday, class of
# a cabin). More of them, or rare ones, are counts or intensities, which have an order. Two are a
# flag: one weight is enough.
_CODE_VALUES = range(3, 11)
_CODE_MIN_SHARE = 0.01
# A name or an address has two or three words; what comes back is a category, however long.
_TEXT_MIN_WORDS = 4
_TEXT_MIN_SHARE = 0.5
_TEXT_MIN_ROWS = 30
_MAX_WORDS = 256
# Two or three numbers in a cell may be a date, a place or a telephone number.
_SERIES_MIN_VALUES = 4
_MAX_SERIES = 1024
# The side of the square that images of different sizes become, and the largest image kept as it is.
_SIDE = 96
_MAX_PIXELS = 256 * 256


def infer_kind(column: ColumnProfile) -> Kind:
    """The kind that a column's values look like."""
    if column.images is not None:
        return "image"
    if column.dtype == "bytes":
        if is_series(column):
            return "series"
        if is_boolean(column):
            return "boolean"
        return "text" if is_text(column) else "categorical"
    if column.max_values > 1:
        return "series"
    return "categorical" if column.dtype == "int" and _is_code(column) else "numeric"


def is_text(column: ColumnProfile) -> bool:
    """Whether the values are mostly unique and of several words."""
    present = column.num_rows - column.num_missing
    return (
        present >= _TEXT_MIN_ROWS
        and column.words.mean >= _TEXT_MIN_WORDS
        and column.distinct_share > _TEXT_MIN_SHARE
    )


def is_series(column: ColumnProfile) -> bool:
    """Whether a cell holds several numbers, or a record several values that are numbers."""
    if column.dtype == "bytes":
        return column.list_length >= _SERIES_MIN_VALUES
    return column.max_values > 1


def make_feature(
    name: str,
    dtype: str,
    override: Override | None,
    *,
    kind: Kind,
    column: ColumnProfile | None,
    buckets: int = DEFAULT_BUCKETS,
    unit: TimeUnit = "s",
) -> Feature:
    """The feature of a column.

    Args:
        name: the column.
        dtype: the type of its values.
        override: what the configuration says of it.
        kind: what it is where the configuration does not say.
        column: what is known of its values, where they were looked at.
        buckets: how many quantile buckets a numeric column has by default.
        unit: what a timestamp counts where the configuration does not say.

    Raises:
        ConfigError: what the configuration says does not fit the column.
        DataRejected: a value of an image column is no image.
    """
    said = override if isinstance(override, FeatureOverride) else FeatureOverride()
    kind = said.kind or kind
    check_values(name, dtype, kind, column)
    check_keys(name, kind, said)
    if kind == IMAGE:
        height, width, channels = _image_size(said, column.images if column else None, name)
        return Feature(
            name=name, kind=kind, dtype="bytes", height=height, width=width, channels=channels
        )
    if kind in (TEXT, SERIES):
        # Cells with several numbers are divided when the examples are made.
        dtype = "float" if kind == SERIES and dtype == "bytes" else dtype
        length = said.length or _length(kind, column, name)
        return Feature(name=name, kind=kind, dtype=cast(Dtype, dtype), length=length)
    keys = said.model_dump(exclude={"kind"}, exclude_none=True)
    defaults: dict[str, Any] = {}
    if kind == NUMERIC:
        # What is not scaled has no deviations to clip at.
        defaults = {"buckets": buckets} | ({"clip": 0.0} if said.scale == "none" else {})
    elif kind == TIMESTAMP:
        defaults = {"unit": unit}
    return Feature(name=name, kind=kind, dtype=cast(Dtype, dtype), **{**defaults, **keys})


def describe_image(feature: Feature, column: ColumnProfile | None) -> str:
    """The size an image is brought to, and why it is this one."""
    color = "gray" if feature.channels == 1 else "color"
    text = f"{feature.height} x {feature.width}, {color}"
    found = column.images if column else None
    if found is None:
        return text
    low, high = ((found.heights[end], found.widths[end]) for end in (0, 1))
    if low == high == (feature.height, feature.width):
        return text
    sizes = " to ".join(f"{height} x {width}" for height, width in dict.fromkeys((low, high)))
    return f"{text}; the images are {sizes}: set height and width to change it"


def keep_one(
    features: list[Feature], overrides: Mapping[str, Override], columns: Mapping[str, ColumnProfile]
) -> dict[str, str]:
    """Which image and text columns are left out, for a model reads one of each, and why.

    The one that the configuration names is kept, else the first image, and the text of most words.

    Raises:
        ConfigError: the configuration names two.
    """
    left_out = {}
    for kind in (IMAGE, TEXT):
        found = [feature.name for feature in features if feature.kind == kind]
        named = [name for name in found if isinstance(overrides.get(name), FeatureOverride)]
        if len(named) > 1:
            raise ConfigError(
                f"The columns {' and '.join(map(repr, named))} (features) are both of the kind "
                f"{kind}: a model reads one. Set all but one of them to ignore."
            )
        if len(found) < 2:
            continue
        words = {name: columns[name].words.mean if name in columns else 0.0 for name in found}
        kept = named[0] if named else max(found, key=lambda name: words[name])
        for name in found:
            if name != kept:
                left_out[name] = f"a model reads one {kind} column, and {kept!r} is it"
    return left_out


def one_length(features: list[Feature], overrides: Mapping[str, Override]) -> list[Feature]:
    """The features with one length for all series: the one that is said, else the longest.

    Raises:
        ConfigError: two are said.
    """
    series = [feature for feature in features if feature.kind == SERIES]
    if not series:
        return features
    said = {
        name: override.length
        for name, override in overrides.items()
        if isinstance(override, FeatureOverride)
        and override.length is not None
        and any(feature.name == name for feature in series)
    }
    if len(set(said.values())) > 1:
        shown = ", ".join(f"{name}: {length}" for name, length in said.items())
        raise ConfigError(
            f"The series (features) have different lengths ({shown}): a model reads all of them "
            "side by side. Give them one length."
        )
    length = next(iter(said.values()), max(feature.length for feature in series))
    return [
        feature.model_copy(update={"length": length}) if feature.kind == SERIES else feature
        for feature in features
    ]


def _image_size(
    said: FeatureOverride, found: ImageProfile | None, name: str
) -> tuple[int, int, int]:
    """Height, width and channels: as said, as the images are, or a square."""
    if found is None and (said.height is None or said.channels is None):
        refuse(name, "is an image of unknown size", "Give it height, width and channels.")
    channels = said.channels or (1 if found and found.gray else 3)
    if said.height is not None and said.width is not None:
        return said.height, said.width, channels
    assert found is not None
    (low, height), (narrow, width) = found.heights, found.widths
    if low == height and narrow == width and height * width <= _MAX_PIXELS:
        return height, width, channels
    side = min(_SIDE, max(height, width))
    return side, side, channels


def _length(kind: str, column: ColumnProfile | None, name: str) -> int:
    """How many words or values are read of a row: enough for most rows, within bounds."""
    if column is None:
        refuse(name, f"is a {kind} of unknown length", "Give it a length.")
    if kind == TEXT:
        return min(max(column.words.length, 1), _MAX_WORDS)
    return min(max(column.list_length, column.max_values), _MAX_SERIES)


def default_buckets(column: ColumnProfile) -> int:
    """Quantile buckets, where a column has more values than it would have buckets."""
    many = column.num_distinct is None or column.num_distinct >= _MIN_VALUES_TO_BUCKETIZE
    return DEFAULT_BUCKETS if many else 0


def _is_code(column: ColumnProfile) -> bool:
    present = column.num_rows - column.num_missing
    return (
        column.num_distinct in _CODE_VALUES
        and column.rarest_count is not None
        and column.rarest_count >= _CODE_MIN_SHARE * present
    )
