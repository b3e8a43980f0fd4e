"""SavedModels run by TensorFlow's C library."""

from __future__ import annotations

import concurrent.futures
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis.get_model_metadata_pb2 import SignatureDefMap

from serving.errors import ModelError
from serving.runtime import SavedModel, Tensor, find_library
from serving.signatures import Signature, TensorRef, read_signatures

ROOT = Path(__file__).parents[3]


class Model(tf.Module):
    def __init__(self, vocabulary: str) -> None:
        super().__init__()
        self._weight = tf.Variable(2.0)
        words = tf.lookup.TextFileInitializer(
            vocabulary,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        self._ids = tf.lookup.StaticHashTable(words, default_value=-1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def describe(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.strings.length(examples)
        return {
            "float": self._weight * tf.cast(length, tf.float32),
            "double": tf.cast(length, tf.float64) / 3,
            "int32": length,
            "int64": self._ids.lookup(examples),
            "bool": length > 2,
            "text": tf.strings.join([examples, examples]),
            "matrix": tf.stack([length, length + 1, length + 2], 1),
            "scalar": tf.reduce_sum(length),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def parse(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return tf.io.parse_example(examples, {"x": tf.io.FixedLenFeature([], tf.float32)})

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def half(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"half": tf.cast(tf.strings.length(examples), tf.float16)}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None, None], tf.float32, name="series"),
            tf.TensorSpec([None], tf.int64, name="count"),
        ]
    )
    def columns(self, text: tf.Tensor, series: tf.Tensor, count: tf.Tensor) -> dict[str, tf.Tensor]:
        return {
            "text": tf.strings.join([text, text]),
            "sum": self._weight * tf.reduce_sum(series, 1),
            "count": count + 1,
            "missing": tf.math.is_nan(series),
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float16, name="numbers")])
    def quarter(self, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"out": tf.cast(numbers, tf.float32) / 4}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="numbers")])
    def numbers(self, numbers: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"doubled": self._weight * numbers}


def refs_of(infos: Mapping[str, Any]) -> dict[str, TensorRef]:
    return {key: TensorRef(info.name, info.dtype, shape_of(info)) for key, info in infos.items()}


def shape_of(info: Any) -> tuple[int, ...] | None:
    shape = info.tensor_shape
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    vocabulary = folder / "vocabulary"
    vocabulary.write_text("ab\nc\n")
    model = Model(str(vocabulary))
    names = ("columns", "describe", "half", "numbers", "parse", "quarter")
    signatures = {name: getattr(model, name) for name in names}
    tf.saved_model.save(model, str(folder / "model"), signatures=signatures)
    vocabulary.unlink()
    return folder / "model"


@pytest.fixture(scope="module")
def model(model_dir: Path) -> SavedModel:
    return SavedModel(model_dir)


def test_every_type_and_shape_is_read(model: SavedModel) -> None:
    assert model.predict([b"ab", b"a\x00b\xff"], signature="describe") == {
        "float": Tensor((2,), [4.0, 8.0]),
        "double": Tensor((2,), [2 / 3, 4 / 3]),
        "int32": Tensor((2,), [2, 4]),
        "int64": Tensor((2,), [0, -1]),
        "bool": Tensor((2,), [False, True]),
        "text": Tensor((2,), [b"abab", b"a\x00b\xffa\x00b\xff"]),
        "matrix": Tensor((2, 3), [2, 3, 4, 4, 5, 6]),
        "scalar": Tensor((), [6]),
    }


def test_empty_batch_has_empty_answers(model: SavedModel) -> None:
    answers = model.predict([], signature="describe")
    assert answers["float"] == Tensor((0,), [])
    assert answers["matrix"] == Tensor((0, 3), [])


def test_long_strings_pass_whole(model: SavedModel) -> None:
    row = bytes(range(256)) * 1000
    assert model.predict([row], signature="describe")["text"].values == [row + row]


def test_rows_keep_the_first_dimension() -> None:
    assert Tensor((2, 1, 2), [1, 2, 3, 4]).rows() == [[1, 2], [3, 4]]
    assert Tensor((2,), [b"a", b"b"]).rows() == [[b"a"], [b"b"]]
    assert Tensor((), [1]).rows() == [[1]]


def test_model_answers_after_a_request_that_failed(model: SavedModel) -> None:
    with pytest.raises(ModelError, match=r"signature 'parse' fails on 1 row\(s\): Could not parse"):
        model.predict([b"\xff\xff"], signature="parse")
    with pytest.raises(ModelError, match=r"Feature: x .*is required but could not be found"):
        model.predict([b""], signature="parse")
    assert model.predict([b"abc"], signature="describe")["int32"].values == [3]


def test_threads_get_their_own_answers(model: SavedModel) -> None:
    def ask(size: int) -> list[float]:
        if size % 3 == 0:
            with pytest.raises(ModelError):
                model.predict([b""], signature="parse")
        return model.predict([b"x" * size], signature="describe")["float"].values

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(200))) == [[2.0 * size] for size in range(200)]


def test_closed_model_leaves_others_alone(model: SavedModel, model_dir: Path) -> None:
    SavedModel(model_dir).close()
    assert model.predict([b"abc"], signature="describe")["int32"].values == [3]


def test_signatures_are_those_tensorflow_reads(model: SavedModel, model_dir: Path) -> None:
    saved = saved_model_pb2.SavedModel.FromString((model_dir / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    expected = {
        name: Signature(refs_of(definition.inputs), refs_of(definition.outputs))
        for name, definition in definitions.items()
        if not name.startswith("__")
    }
    assert model.signatures == expected
    assert read_signatures(saved.meta_graphs[0].SerializeToString()) == expected
    told = SignatureDefMap.FromString(model.signature_map).signature_def
    assert dict(told.items()) == dict(definitions.items())


def test_shapes_keep_what_is_not_known() -> None:
    info = meta_graph_pb2.TensorInfo(name="x:0", dtype=1)
    info.tensor_shape.unknown_rank = True
    graph = meta_graph_pb2.MetaGraphDef()
    graph.signature_def["s"].inputs["rank"].CopyFrom(info)
    info.tensor_shape.unknown_rank = False
    graph.signature_def["s"].inputs["scalar"].CopyFrom(info)
    for size in (-1, 3, 2**40, 0):
        info.tensor_shape.dim.add(size=size)
    graph.signature_def["s"].inputs["sizes"].CopyFrom(info)
    inputs = read_signatures(graph.SerializeToString())["s"].inputs
    assert inputs["rank"].shape is None
    assert inputs["scalar"].shape == ()
    assert inputs["sizes"].shape == (-1, 3, 2**40, 0)


def test_unknown_signature_is_named_with_the_known_ones(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="no signature 'x'; it has: columns, describe, half"):
        model.predict([b""], signature="x")


def test_signature_that_takes_no_examples_is_named(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="signature 'numbers' takes numbers; expected one input"):
        model.predict([b""], signature="numbers")


COLUMNS = {
    "text": Tensor((2,), [b"a\x00", b""]),
    "series": Tensor((2, 3), [1.0, 2.0, 3.0, 4.0, math.nan, math.inf]),
    "count": Tensor((2,), [-(2**63), 2**53 + 1]),
}


def test_columns_are_sent_by_name_in_their_types(model: SavedModel) -> None:
    answers = model.predict_columns(COLUMNS, signature="columns")
    assert answers["text"] == Tensor((2,), [b"a\x00a\x00", b""])
    assert answers["count"] == Tensor((2,), [-(2**63) + 1, 2**53 + 2])
    assert answers["sum"].values[0] == 12.0
    assert math.isnan(answers["sum"].values[1])
    assert answers["missing"].rows() == [[False, False, False], [False, True, False]]


def test_columns_without_rows_have_answers_without_rows(model: SavedModel) -> None:
    none = {"text": Tensor((0,), []), "series": Tensor((0, 3), []), "count": Tensor((0,), [])}
    answers = model.predict_columns(none, signature="columns")
    assert {name: tensor.shape for name, tensor in answers.items()} == {
        "text": (0,),
        "sum": (0,),
        "count": (0,),
        "missing": (0, 3),
    }


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"more": Tensor((2,), [1.0, 2.0])}, "takes count, series, text; it was given count, more"),
        ({"count": Tensor((3,), [1, 2])}, r"an input of shape \(3,\) was given 2 value"),
        ({"series": Tensor((2,), [1.0, 2.0])}, r"signature 'columns' fails on 2 row\(s\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    model: SavedModel, change: dict[str, Tensor], expected: str
) -> None:
    with pytest.raises(ModelError, match=expected):
        model.predict_columns(COLUMNS | change, signature="columns")


def test_input_of_a_type_without_a_python_value_is_named(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="an input has TensorFlow's type 19"):
        model.predict_columns({"numbers": Tensor((1,), [1.0])}, signature="quarter")


def test_output_of_a_type_without_a_python_value_is_named(model: SavedModel) -> None:
    with pytest.raises(ModelError, match="an output has TensorFlow's type 19"):
        model.predict([b""], signature="half")


@pytest.mark.parametrize(
    "damage",
    [
        lambda model: (model / "saved_model.pb").unlink(),
        lambda model: (model / "saved_model.pb").write_bytes(b"\x00damaged"),
        lambda model: next(model.glob("variables/variables.data-*")).unlink(),
        lambda model: next(model.glob("assets/*")).unlink(),
    ],
)
def test_damaged_model_does_not_load(
    model_dir: Path, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    copy = tmp_path / "model"
    shutil.copytree(model_dir, copy)
    damage(copy)
    with pytest.raises(ModelError, match=f"{copy} does not load: "):
        SavedModel(copy)


def test_library_that_is_none_is_named(tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    library.write_bytes(b"text")
    with pytest.raises(ModelError, match=f"TensorFlow's library does not load: {library}"):
        SavedModel(tmp_path, library=library)


def test_process_without_site_packages_serves_the_model(model_dir: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from serving.runtime import SavedModel\n"
        "model = SavedModel(Path(sys.argv[2]), library=Path(sys.argv[3]))\n"
        "print(model.predict([b'abc'], signature='describe')['float'].values)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, ROOT, model_dir, find_library()],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert done.stdout == "[6.0]\n"
