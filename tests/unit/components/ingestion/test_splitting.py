"""No value of a key is in two splits, no eval row is earlier than a train row."""

from __future__ import annotations

import math

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pytest
import tensorflow as tf
from tfx.components.example_gen import base_example_gen_executor
from tfx.proto import example_gen_pb2

from components.errors import ConfigError
from components.ingestion import cells, encoding, split_settings, splitting
from components.ingestion.profile import profile
from components.ingestion.settings import DataSettings, TimeSplit
from components.ingestion.sources import resolve
from components.ingestion.splitting import ByContent, ByKey, ByTime

INTS = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 5))
TEXTS = st.one_of(st.none(), st.text(min_size=1, max_size=5), st.sampled_from("abc"))


def _splits(splitter: splitting.Splitter, column: list, dtype: str) -> list[int]:
    """The splits of the rows, told from the table and from each example alike."""
    texts = [None if value is None else str(value) for value in column]
    batch = pa.record_batch({"k": pa.array(texts, pa.string())})
    records = encoding.encode(batch, {"k": dtype}).to_pylist()
    found = list(splitter.of_batch(batch, records))
    for record, split in zip(records, found, strict=True):
        features = tf.train.Example.FromString(record).features.feature
        assert splitter.of_example(features, record) == split
    return found


@hypothesis.given(column=st.lists(INTS, min_size=1), bounds=st.sampled_from([(2, 3), (1, 2, 9)]))
@hypothesis.settings(deadline=None)
def test_a_whole_number_is_in_one_split_that_of_stock(column: list, bounds: tuple) -> None:
    _assert_like_stock(column, "int", bounds)


@hypothesis.given(column=st.lists(TEXTS, min_size=1), bounds=st.sampled_from([(2, 3), (1, 2, 9)]))
@hypothesis.settings(deadline=None)
def test_a_text_is_in_one_split_that_of_stock(column: list, bounds: tuple) -> None:
    _assert_like_stock(column, "bytes", bounds)


def _assert_like_stock(column: list, dtype: str, bounds: tuple[int, ...]) -> None:
    found = _splits(ByKey(bounds, "k", dtype), column, dtype)
    config = example_gen_pb2.SplitConfig(partition_feature_name="k")
    splits: dict = {}
    for value, split in zip(column, found, strict=True):
        assert splits.setdefault(value, split) == split
        if value is None:
            assert split == 0
            continue
        example = tf.train.Example()
        feature = example.features.feature["k"]
        if isinstance(value, int):
            feature.int64_list.value.append(value)
        else:
            feature.bytes_list.value.append(value.encode())
        stock = base_example_gen_executor._PartitionFn(example, len(bounds), list(bounds), config)
        assert split == stock


TIMES = st.lists(
    st.one_of(st.none(), st.integers(-(2**40), 2**40), st.integers(0, 3)), min_size=1, max_size=40
)


@hypothesis.given(column=TIMES, share=st.floats(0.01, 0.99))
@hypothesis.settings(deadline=None)
def test_eval_is_later_than_train_and_about_its_share(column: list, share: float) -> None:
    present = [value for value in column if value is not None]
    begin = splitting.begin_of_latest([pa.array(column, pa.int64())], share)
    if not present:
        assert begin is None
        return
    found = _splits(ByTime("k", begin), column, "int")
    later = [v for v, s in zip(column, found, strict=True) if s == 1]
    earlier = [v for v, s in zip(column, found, strict=True) if s == 0 and v is not None]
    assert None not in later
    assert later
    assert not earlier or max(earlier) < min(later)
    assert bool(earlier) == (len(set(present)) > 1)
    if len(set(present)) == len(present) > 1:
        wanted = min(max(share * len(present), 1), len(present) - 1)
        assert math.isclose(len(later), wanted, abs_tol=0.51)


@hypothesis.given(column=st.lists(st.dates(), min_size=2, unique=True), share=st.floats(0.1, 0.9))
@hypothesis.settings(deadline=None)
def test_dates_as_text_are_split_by_time(column: list, share: float) -> None:
    texts = [date.isoformat() for date in column]
    begin = splitting.begin_of_latest([pa.array(texts)], share)
    found = _splits(ByTime("k", begin), texts, "bytes")
    later = [date for date, split in zip(column, found, strict=True) if split]
    earlier = [date for date, split in zip(column, found, strict=True) if not split]
    assert max(earlier) < min(later)


def test_a_time_between_whole_numbers_and_one_that_is_no_number() -> None:
    assert _splits(ByTime("k", 1.5), [1, 2, None], "int") == [0, 1, 0]
    assert _splits(ByTime("k", 2), [1.5, 2.0, float("nan")], "float") == [0, 1, 0]
    block = pa.array([1.0, float("nan"), 2.0, float("inf"), 3.0])
    assert splitting.begin_of_latest([block], 0.3) == 3.0


def test_content_is_split_as_the_bytes_say() -> None:
    found = _splits(ByContent((2, 3)), list(range(50)), "int")
    assert set(found) == {0, 1}


TABLE = "customer,when,amount,note\n" + "".join(
    f"c{row % 7},{1000 + row},{row / 7},2014-05-{row % 28 + 1:02d}\n" for row in range(60)
)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split_key": "custmer"}, r"data.split_key: .*'custmer'. Did you mean 'customer'"),
        ({"split_key": "amount"}, "numbers with fractions. A key is a text or a whole number"),
        ({"split_time": {"column": "wen", "share": 0.2}}, "Did you mean 'when'"),
        ({"split_time": {"column": "customer", "share": 0.2}}, "whose order is not that of time"),
        ({"split_time": {"column": "when", "eval_from": "May"}}, "'May' is no date"),
        ({"split_time": {"column": "note", "eval_from": 7}}, "7 is a number, but .* holds text"),
    ],
)
def test_a_split_that_the_columns_cannot_tell_is_refused(make_source, settings, message) -> None:
    source = make_source(TABLE)
    data = DataSettings.model_validate({"path": str(source.files[0]), **settings})
    with pytest.raises(ConfigError, match=message):
        split_settings.check(data, source, profile(source))


def test_a_date_is_a_second_where_times_are_numbers() -> None:
    time = TimeSplit.model_validate({"column": "t", "eval_from": "2014-05-01"})
    assert split_settings.begin(time, "int") == 1398902400
    assert split_settings.begin(time, "bytes") == "2014-05-01"


def test_training_takes_the_share_that_is_left(make_source, write_csv) -> None:
    source = make_source(TABLE)
    at = {"path": str(source.files[0])}
    timed = {**at, "split_time": {"column": "when", "share": 0.1}}
    assert split_settings.train_share(DataSettings(**at), source) == pytest.approx(2 / 3)
    assert split_settings.train_share(DataSettings.model_validate(timed), source) == 0.9
    write_csv("a\n" + "1\n" * 98, "s/train/1.csv")
    folder = write_csv("a\n" + "1\n" * 32, "s/eval/1.csv").parents[1]
    split = resolve(DataSettings(path=str(folder)))
    assert split_settings.train_share(DataSettings(path=str(folder)), split) == 0.75


def test_numbers_and_floats_compare_as_their_column_is_read() -> None:
    column = pa.array(["1", "2"])
    assert splitting.of_type(column, 1).type == pa.int64()
    assert splitting.of_type(column, 1.5).type == pa.float64()
    with pytest.raises(cells.CellError):
        splitting.of_type(pa.array(["x"]), 1)
