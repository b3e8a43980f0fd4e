"""Runs a command in a process of its own, and again while another attempt is worth its time."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence

import tenacity

# Training saves before it ends.
GRACE_S = 45.0


def run(
    command: Sequence[str],
    *,
    retries: int,
    delay_s: float,
    timeout_s: float | None,
    worth_it: Collection[int],
) -> int:
    """Runs the command to its end.

    An attempt that was killed, or took too long, is worth another one; whoever stops this process
    stops the command as well, for good.

    Args:
        command: and its arguments.
        retries: further attempts.
        delay_s: before the second attempt; doubled before each further one.
        timeout_s: after which an attempt is interrupted; None for no limit.
        worth_it: exit codes that another attempt may change.

    Returns:
        The exit code of the last attempt, as a shell tells it.
    """
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries + 1),
        wait=tenacity.wait_exponential(multiplier=delay_s),
        retry=tenacity.retry_if_result(lambda code: code < 0 or code in worth_it),
        before_sleep=_tell,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    code: int = attempts(_attempt, command, timeout_s)
    return 128 - code if code < 0 else code


def _attempt(command: Sequence[str], timeout_s: float | None) -> int:
    with subprocess.Popen(list(command)) as process, _stopping(process):
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            print(f"interrupted after {timeout_s:g} s", file=sys.stderr, flush=True)
            _stop(process)
            return -signal.SIGALRM


@contextlib.contextmanager
def _stopping(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Stops the process if this one is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        _stop(process)
        raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the process to end, and ends it if it does not."""
    process.terminate()
    try:
        process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(state: tenacity.RetryCallState) -> None:
    """Says why it goes on, and when."""
    assert state.outcome is not None
    assert state.next_action is not None
    print(
        f"attempt {state.attempt_number} ended with exit code {state.outcome.result()}; "
        f"another one in {state.next_action.sleep:g} s",
        file=sys.stderr,
        flush=True,
    )
