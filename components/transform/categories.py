"""Categories in the transform graph: ids of values, of booleans, of buckets and of their crosses.

All columns and crosses share one vocabulary, unless one asks for other bounds: Beam runs some ten
stages for each vocabulary, whatever its size, so one a column would make a wide table slow.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft

from components.features import (
    BOOLEAN,
    CATEGORICAL,
    FALSE_WORDS,
    TRUE_WORDS,
    Cross,
    DataSpec,
    Feature,
    Slot,
)
from components.transform.inputs import as_float, as_text
from components.transform.settings import TransformSettings

# A control character that separates units of text, so that `a` and `bc` differ from `ab` and `c`.
_BETWEEN = "\x1f"


def category_ids(
    inputs: Mapping[str, Any],
    spec: DataSpec,
    settings: TransformSettings,
    buckets: Mapping[str, tf.Tensor],
) -> tf.Tensor:
    """The ids of all slots, laid out as `components.features.num_ids` says.

    Args:
        inputs: raw column name to a SparseTensor (or dense tensor) of at most one value an example.
        spec: the columns and their crosses.
        settings: the bounds of the vocabulary.
        buckets: the quantile bucket of each bucketized column, int64 [batch], by name.

    Returns:
        int64 [batch, slots].
    """
    features = {feature.name: feature for feature in spec.features}
    texts = {f.name: as_text(_whole(inputs, f)) for f in spec.of_kind(CATEGORICAL)}
    numbers = {f.name: _boolean(inputs[f.name]) for f in spec.of_kind(BOOLEAN)} | dict(buckets)
    for cross in spec.crosses:
        texts[cross.name] = _crossed(cross, texts, numbers)
    for slot in spec.slots:
        if not slot.vocabulary and slot.name in texts:
            feature = features.get(slot.name)
            numbers[slot.name] = _hashed(texts[slot.name], slot, has_missing=feature is not None)
    terms = {
        slot.name: tf.strings.join([slot.prefix, texts[slot.name]])
        for slot in spec.slots
        if slot.vocabulary
    }
    found, num_terms = _looked_up(terms, spec, settings)
    ids = []
    starts = itertools.accumulate((slot.num_ids for slot in spec.slots), initial=0)
    for slot, start in zip(spec.slots, starts, strict=False):
        own = _hash(terms[slot.name], slot.num_ids) if slot.vocabulary else numbers[slot.name]
        own = num_terms + start + own
        if slot.vocabulary:
            own = tf.where(found[slot.name] < 0, own, found[slot.name])
        ids.append(own)
    return tf.stack(ids, axis=1)


def _whole(inputs: Mapping[str, Any], feature: Feature) -> Any:
    column = inputs[feature.name]
    if column.dtype.is_floating:
        raise ValueError(f"Column {feature.name!r} holds floats: it cannot be categorical.")
    return column


def _boolean(column: Any) -> tf.Tensor:
    """0 for neither or missing, 1 for false, 2 for true: int64 [batch]."""
    if column.dtype == tf.string:
        words = tf.strings.lower(tf.strings.strip(as_text(column)))[:, tf.newaxis]
        is_false = tf.reduce_any(tf.equal(words, tf.constant([sorted(FALSE_WORDS)])), axis=1)
        is_true = tf.reduce_any(tf.equal(words, tf.constant([sorted(TRUE_WORDS)])), axis=1)
    else:
        values = as_float(column)
        is_false, is_true = tf.equal(values, 0), tf.equal(values, 1)
    return tf.cast(is_false, tf.int64) + 2 * tf.cast(is_true, tf.int64)


def _crossed(
    cross: Cross, texts: Mapping[str, tf.Tensor], numbers: Mapping[str, tf.Tensor]
) -> tf.Tensor:
    """The values of a cross as one text, string [batch]."""
    parts = [
        texts[name] if name in texts else tf.strings.as_string(numbers[name])
        for name in cross.columns
    ]
    return tf.strings.join(parts, separator=_BETWEEN)


def _hashed(texts: tf.Tensor, slot: Slot, *, has_missing: bool) -> tf.Tensor:
    """The number of each text among the ids of a slot; of a column's, the first is for missing."""
    if not has_missing:
        return _hash(texts, slot.num_ids)
    hashes = 1 + _hash(texts, slot.num_ids - 1)
    return tf.where(tf.equal(texts, ""), tf.zeros_like(hashes), hashes)


def _hash(texts: tf.Tensor, count: int) -> tf.Tensor:
    """The same on every machine; see https://github.com/google/farmhash (Fingerprint64)."""
    return tf.strings.to_hash_bucket_fast(texts, count)


def _looked_up(
    terms: Mapping[str, tf.Tensor], spec: DataSpec, settings: TransformSettings
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    """Each slot's ids in its vocabulary, -1 for a term that is not in it, and the number of terms.

    A value seen less than `min_count` times has an id of its column's unseen values, which so
    learns what a rare value means.
    """
    found: dict[str, tf.Tensor] = {}
    start = tf.constant(0, tf.int64)
    features = {feature.name: feature for feature in spec.features}
    for vocabulary in spec.vocabularies:
        names = [slot.name for slot in spec.slots if slot.vocabulary == vocabulary]
        # The columns of one vocabulary have the same bounds; a cross is in the one of all.
        of_column = features.get(names[0])
        together = tf.stack([terms[name] for name in names], axis=1)
        asset = tft.vocabulary(
            together,
            top_k=(of_column.top_k if of_column else 0) or settings.vocabulary_size,
            frequency_threshold=(of_column.min_count if of_column else 0) or settings.min_count,
            vocab_filename=vocabulary,
            name=vocabulary,
        )
        ids = tft.apply_vocabulary(together, asset, default_value=-1)
        ids = tf.where(ids < 0, ids, ids + start)
        found.update({name: ids[:, at] for at, name in enumerate(names)})
        start += tft.experimental.get_vocabulary_size_by_name(vocabulary)
    return found, start
