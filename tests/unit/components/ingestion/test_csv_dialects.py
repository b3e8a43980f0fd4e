"""How CSV may be written: quotes, encodings, headers, compression, the order of columns."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pydantic
import pytest

from components.errors import ConfigError, DataRejected, WaybillError
from components.ingestion.profile import Profile, profile
from components.ingestion.settings import DataSettings
from components.ingestion.sources import Source, resolve

TEXT = 'name,size\n"Zoë, ""Z""",1\nΩmega,2\n'


def _source(path: Path, **settings: object) -> Source:
    return resolve(DataSettings.model_validate({"path": str(path), **settings}))


def _rows(path: Path, **settings: object) -> list[dict[str, str | None]]:
    batches = _source(path, **settings).table.batches()
    return [row for _, batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso8859-7"]
)
@pytest.mark.parametrize("compressed", [False, True])
def test_encodings_hold_the_same_rows(write_csv, encoding: str, compressed: bool) -> None:
    text = TEXT if encoding != "iso8859-7" else TEXT.replace("ë", "λ")
    content = text.encode(encoding)
    path = write_csv(gzip.compress(content) if compressed else content)
    expected = [dict(row) for row in csv.DictReader(io.StringIO(text))]
    assert _rows(path, encoding=encoding) == expected


def test_an_encoded_file_is_read_in_blocks(write_csv, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.ingestion.dialect._BLOCK_BYTES", 7)
    rows = [f"ü{number}é" for number in range(500)]
    path = write_csv(("name\n" + "\n".join(rows)).encode("utf-16"))
    assert [row["name"] for row in _rows(path, encoding="utf-16")] == rows


def test_a_byte_that_is_not_of_the_encoding_is_named(write_csv) -> None:
    path = write_csv(b"a,b\n1,x\n2,caf\x81\n")
    with pytest.raises(DataRejected, match=r"trips\.csv, line 3: the byte 0x81 is not cp1252"):
        profile(_source(path, encoding="cp1252"))


def test_the_advice_for_what_is_not_utf8_is_to_name_the_encoding(write_csv) -> None:
    path = write_csv("a,b\n1,café\n".encode("latin-1"))
    with pytest.raises(DataRejected, match=r"data\.encoding"):
        profile(_source(path))
    assert _rows(path, encoding="latin-1") == [{"a": "1", "b": "café"}]


@pytest.mark.parametrize("encoding", ["latin-99", "hex", "rot13", "zlib", "undefined"])
def test_what_is_no_codec_of_text_is_refused(encoding: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="is no codec of Python"):
        DataSettings(encoding=encoding)


def test_another_quote_keeps_the_double_one(write_csv) -> None:
    path = write_csv("a,b\n'x, ''y''','1\n2'\n5\" pipe,z\n")
    assert _rows(path, quote="'") == [{"a": "x, 'y'", "b": "1\n2"}, {"a": '5" pipe', "b": "z"}]


def test_without_quotes_every_quote_is_text(write_csv) -> None:
    path = write_csv('a;b\n"x;y"\n;5"\n')
    found = _rows(path, quote=None, delimiter=";")
    assert found == [{"a": '"x', "b": 'y"'}, {"a": None, "b": '5"'}]
    with pytest.raises(DataRejected, match=r"line 3: 1 fields where the header names 2"):
        profile(_source(write_csv('a;b\n1;2\n"x"\n'), quote=None, delimiter=";"))


def test_a_large_file_without_quotes_is_read_in_sections_though_it_has_some(write_csv) -> None:
    path = write_csv("a,b\n" + '5",x\n' * 500)
    table = _source(path, quote=None).table
    parts = table.parts(path, 500)
    assert len(parts) > 3
    assert sum(len(batch) for part in parts for batch in table.read(part, ["b", "a"])) == 500
    assert len(_source(path).table.parts(path, 500)) == 1


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_files_without_a_header_are_named_by_the_settings(write_csv, mark: str) -> None:
    path = write_csv(mark + "1,x\n2,y\n")
    found = _rows(path, header=False, columns=["a", "b"])
    assert found == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    with pytest.raises(DataRejected, match=r"line 1: 2 fields where data.columns names 3"):
        profile(_source(path, header=False, columns=["a", "b", "c"]))
    empty = write_csv("", "none/0.csv")
    with pytest.raises(DataRejected, match=r"is empty. Each line is a row"):
        profile(_source(empty, header=False, columns=["a"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"header": False}, "name the columns"),
        ({"columns": ["a"]}, "set header to false"),
        ({"header": False, "columns": ["a", " "]}, "a column has no name"),
        ({"header": False, "columns": ["a", "a"]}, "'a' is named twice"),
        ({"quote": "''"}, "cannot quote cells"),
        ({"quote": ";", "delimiter": ";"}, "quote and delimiter are both ';'"),
    ],
)
def test_keys_that_do_not_fit_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        DataSettings.model_validate(settings)


def test_files_may_have_their_columns_in_any_order(write_csv) -> None:
    write_csv("a,b\n1,x\n", "data/1.csv")
    write_csv(gzip.compress(b"b,a\ny,2\n"), "data/2.csv.gz")
    folder = write_csv("\ufeff\nb,a\nz,3\n", "data/3.csv").parent
    assert _rows(folder) == [{"a": number, "b": text} for number, text in ("1x", "2y", "3z")]
    assert profile(_source(folder)).column("a").dtype == "int"


def test_a_wrong_cell_of_a_reordered_file_is_found(write_csv) -> None:
    write_csv("a,b\n1,x\n", "data/1.csv")
    second = write_csv("b,a\ny,2\nz,no\n", "data/2.csv")
    table = _source(second.parent).table
    assert table.place_of(second, "a", "no") == f"{second}, line 3"


@hypothesis.given(
    content=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=80).map(lambda data: b"a,b\n1,2\n" + data),
        st.text("ab1,\"'\n\r\t \0é\ufeff", max_size=60).map(str.encode),
    ),
    settings=st.fixed_dictionaries(
        {
            "encoding": st.sampled_from(["utf-8", "utf-16", "cp1252", "utf-7", "shift_jis"]),
            "quote": st.sampled_from(['"', "'", None]),
            "format": st.sampled_from(["auto", "csv"]),
        }
    ),
    mode=st.sampled_from(["plain", "gzip", "cut", "flipped"]),
    without_header=st.booleans(),
)
@hypothesis.settings(max_examples=400, deadline=None)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    content: bytes,
    settings: dict,
    mode: str,
    without_header: bool,
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "trips.csv"
    if mode != "plain":
        content = gzip.compress(content)
    if mode == "cut":
        content = content[: len(content) * 2 // 3]
    elif mode == "flipped":
        middle = len(content) // 2
        content = content[:middle] + bytes([content[middle] ^ 0x55]) + content[middle + 1 :]
    path.write_bytes(content)
    if without_header:
        settings = {**settings, "header": False, "columns": ("a", "b")}
    found = _profile_or_error(path, **settings)
    if isinstance(found, WaybillError):
        assert isinstance(found, DataRejected | ConfigError)
        assert str(path) in str(found)
    else:
        assert found.num_rows > 0


def _profile_or_error(path: Path, **settings: object) -> Profile | WaybillError:
    try:
        return profile(_source(path, **settings))
    except WaybillError as error:
        return error
