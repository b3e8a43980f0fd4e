"""Runs the probe in a process of its own, and turns every way it can end into an answer."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from components.errors import ModelNotServable, NodeFailed
from components.features import DataSpec
from components.serving_check.raw import raw_columns
from components.serving_check.verdict import Answers
from serving.errors import ModelError
from serving.runtime import find_library

_ROOT = Path(__file__).parents[2]
_STDERR_LINES = 5
_STDERR_CHARACTERS = 1000
# No site-packages and no environment: of all packages the probe sees only this repository's.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from components.serving_check import probe; probe.main(int(sys.argv[2]))"
)
# What the library says at every start: information, warnings, and that there is no GPU.
_CHATTER = re.compile(r"[IW]\d{4} |WARNING: All log messages before|E\d{4} .*cuInit")
_ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1", "LC_ALL": "C.UTF-8"}


@contextmanager
def serve(
    model: Path,
    rows: Sequence[bytes],
    odd_rows: Mapping[str, bytes],
    *,
    data_spec: DataSpec,
    timeout_s: float,
) -> Iterator[concurrent.futures.Future[Answers]]:
    """Starts a process that loads `model` and answers the rows.

    The process works while the `with` block runs; it dies at its end and with this process.

    Args:
        model: the folder that holds `saved_model.pb`.
        rows: serialized tf.Examples, as a client sends them.
        odd_rows: more of them, each sent alone, by what to call it in a message.
        data_spec: the columns, to send all rows as columns too.
        timeout_s: how long all of it may take.

    Yields:
        The answers to come; ModelNotServable, with the reason, if there will be none.
    """
    request = {
        "model": str(model.absolute()),
        "library": str(_library()),
        "rows": [_text(row) for row in rows],
        "odd_rows": {name: _text(row) for name, row in odd_rows.items()},
        "columns": raw_columns(rows, data_spec),
        "odd_columns": {name: raw_columns([row], data_spec) for name, row in odd_rows.items()},
    }
    lifeline, held = os.pipe()
    with (
        tempfile.TemporaryDirectory(prefix="serving-check-") as folder,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        try:
            process = _start(Path(folder), lifeline)
            try:
                yield pool.submit(_collect, process, json.dumps(request).encode(), timeout_s)
            finally:
                process.kill()
        finally:
            os.close(held)
            os.close(lifeline)


def _start(folder: Path, lifeline: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_ROOT), str(lifeline)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_ENVIRONMENT,
        pass_fds=[lifeline],
    )


def _collect(process: subprocess.Popen[bytes], request: bytes, timeout_s: float) -> Answers:
    try:
        stdout, stderr = process.communicate(request, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        _, stderr = process.communicate()
        raise ModelNotServable(
            f"The model did not load and answer within {timeout_s:g} s (timeout_s)."
            + _last_words(stderr)
        ) from None
    try:
        document = json.loads(stdout) if process.returncode == 0 else None
    except ValueError:
        document = None
    if document is None:
        raise ModelNotServable(
            f"The process that served the model {_ending(process.returncode)}."
            + _last_words(stderr)
        )
    if "error" in document:
        raise ModelNotServable(f"A server cannot use the model: {document['error']}.")
    return Answers(**document)


def _ending(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return "gave no answer" if code == 0 else f"ended with exit code {code}"


def _last_words(stderr: bytes) -> str:
    lines = [
        line for line in stderr.decode(errors="replace").splitlines() if not _CHATTER.match(line)
    ]
    said = " | ".join(line.strip() for line in lines[-_STDERR_LINES:] if line.strip())
    return f" It said last: {said[-_STDERR_CHARACTERS:]}" if said else ""


def _library() -> Path:
    try:
        return find_library()
    except ModelError as error:
        raise NodeFailed(f"The ServingCheck cannot run. {error}") from error


def _text(row: bytes) -> str:
    return base64.b64encode(row).decode("ascii")
