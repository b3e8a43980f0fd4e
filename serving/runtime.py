"""Loads and runs a SavedModel with TensorFlow's C library alone, as TF Serving does.

`TF_LoadSessionFromSavedModel` is the loader TF Serving uses: graph, variables and tables come from
the SavedModel's own files, and no Python code of the model's author or of TensorFlow takes part.
The library is the one inside the installed `tensorflow` wheel, loaded through `ctypes`: a process
that needs nothing else starts in half a second, where `import tensorflow` takes several.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import importlib.util
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from serving.c_api import load_library
from serving.errors import ModelError
from serving.signatures import Signature, TensorRef, read_signatures

SERVE_TAG = b"serve"
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")

_STRING = 7
_STRING_BYTES = 24  # sizeof(TF_TString), part of TensorFlow's C ABI
_NUMBERS: Mapping[int, Any] = {
    1: ctypes.c_float,
    2: ctypes.c_double,
    3: ctypes.c_int32,
    9: ctypes.c_int64,
    10: ctypes.c_bool,
}


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor as plain Python values.

    `values` holds float, int, bool or bytes, in row-major order.
    """

    shape: tuple[int, ...]
    values: Sequence[Any]

    def rows(self) -> list[list[Any]]:
        """The values by their first dimension, everything behind it flattened."""
        if not self.shape:
            return [list(self.values)]
        width = math.prod(self.shape[1:])
        return [list(self.values[i * width : (i + 1) * width]) for i in range(self.shape[0])]


def find_library() -> Path:
    """The C library of the installed TensorFlow, found without importing it.

    Raises:
        ModelError: TensorFlow is not installed, or its wheel lacks the library.
    """
    spec = importlib.util.find_spec("tensorflow")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in LIBRARIES:
            if (library := Path(folder) / name).is_file():
                return library
    raise ModelError(
        f"Found none of {', '.join(LIBRARIES)} in an installed 'tensorflow'. "
        "Install the versions named in requirements.lock."
    )


class SavedModel:
    """A loaded SavedModel; any number of threads may ask it at once.

    Attributes:
        signatures: what the model can be asked, by name.
    """

    def __init__(self, path: Path, *, library: Path | None = None) -> None:
        """Loads graph, variables and tables into a session.

        Args:
            path: the folder that holds `saved_model.pb`.
            library: TensorFlow's C library; searched in the installed package by default.

        Raises:
            ModelError: the library or the model does not load.
        """
        self._tf = load_library(library or find_library())
        self._graph = ctypes.c_void_p(self._tf.TF_NewGraph())
        options = ctypes.c_void_p(self._tf.TF_NewSessionOptions())
        meta = ctypes.c_void_p(self._tf.TF_NewBuffer())
        try:
            with self._checked(f"{path} does not load") as status:
                self._session = ctypes.c_void_p(
                    self._tf.TF_LoadSessionFromSavedModel(
                        options,
                        None,
                        str(path).encode(),
                        (ctypes.c_char_p * 1)(SERVE_TAG),
                        1,
                        self._graph,
                        meta,
                        status,
                    )
                )
            view = _Buffer.from_address(meta.value or 0)
            self.signatures: Mapping[str, Signature] = read_signatures(
                ctypes.string_at(view.data, view.length)
            )
        finally:
            self._tf.TF_DeleteBuffer(meta)
            self._tf.TF_DeleteSessionOptions(options)

    def close(self) -> None:
        """Gives the model's memory back; no request may be under way, or follow."""
        with self._checked("the session does not close") as status:
            self._tf.TF_CloseSession(self._session, status)
        with self._checked("the session cannot be deleted") as status:
            self._tf.TF_DeleteSession(self._session, status)
        self._tf.TF_DeleteGraph(self._graph)

    def predict(self, examples: Sequence[bytes], *, signature: str) -> dict[str, Tensor]:
        """Sends one batch of serialized tf.Examples through a signature.

        Args:
            examples: the serialized tf.Examples, one a row.
            signature: a signature with one input, of strings.

        Returns:
            Every output of the signature by its name.

        Raises:
            ModelError: no such signature, not of that form, or the model fails on the batch.
        """
        inputs = self._find(signature).inputs
        if [ref.dtype for ref in inputs.values()] != [_STRING]:
            raise ModelError(
                f"signature '{signature}' takes {', '.join(inputs)}; expected one input, "
                "serialized tf.Examples"
            )
        (name,) = inputs
        return self.predict_columns({name: Tensor((len(examples),), examples)}, signature=signature)

    def predict_columns(
        self, columns: Mapping[str, Tensor], *, signature: str
    ) -> dict[str, Tensor]:
        """Sends one batch through a signature with any inputs.

        Args:
            columns: a tensor for each input of the signature, by its name.
            signature: which.

        Returns:
            Every output of the signature by its name.

        Raises:
            ModelError: no such signature, it has other inputs, or the model fails on the batch.
        """
        asked = self._find(signature)
        if columns.keys() != asked.inputs.keys():
            raise ModelError(
                f"signature '{signature}' takes {', '.join(asked.inputs)}; it was given "
                f"{', '.join(sorted(columns)) or 'nothing'}"
            )
        num_rows = next((tensor.shape[0] for tensor in columns.values() if tensor.shape), 1)
        batch: list[int] = []
        results = (ctypes.c_void_p * len(asked.outputs))()
        try:
            for name, ref in asked.inputs.items():
                batch.append(self._write(columns[name], ref.dtype))
            with self._checked(f"signature '{signature}' fails on {num_rows} row(s)") as status:
                self._tf.TF_SessionRun(
                    *(self._session, None),
                    (_Output * len(batch))(*map(self._output, asked.inputs.values())),
                    *((ctypes.c_void_p * len(batch))(*batch), len(batch)),
                    (_Output * len(asked.outputs))(*map(self._output, asked.outputs.values())),
                    *(results, len(asked.outputs)),
                    *(None, 0, None, status),
                )
            return {
                name: self._read(ctypes.c_void_p(tensor))
                for name, tensor in zip(asked.outputs, results, strict=True)
            }
        finally:
            for tensor in (*batch, *filter(None, results)):
                self._tf.TF_DeleteTensor(ctypes.c_void_p(tensor))

    def _find(self, name: str) -> Signature:
        if name not in self.signatures:
            known = ", ".join(sorted(self.signatures)) or "none"
            raise ModelError(f"the model has no signature '{name}'; it has: {known}")
        return self.signatures[name]

    def _output(self, ref: TensorRef) -> _Output:
        operation, _, index = ref.name.partition(":")
        found = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise ModelError(f"the graph has no operation '{operation}', named by a signature")
        return _Output(found, int(index or 0))

    def _write(self, tensor: Tensor, dtype: int) -> int:
        """A new tensor of TensorFlow's; strings in it refer to `values`, which must outlive it."""
        if dtype != _STRING and dtype not in _NUMBERS:
            raise ModelError(f"an input has TensorFlow's type {dtype}; a client cannot give it")
        size = len(tensor.values)
        if size != math.prod(tensor.shape):
            raise ModelError(f"an input of shape {tensor.shape} was given {size} value(s)")
        cell_bytes = _STRING_BYTES if dtype == _STRING else ctypes.sizeof(_NUMBERS[dtype])
        dims = (ctypes.c_int64 * len(tensor.shape))(*tensor.shape)
        made: int = self._tf.TF_AllocateTensor(dtype, dims, len(dims), size * cell_bytes)
        start = self._tf.TF_TensorData(ctypes.c_void_p(made))
        if dtype != _STRING:
            if size:
                (_NUMBERS[dtype] * size).from_address(start)[:] = tensor.values
            return made
        for i, value in enumerate(tensor.values):
            cell = ctypes.c_void_p(start + i * _STRING_BYTES)
            self._tf.TF_StringInit(cell)
            self._tf.TF_StringAssignView(cell, value, len(value))
        return made

    def _read(self, tensor: ctypes.c_void_p) -> Tensor:
        shape = tuple(self._tf.TF_Dim(tensor, i) for i in range(self._tf.TF_NumDims(tensor)))
        size = math.prod(shape)
        dtype = self._tf.TF_TensorType(tensor)
        start = self._tf.TF_TensorData(tensor)
        if dtype == _STRING:
            cells = [ctypes.c_void_p(start + i * _STRING_BYTES) for i in range(size)]
            return Tensor(shape, [self._read_string(cell) for cell in cells])
        if dtype not in _NUMBERS:
            raise ModelError(f"an output has TensorFlow's type {dtype}; a server cannot answer it")
        return Tensor(shape, list((_NUMBERS[dtype] * size).from_address(start)) if size else [])

    def _read_string(self, cell: ctypes.c_void_p) -> bytes:
        return ctypes.string_at(
            self._tf.TF_StringGetDataPointer(cell), self._tf.TF_StringGetSize(cell)
        )

    @contextlib.contextmanager
    def _checked(self, what: str) -> Iterator[ctypes.c_void_p]:
        """Gives a status to a call into the library, and raises what the call says in it."""
        status = ctypes.c_void_p(self._tf.TF_NewStatus())
        try:
            yield status
            if self._tf.TF_GetCode(status):
                # What follows the first line are TensorFlow's lists of kernels and nodes.
                message = self._tf.TF_Message(status).decode(errors="replace")
                raise ModelError(f"{what}: {message.strip().partition(chr(10))[0]}")
        finally:
            self._tf.TF_DeleteStatus(status)
