"""TensorFlow's C API through `ctypes`: which functions are called, and their types.

Calls that may take long give Python's lock back meanwhile. All others keep it: to give it back and
to wait for it again would take longer than the call.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serving.errors import ModelError

_POINTER, _SIZE, _INT, _TEXT = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_char_p

# Function to its result and arguments.
_LONG_CALLS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_LoadSessionFromSavedModel": (
        _POINTER,
        (_POINTER, _POINTER, _TEXT, _POINTER, _INT, _POINTER, _POINTER, _POINTER),
    ),
    "TF_SessionRun": (
        None,
        (
            *(_POINTER, _POINTER),
            *(_POINTER, _POINTER, _INT),
            *(_POINTER, _POINTER, _INT),
            *(_POINTER, _INT, _POINTER, _POINTER),
        ),
    ),
    "TF_CloseSession": (None, (_POINTER, _POINTER)),
    "TF_DeleteSession": (None, (_POINTER, _POINTER)),
    "TF_DeleteGraph": (None, (_POINTER,)),
}
_SHORT_CALLS: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "TF_NewStatus": (_POINTER, ()),
    "TF_GetCode": (_INT, (_POINTER,)),
    "TF_Message": (_TEXT, (_POINTER,)),
    "TF_DeleteStatus": (None, (_POINTER,)),
    "TF_NewBuffer": (_POINTER, ()),
    "TF_NewBufferFromString": (_POINTER, (_TEXT, _SIZE)),
    "TF_DeleteBuffer": (None, (_POINTER,)),
    "TF_NewGraph": (_POINTER, ()),
    "TF_GraphOperationByName": (_POINTER, (_POINTER, _TEXT)),
    "TF_NewSessionOptions": (_POINTER, ()),
    "TF_SetConfig": (None, (_POINTER, _TEXT, _SIZE, _POINTER)),
    "TF_DeleteSessionOptions": (None, (_POINTER,)),
    "TF_AllocateTensor": (_POINTER, (_INT, _POINTER, _INT, _SIZE)),
    "TF_DeleteTensor": (None, (_POINTER,)),
    "TF_TensorType": (_INT, (_POINTER,)),
    "TF_NumDims": (_INT, (_POINTER,)),
    "TF_Dim": (ctypes.c_int64, (_POINTER, _INT)),
    "TF_TensorData": (_POINTER, (_POINTER,)),
    "TF_TensorByteSize": (_SIZE, (_POINTER,)),
    "TF_StringInit": (None, (_POINTER,)),
    "TF_StringCopy": (None, (_POINTER, _TEXT, _SIZE)),
    "TF_StringAssignView": (None, (_POINTER, _TEXT, _SIZE)),
    "TF_StringGetDataPointer": (_POINTER, (_POINTER,)),
    "TF_StringGetSize": (_SIZE, (_POINTER,)),
}


def load_library(path: Path) -> Any:
    """Loads the library and declares every function that is called.

    Raises:
        ModelError: it does not load, or lacks a function.
    """
    try:
        tf: Any = ctypes.PyDLL(str(path))
        waiting: Any = ctypes.CDLL(str(path))
        for name in _LONG_CALLS:
            setattr(tf, name, getattr(waiting, name))
        for name, (result, arguments) in {**_LONG_CALLS, **_SHORT_CALLS}.items():
            function = getattr(tf, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ModelError(f"TensorFlow's library does not load: {error}") from error
    return tf
