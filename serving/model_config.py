"""TF Serving's models.config: the text that names models, the versions to load, and their labels.

It holds a `tensorflow.serving.ModelServerConfig` in protobuf's text format. What is in it beside
our own model's entry stays as it is; comments are not kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import text_format

# The package's own init imports nothing, and these messages need no TensorFlow.
from tensorflow_serving.config import model_server_config_pb2

from serving.errors import LabelError

FILE = "models.config"
PLATFORM = "tensorflow"


def parse(text: bytes, *, origin: str) -> Any:
    """The ModelServerConfig in `text`.

    Args:
        text: protobuf's text format, UTF-8; may be empty.
        origin: what to call the file in a message.

    Raises:
        LabelError: it is none, as TF Serving would say too.
    """
    config = model_server_config_pb2.ModelServerConfig()
    try:
        text_format.Parse(text.decode(), config)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise LabelError(
            f"{origin} is no models.config of TF Serving: {str(error).rstrip('.')}. Mend that "
            "line, or move the file away and set the labels again."
        ) from error
    if config.WhichOneof("config") == "custom_model_config":
        raise LabelError(
            f"{origin} holds a custom_model_config, expected a model_config_list. Move the file "
            "away and set the labels again."
        )
    names = [entry.name for entry in config.model_config_list.config]
    for name in names:
        if names.count(name) > 1:
            raise LabelError(f"{origin} names the model '{name}' twice. Remove one of them.")
    return config


def render(config: Any) -> bytes:
    """A ModelServerConfig as the text that a server reads."""
    text: str = text_format.MessageToString(config, as_utf8=True)
    return text.encode()


def find(config: Any, name: str) -> Any | None:
    """The entry of one model, to read."""
    return next((entry for entry in config.model_config_list.config if entry.name == name), None)


def versions_of(entry: Any | None) -> tuple[int, ...]:
    """The versions that an entry names one by one; empty if the server chooses them."""
    return tuple(entry.model_version_policy.specific.versions) if entry is not None else ()


def labels_of(entry: Any | None) -> dict[str, int]:
    """The labels of an entry, by name."""
    return dict(sorted(entry.version_labels.items())) if entry is not None else {}


def put(
    config: Any,
    name: str,
    *,
    base_path: str,
    versions: Iterable[int],
    labels: Mapping[str, int],
) -> None:
    """Sets what a server loads of one model, and its labels; other fields of the entry stay.

    Args:
        config: the ModelServerConfig to change.
        name: the model.
        base_path: the folder of its versions, absolute.
        versions: the versions to load; if there are none the server loads the newest.
        labels: the version of each label.
    """
    entry = find(config, name)
    if entry is None:
        entry = config.model_config_list.config.add(name=name)
    entry.base_path = base_path
    entry.model_platform = PLATFORM
    entry.ClearField("model_type")
    entry.ClearField("model_version_policy")
    entry.model_version_policy.specific.versions.extend(sorted(versions))
    if not entry.model_version_policy.specific.versions:
        entry.ClearField("model_version_policy")
    entry.version_labels.clear()
    entry.version_labels.update(labels)
