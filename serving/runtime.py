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
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving import tensors
from serving.c_api import load_library
from serving.errors import ModelError
from serving.signatures import Signature, TensorRef, read_signatures, signature_map, to_varint
from serving.tensors import Tensor

if TYPE_CHECKING:
    import numpy as np

SERVE_TAG = b"serve"
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_cc.2.dylib")

# The names of gRPC's status codes, in the order of their numbers; TensorFlow numbers its own so.
_CODES = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND"),
    *("ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION"),
    *("ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
    "UNAUTHENTICATED",
)


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


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


@dataclasses.dataclass(frozen=True)
class _Question:
    """A signature as the library takes it: pointers into the graph, in the order of the names."""

    inputs: ctypes.Array[_Output]
    outputs: ctypes.Array[_Output]


class SavedModel:
    """A loaded SavedModel; any number of threads may ask it at once.

    Attributes:
        signatures: what the model can be asked, by name.
        signature_map: the same with all the model says, as a serialized SignatureDefMap.
    """

    def __init__(
        self,
        path: Path,
        *,
        library: Path | None = None,
        num_threads: int = 0,
        timeout_ms: int = 0,
    ) -> None:
        """Loads graph, variables and tables into a session.

        Args:
            path: the folder that holds `saved_model.pb`.
            library: TensorFlow's C library; searched in the installed package by default.
            num_threads: the size of TensorFlow's thread pools, at most 127; 0 is one for each core.
                The first model of a process decides.
            timeout_ms: after this time a call is given up; 0 is never.

        Raises:
            ModelError: the library or the model does not load.
        """
        self._tf = load_library(library or find_library())
        self._graph = ctypes.c_void_p(self._tf.TF_NewGraph())
        self._run_options = self._new_run_options(timeout_ms)
        options = ctypes.c_void_p(self._tf.TF_NewSessionOptions())
        meta = ctypes.c_void_p(self._tf.TF_NewBuffer())
        try:
            if num_threads:
                # ConfigProto.intra_op_parallelism_threads = 2, .inter_op_parallelism_threads = 5
                config = bytes([0x10, num_threads, 0x28, num_threads])
                with self._checked("the threads cannot be set") as status:
                    self._tf.TF_SetConfig(options, config, len(config), status)
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
            meta_graph = ctypes.string_at(view.data, view.length)
            self.signatures: Mapping[str, Signature] = read_signatures(meta_graph)
            self.signature_map = signature_map(meta_graph)
        finally:
            self._tf.TF_DeleteBuffer(meta)
            self._tf.TF_DeleteSessionOptions(options)
        self._questions: dict[str, _Question] = {}

    def close(self) -> None:
        """Gives the model's memory back; no request may be under way, or follow."""
        with self._checked("the session does not close") as status:
            self._tf.TF_CloseSession(self._session, status)
        with self._checked("the session cannot be deleted") as status:
            self._tf.TF_DeleteSession(self._session, status)
        self._tf.TF_DeleteGraph(self._graph)
        if self._run_options:
            self._tf.TF_DeleteBuffer(self._run_options)

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
        if [ref.dtype for ref in inputs.values()] != [tensors.STRING]:
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
        return self._run(
            columns,
            signature,
            lambda column, dtype: tensors.write(self._tf, column, dtype),
            lambda tensor: tensors.read(self._tf, tensor),
        )

    def run(self, arrays: Mapping[str, np.ndarray], *, signature: str) -> dict[str, np.ndarray]:
        """Sends one batch through a signature, as numpy arrays.

        Args:
            arrays: an array for each input of the signature, by its name, of the input's type;
                strings are object arrays of bytes.
            signature: which.

        Returns:
            Every output of the signature by its name, of memory of its own.

        Raises:
            ModelError: no such signature, it has other inputs, or the model fails on the batch.
        """
        # The process of the serving check has no numpy.
        from serving import arrays as numpy_arrays

        keep: list[object] = []
        return self._run(
            arrays,
            signature,
            lambda array, dtype: numpy_arrays.write(self._tf, array, dtype, keep),
            lambda tensor: numpy_arrays.read(self._tf, tensor),
        )

    def _run(
        self,
        columns: Mapping[str, Any],
        signature: str,
        write: Callable[[Any, int], int],
        read: Callable[[int], Any],
    ) -> dict[str, Any]:
        asked = self._find(signature)
        if columns.keys() != asked.inputs.keys():
            raise ModelError(
                f"signature '{signature}' takes {', '.join(asked.inputs)}; it was given "
                f"{', '.join(sorted(columns)) or 'nothing'}"
            )
        question = self._question(signature, asked)
        batch: list[int] = []
        results = (ctypes.c_void_p * len(asked.outputs))()
        try:
            for name, ref in asked.inputs.items():
                batch.append(write(columns[name], ref.dtype))
            num_rows = next((column.shape[0] for column in columns.values() if column.shape), 1)
            with self._checked(f"signature '{signature}' fails on {num_rows} row(s)") as status:
                self._tf.TF_SessionRun(
                    *(self._session, self._run_options),
                    *(question.inputs, (ctypes.c_void_p * len(batch))(*batch), len(batch)),
                    *(question.outputs, results, len(asked.outputs)),
                    *(None, 0, None, status),
                )
            return {name: read(tensor) for name, tensor in zip(asked.outputs, results, strict=True)}
        finally:
            for tensor in (*batch, *filter(None, results)):
                self._tf.TF_DeleteTensor(tensor)

    def _find(self, name: str) -> Signature:
        if name not in self.signatures:
            known = ", ".join(sorted(self.signatures)) or "none"
            raise ModelError(f"the model has no signature '{name}'; it has: {known}")
        return self.signatures[name]

    def _question(self, name: str, signature: Signature) -> _Question:
        if name not in self._questions:
            inputs = [self._output(ref) for ref in signature.inputs.values()]
            outputs = [self._output(ref) for ref in signature.outputs.values()]
            self._questions[name] = _Question(
                (_Output * len(inputs))(*inputs), (_Output * len(outputs))(*outputs)
            )
        return self._questions[name]

    def _output(self, ref: TensorRef) -> _Output:
        operation, _, index = ref.name.partition(":")
        found = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise ModelError(f"the graph has no operation '{operation}', named by a signature")
        return _Output(found, int(index or 0))

    def _new_run_options(self, timeout_ms: int) -> ctypes.c_void_p | None:
        if not timeout_ms:
            return None
        message = b"\x10" + to_varint(timeout_ms)  # RunOptions.timeout_in_ms = 2
        return ctypes.c_void_p(self._tf.TF_NewBufferFromString(message, len(message)))

    @contextlib.contextmanager
    def _checked(self, what: str) -> Iterator[ctypes.c_void_p]:
        """Gives a status to a call into the library, and raises what the call says in it."""
        status = ctypes.c_void_p(self._tf.TF_NewStatus())
        try:
            yield status
            if code := self._tf.TF_GetCode(status):
                # What follows the first line are TensorFlow's lists of kernels and nodes.
                message = self._tf.TF_Message(status).decode(errors="replace")
                raise ModelError(
                    f"{what}: {message.strip().partition(chr(10))[0]}",
                    code=_CODES[code] if code < len(_CODES) else "UNKNOWN",
                )
        finally:
            self._tf.TF_DeleteStatus(status)
