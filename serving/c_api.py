"""TensorFlow's C API through `ctypes`: which functions are called, and their types."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from serving.errors import ModelError

_POINTER_RESULTS = (
    "TF_NewStatus",
    "TF_NewGraph",
    "TF_NewBuffer",
    "TF_NewSessionOptions",
    "TF_LoadSessionFromSavedModel",
    "TF_GraphOperationByName",
    "TF_AllocateTensor",
    "TF_TensorData",
    "TF_StringGetDataPointer",
)
_RELEASES = (
    "TF_DeleteBuffer",
    "TF_DeleteGraph",
    "TF_DeleteSessionOptions",
    "TF_DeleteStatus",
    "TF_DeleteTensor",
    "TF_StringInit",
)


def load_library(path: Path) -> Any:
    """Loads the library and declares every function whose default types would be wrong.

    Raises:
        ModelError: it does not load.
    """
    try:
        tf: Any = ctypes.CDLL(str(path))
    except OSError as error:
        raise ModelError(f"TensorFlow's library does not load: {error}") from error
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    for name in _POINTER_RESULTS:
        getattr(tf, name).restype = pointer
    tf.TF_Message.restype = ctypes.c_char_p
    tf.TF_Dim.restype = ctypes.c_int64
    tf.TF_StringGetSize.restype = size
    for name in ("TF_GetCode", "TF_Message", "TF_NumDims", "TF_TensorType", "TF_TensorData"):
        getattr(tf, name).argtypes = (pointer,)
    for name in _RELEASES:
        getattr(tf, name).argtypes = (pointer,)
        getattr(tf, name).restype = None
    for name in ("TF_CloseSession", "TF_DeleteSession"):
        getattr(tf, name).argtypes = (pointer, pointer)
        getattr(tf, name).restype = None
    tf.TF_Dim.argtypes = (pointer, ctypes.c_int)
    tf.TF_StringGetSize.argtypes = tf.TF_StringGetDataPointer.argtypes = (pointer,)
    tf.TF_StringAssignView.argtypes = (pointer, ctypes.c_char_p, size)
    tf.TF_GraphOperationByName.argtypes = (pointer, ctypes.c_char_p)
    tf.TF_AllocateTensor.argtypes = (ctypes.c_int, pointer, ctypes.c_int, size)
    tf.TF_LoadSessionFromSavedModel.argtypes = (
        *(pointer, pointer, ctypes.c_char_p, pointer),
        *(ctypes.c_int, pointer, pointer, pointer),
    )
    tf.TF_SessionRun.argtypes = (
        *(pointer, pointer),
        *(pointer, pointer, ctypes.c_int),
        *(pointer, pointer, ctypes.c_int),
        *(pointer, ctypes.c_int, pointer, pointer),
    )
    tf.TF_SessionRun.restype = None
    return tf
