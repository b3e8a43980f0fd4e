"""The program of the process that plays the server: loads one model, answers, and ends.

It reads one JSON document from stdin and writes one to stdout. It runs without site-packages, so
the model meets what a server gives it: TensorFlow's C library, and nothing of the pipeline.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import resource
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serving.errors import ModelError
from serving.runtime import SavedModel, Tensor

SIGNATURE = "serving_default"
RAW_SIGNATURE = "serving_raw"
_MIN_CALLS = 200
_MAX_CALLS_S = 2.0


def main(lifeline: int) -> None:
    """Answers the request on stdin.

    Args:
        lifeline: a descriptor whose other end the parent holds; at its end the parent is dead.
    """
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    # What the library or the model prints must not get between the JSON.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    try:
        document = _answer(request)
    except ModelError as error:
        document = {"error": str(error)}
    with answer:
        json.dump(document, answer)
    # Nothing is left to clean up, and the library's own threads need not be joined.
    os._exit(0)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    start = time.perf_counter()
    model = SavedModel(Path(request["model"]), library=Path(request["library"]))
    load_s = time.perf_counter() - start
    rows = [base64.b64decode(row) for row in request["rows"]]
    outputs = _ask(model, rows)
    raw_outputs = _ask_raw(model, request["columns"], len(rows))
    odd_outputs, raw_odd_outputs = {}, {}
    for name, row in request["odd_rows"].items():
        try:
            odd_outputs[name] = _ask(model, [base64.b64decode(row)])
            raw_odd_outputs[name] = _ask_raw(model, request["odd_columns"][name], 1)
        except ModelError as error:
            raise ModelError(f"for {name}: {error}") from error
    return {
        "outputs": outputs,
        "odd_outputs": odd_outputs,
        "raw_outputs": raw_outputs,
        "raw_odd_outputs": raw_odd_outputs,
        "latencies_ms": _latencies_ms(model, rows),
        "load_s": load_s,
        "peak_bytes": _peak_bytes(),
    }


def _ask(model: SavedModel, rows: Sequence[bytes]) -> dict[str, list[list[Any]]]:
    return _by_row(model.predict(rows, signature=SIGNATURE), len(rows))


def _ask_raw(
    model: SavedModel, columns: dict[str, dict[str, Any]], num_rows: int
) -> dict[str, list[list[Any]]]:
    tensors = {}
    for name, column in columns.items():
        values = column["values"]
        if column["base64"]:
            values = [base64.b64decode(value) for value in values]
        tensors[name] = Tensor(tuple(column["shape"]), values)
    return _by_row(model.predict_columns(tensors, signature=RAW_SIGNATURE), num_rows)


def _by_row(answers: dict[str, Tensor], num_rows: int) -> dict[str, list[list[Any]]]:
    outputs = {}
    for name, tensor in answers.items():
        if tensor.shape[:1] != (num_rows,):
            raise ModelError(f"output '{name}' has shape {tensor.shape} for {num_rows} row(s)")
        outputs[name] = [[_plain(value) for value in row] for row in tensor.rows()]
    return outputs


def _plain(value: Any) -> Any:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _latencies_ms(model: SavedModel, rows: Sequence[bytes]) -> list[float]:
    """Times calls with one row each, after every row has been asked once."""
    latencies: list[float] = []
    deadline = time.perf_counter() + _MAX_CALLS_S
    for row in itertools.islice(itertools.cycle(rows), max(_MIN_CALLS, len(rows))):
        start = time.perf_counter()
        model.predict([row], signature=SIGNATURE)
        end = time.perf_counter()
        latencies.append(1000 * (end - start))
        if end > deadline:
            break
    return latencies


def _peak_bytes() -> int:
    """The largest resident memory of this process so far.

    What `getrusage` says begins, on Linux, with the size of the process that started this one.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def _die_with_parent(lifeline: int) -> None:
    os.read(lifeline, 1)
    os._exit(1)
