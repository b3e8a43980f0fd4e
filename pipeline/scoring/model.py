"""The pushed model as Beam's RunInference takes it, loaded as a server loads it.

TensorFlow's C library runs the SavedModel, the same code that answers in the embedded server and in
TF Serving, so a worker needs half a second and no `import tensorflow` before its first row.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import ModelHandler

from components.errors import ConfigError
from pipeline.scoring.rows import Block
from serving import answers
from serving.errors import ModelError
from serving.runtime import SavedModel

SIGNATURE = "serving_default"


@dataclasses.dataclass(frozen=True)
class Scored:
    """A block of rows, and its answers as columns of a table."""

    rows: Block
    answers: pa.RecordBatch


class SavedModelHandler(ModelHandler[Block, Scored, SavedModel]):
    """Loads the model once a process and asks it block by block.

    Args:
        path: the folder that holds `saved_model.pb`.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def load_model(self) -> SavedModel:
        """Loads the model. Raises ModelError if it does not load."""
        return SavedModel(self._path)

    def run_inference(
        self,
        batch: Sequence[Block],
        model: SavedModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[Scored]:
        """Yields the answers to each block.

        Raises:
            ModelError: the model fails on a row.
        """
        for block in batch:
            yield Scored(block, ask(model, block.examples))

    def batch_elements_kwargs(self) -> Mapping[str, Any]:
        """A block is a batch already."""
        return {"min_batch_size": 1, "max_batch_size": 1}

    def get_num_bytes(self, batch: Sequence[Block]) -> int:
        """The size of what is sent to the model."""
        return sum(len(example) for block in batch for example in block.examples)

    def get_metrics_namespace(self) -> str:
        """Where Beam counts."""
        return "waybill.scoring"


def ask(model: SavedModel, examples: Sequence[bytes]) -> pa.RecordBatch:
    """The answers to serialized tf.Examples, as columns.

    Raises:
        ModelError: the model fails on a row, or does not answer row by row.
    """
    rows = np.empty(len(examples), object)
    rows[:] = list(examples)
    (name,) = model.signatures[SIGNATURE].inputs
    outputs = model.run({name: rows}, signature=SIGNATURE)
    try:
        columns = answers.to_columns(outputs, len(examples))
    except ValueError as error:
        raise ModelError(f"The model does not answer row by row: {error}.") from error
    return pa.RecordBatch.from_arrays(
        [_arrow(column) for column in columns.values()], names=list(columns)
    )


def probe(path: Path) -> pa.Schema:
    """Loads the model to see what it answers: the columns of the answers.

    Raises:
        ConfigError: it does not load, or cannot be asked with tf.Examples.
    """
    try:
        model = SavedModel(path)
        asked = model.signatures.get(SIGNATURE)
        if asked is None or [ref.dtype for ref in asked.inputs.values()] != [_STRING]:
            raise ModelError(f"it has no signature {SIGNATURE} that takes serialized tf.Examples")
        found = ask(model, [b""]).schema
        model.close()
        return found
    except ModelError as error:
        raise ConfigError(f"The model {path} cannot be used: {error}") from error


_STRING = 7


def _arrow(column: np.ndarray[Any, Any]) -> pa.Array:
    if column.dtype.kind != "O":
        return pa.array(column)
    return pa.array([answers.text(value) for value in column], pa.string())
