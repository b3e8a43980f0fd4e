"""TF Serving's messages without TensorFlow, and beside it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROTOS_FIRST = """
import sys
from serving import protos
assert "tensorflow" not in sys.modules, "TensorFlow was imported"
before = protos.predict_pb2.PredictRequest()
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
assert predict_pb2 is protos.predict_pb2
before.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0]))
assert tf.make_ndarray(before.inputs["x"]).tolist() == [1.0, 2.0]
assert type(tf.train.Example()) is protos.example_pb2.Example
assert tf.io.gfile.exists("/") and tf.keras.layers.Dense
"""


def test_messages_load_without_tensorflow_and_tensorflow_after_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROTOS_FIRST], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_messages_are_those_of_a_tensorflow_that_is_there() -> None:
    import tensorflow as tf

    from serving import protos

    assert sys.modules["tensorflow"] is tf
    assert type(tf.make_tensor_proto(1)) is protos.tensor_pb2.TensorProto
    assert type(tf.train.Example()) is protos.example_pb2.Example
