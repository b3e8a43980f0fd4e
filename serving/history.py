"""The changes of a model's labels, oldest first: who moved which, from where to where, and why.

What `rollback` goes back to, and which pushes already had their say, is told from these.
"""

from __future__ import annotations

import dataclasses
import datetime
import getpass
import json
import socket
from collections.abc import Iterable, Sequence

from serving.errors import LabelError

PROMOTE, ROLLBACK, LABEL, UNLABEL, PUSH = "promote", "rollback", "label", "unlabel", "push"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """One label that was moved, set or taken away.

    Attributes:
        at: when, in UTC, ISO 8601.
        model: whose label.
        label: which.
        action: `promote`, `rollback`, `label`, `unlabel` or `push`.
        from_version: what it pointed to before, if to anything.
        to_version: what it points to since, if to anything.
        reason: in the words of who did it; may be empty.
        user: who did it.
        host: on which machine.
    """

    at: str
    model: str
    label: str
    action: str
    from_version: int | None
    to_version: int | None
    reason: str
    user: str
    host: str


def change(
    action: str,
    *,
    model: str,
    label: str,
    from_version: int | None,
    to_version: int | None,
    reason: str,
) -> Change:
    """A change made now by this process's user."""
    return Change(
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        model=model,
        label=label,
        action=action,
        from_version=from_version,
        to_version=to_version,
        reason=reason,
        user=_user(),
        host=socket.gethostname(),
    )


def render(changes: Iterable[Change]) -> bytes:
    """The text of a history: one JSON object a line."""
    return "".join(
        json.dumps(dataclasses.asdict(item), sort_keys=True) + "\n" for item in changes
    ).encode()


def parse(text: bytes, *, origin: str) -> tuple[Change, ...]:
    """Reads `render` back.

    Raises:
        LabelError: a line is no change; `origin` names the file.
    """
    changes = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            changes.append(Change(**json.loads(line)))
        except (ValueError, TypeError) as error:
            raise LabelError(
                f"{origin}, line {number}, is no change of a label: {error}. Remove the line, or "
                "move the file away: then there is nothing to roll back to until a label moves."
            ) from error
    return tuple(changes)


def earlier(changes: Sequence[Change], label: str, current: int | None) -> list[int]:
    """What a label was rolled forward from, newest first: what a rollback can go back to.

    A rollback takes the version that it leaves out of the list: two in a row go back two steps.

    Args:
        changes: all changes of the model.
        label: which label.
        current: what it points to now, also where the changes do not say so.
    """
    stack: list[int] = []
    for item in changes:
        if item.label != label or item.to_version is None:
            continue
        if item.action == ROLLBACK:
            while stack and stack[-1] != item.to_version:
                stack.pop()
        if not stack or stack[-1] != item.to_version:
            stack.append(item.to_version)
    if current is not None and stack and stack[-1] == current:
        stack.pop()
    return [number for number in dict.fromkeys(reversed(stack)) if number != current]


def was_pushed(changes: Iterable[Change], label: str, number: int) -> bool:
    """Whether a push moved the label to this version, or to a newer one, before."""
    return any(
        item.action == PUSH
        and item.label == label
        and item.to_version is not None
        and item.to_version >= number
        for item in changes
    )


def rolled_back(changes: Iterable[Change], label: str) -> set[int]:
    """The versions that a person rolled the label back from, and did not choose again."""
    found: set[int] = set()
    for item in changes:
        if item.label == label and item.action == ROLLBACK and item.from_version is not None:
            found.add(item.from_version)
        if item.label == label and item.to_version is not None:
            found.discard(item.to_version)
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
