"""What the text of a column looks like: prose, lists of numbers, or neither."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.ingestion import cells

_SAMPLE = 1_000
_LENGTH_PERCENTILE = 95
_WORD = re.compile(r"\w+")
_NUMBERS = re.compile(r"\s*[-+]?([\d.]|nan|inf)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Words:
    """The words of a column's values.

    Attributes:
        mean: how many parts between white space a value has, on average.
        length: how many words 95 of 100 values do not exceed.
    """

    mean: float = 0.0
    length: int = 0


def count_words(block: pa.StringArray) -> Words:
    """The words of the first values of a block that has some."""
    # Categories come back: each is looked at once.
    texts = Counter(block.drop_null().slice(0, _SAMPLE).to_pylist())
    rows = list(texts.values())
    lengths = np.repeat([len(_WORD.findall(text)) for text in texts], rows)
    parts = np.repeat([len(text.split()) for text in texts], rows)
    length = np.percentile(lengths, _LENGTH_PERCENTILE, method="higher")
    return Words(float(parts.mean()), int(length))


def longest_list(block: pa.StringArray) -> int:
    """How many numbers the longest value has, if every value is numbers with white space between.

    0 if a value is something else, or if there is none.
    """
    present = block.drop_null()
    # Nearly all text is told by its first value, so that tables are read as fast as ever.
    if not len(present) or not _NUMBERS.match(present[0].as_py()):
        return 0
    lists = split_numbers(present)
    parts = lists.flatten()
    if cells.type_of_all(parts) not in ("int", "float"):
        return 0
    return int(pc.max(pc.list_value_length(lists)).as_py() or 0)


def split_numbers(block: pa.StringArray) -> pa.ListArray:
    """The parts between white space of each value; null where there is none."""
    trimmed = pc.utf8_trim_whitespace(block)
    empty = pc.equal(trimmed, "")
    return pc.utf8_split_whitespace(pc.if_else(empty, pa.scalar(None, pa.string()), trimmed))
