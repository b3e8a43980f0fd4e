"""TF Serving's messages and services, and TensorFlow's, without importing TensorFlow.

`tensorflow_serving.apis` imports its messages from inside the package `tensorflow`, whose own
`__init__` takes seconds and a gigabyte. Where nobody has imported it yet, a bare module with the
package's search path stands in for it while the messages load; it is taken away afterwards, so a
later `import tensorflow` gets the real one, with the same message classes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

from serving.errors import ModelError


@contextlib.contextmanager
def _tensorflow_as_a_folder() -> Iterator[None]:
    if "tensorflow" in sys.modules:
        yield
        return
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or spec.submodule_search_locations is None:
        raise ModelError(
            "'tensorflow' is not installed. Install the versions named in requirements.lock."
        )
    folder = types.ModuleType("tensorflow")
    folder.__path__ = list(spec.submodule_search_locations)
    sys.modules["tensorflow"] = folder
    try:
        yield
    finally:
        if sys.modules.get("tensorflow") is folder:
            del sys.modules["tensorflow"]


with _tensorflow_as_a_folder():
    from tensorflow.core.example import example_pb2, feature_pb2
    from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2, types_pb2
    from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        inference_pb2,
        input_pb2,
        model_management_pb2,
        model_pb2,
        model_service_pb2_grpc,
        predict_pb2,
        prediction_log_pb2,
        prediction_service_pb2_grpc,
        regression_pb2,
        status_pb2,
    )
    from tensorflow_serving.config import model_server_config_pb2

__all__ = [
    "classification_pb2",
    "error_codes_pb2",
    "example_pb2",
    "feature_pb2",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "inference_pb2",
    "input_pb2",
    "meta_graph_pb2",
    "model_management_pb2",
    "model_pb2",
    "model_server_config_pb2",
    "model_service_pb2_grpc",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
    "regression_pb2",
    "status_pb2",
    "tensor_pb2",
    "tensor_shape_pb2",
    "types_pb2",
]
