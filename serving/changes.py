"""Moves labels in the two steps that TF Serving needs, goes back, and removes old versions.

A server takes a label only to a version that it has loaded. So first `models.config` names the
version, with all labels as they were; then, once the server has loaded it, the label is moved.
What a label may be rolled back to stays named, and so loaded: going back is one step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from serving import history
from serving.errors import Damaged, LabelError, NotFound
from serving.history import PUSH, ROLLBACK, UNLABEL, Change
from serving.label_state import State
from serving.shelves import Shelf

# Returns when a server has loaded the version; raises NotLoaded.
Wait = Callable[[int], None]
_LABEL = re.compile(r"[A-Za-z0-9_]+")


def set_label(
    shelf: Shelf,
    label: str,
    number: int,
    *,
    action: str,
    reason: str = "",
    wait: Wait | None = None,
) -> Change | None:
    """Points a label to a version whose files are as published.

    Args:
        shelf: the versions of the model.
        label: letters, digits and `_`, as TF Serving allows.
        number: the version.
        action: what to note: `promote` or `label`.
        reason: why, to note.
        wait: waits for a server, between the two steps.

    Returns:
        The change; none if the label points there already.

    Raises:
        LabelError: it cannot; NotFound, Damaged or NotLoaded tell why.
    """
    check_label(label)
    with shelf.locked_labels():
        state = State(shelf)
        _check(shelf, state, number)
        state.write(also=[number])
        if wait is None:
            return _point(shelf, state, label, number, action=action, reason=reason)
    wait(number)
    with shelf.locked_labels():
        return _point(shelf, State(shelf), label, number, action=action, reason=reason)


def roll_back(shelf: Shelf, label: str, *, reason: str = "", wait: Wait | None = None) -> Change:
    """Puts a label back on the version that it pointed to before.

    Raises:
        LabelError: there is none, its files are damaged, or the server does not load it.
    """
    with shelf.locked_labels():
        state = State(shelf)
        number = _target(shelf, state, label)
        state.write(also=[number])
        if wait is None:
            return _rolled(shelf, state, label, number, reason)
    wait(number)
    with shelf.locked_labels():
        return _rolled(shelf, State(shelf), label, number, reason)


def unload(shelf: Shelf) -> None:
    """Names in `models.config` only what is needed: not what a label was rolled back from.

    Any later change does the same. Done at once with a rollback, a server might unload the version
    before it has moved the label, and fail requests.

    Raises:
        LabelError: it cannot.
    """
    with shelf.locked_labels():
        State(shelf).write()


def take_label(shelf: Shelf, label: str, *, reason: str = "") -> Change:
    """Takes a label away.

    Raises:
        NotFound: the model has no such label.
    """
    with shelf.locked_labels():
        state = State(shelf)
        if label not in state.labels:
            raise NotFound(_no_label(shelf, state, label))
        change = _change(shelf, state, UNLABEL, label, None, reason)
        rest = {name: number for name, number in state.labels.items() if name != label}
        state.write(labels=rest, change=change)
        return change


def announce(
    shelf: Shelf, number: int, *, label: str | None, reason: str = "", wait: Wait | None = None
) -> Change | None:
    """Names a version that was just published in `models.config`, and moves a label to it.

    A push does not undo what a person did. It moves a label once, not again when it is repeated
    after the label was moved away, and not past a newer push; and it does not move a label to a
    model that the label was rolled back from.

    Returns:
        The change; none if the label was left where it is.

    Raises:
        LabelError: it cannot; the version is published all the same.
    """
    if label is not None:
        check_label(label)
    with shelf.locked_labels():
        state = State(shelf)
        if label is None or _has_had_its_say(state, label, number):
            state.write()
            return None
        state.write(also=[number])
        if wait is None:
            return _point(shelf, state, label, number, action=PUSH, reason=reason)
    wait(number)
    with shelf.locked_labels():
        state = State(shelf)
        if _has_had_its_say(state, label, number):
            return None
        return _point(shelf, state, label, number, action=PUSH, reason=reason)


def prune(shelf: Shelf, *, keep: int, dry_run: bool = False) -> list[int]:
    """Removes old versions, but never one that is labelled, or that a label can go back to.

    What was not published here is left alone.

    Args:
        shelf: the versions of the model.
        keep: how many of the newest stay in any case, at least 1.
        dry_run: removes nothing.

    Returns:
        The numbers of the versions that go.
    """
    with shelf.locked_versions(), shelf.locked_labels():
        state = State(shelf)
        stay = {*state.published[-keep:], *state.needed(state.labels)}
        gone = [number for number in state.published if number not in stay]
        if gone and not dry_run:
            # First out of the server's sight.
            state.write(without=gone)
            shelf.remove(gone)
        return gone


def check_label(label: str) -> None:
    """Raises a LabelError if TF Serving would not take the label."""
    if not _LABEL.fullmatch(label):
        raise LabelError(
            f"{label!r} is no label: TF Serving allows letters, digits and '_'. Choose another."
        )


def _has_had_its_say(state: State, label: str, number: int) -> bool:
    """Whether a push of this version or a newer one moved the label, or the model was refused."""
    return history.was_pushed(state.changes, label, number) or number in state.refused([label])


def _point(
    shelf: Shelf, state: State, label: str, number: int, *, action: str, reason: str
) -> Change | None:
    """The second step, under the lock."""
    if number not in state.numbers:
        raise NotFound(f"{shelf.path_of(number)} was removed meanwhile.")
    last = next((item for item in reversed(state.changes) if item.label == label), None)
    if state.labels.get(label) == number and last is not None and last.to_version == number:
        return None
    change = _change(shelf, state, action, label, number, reason)
    # What the label leaves stays loaded: a server may still send requests there for a moment.
    also = [number] if change.from_version is None else [number, change.from_version]
    state.write(labels={**state.labels, label: number}, also=also, change=change)
    return change


def _rolled(shelf: Shelf, state: State, label: str, number: int, reason: str) -> Change:
    change = _point(shelf, state, label, number, action=ROLLBACK, reason=reason)
    if change is None:
        raise LabelError(
            f"'{label}' of {shelf.model} was put on version {number} by someone else meanwhile."
        )
    return change


def _target(shelf: Shelf, state: State, label: str) -> int:
    current = state.labels.get(label)
    if current is None:
        raise NotFound(_no_label(shelf, state, label))
    found = state.earlier(label)
    if not found:
        others = [str(number) for number in state.published if number != current]
        raise LabelError(
            f"There is nothing to go back to: '{label}' of {shelf.model} points to version "
            f"{current} and to none before it that still exists. Other versions: "
            f"{', '.join(others) or 'none'}; choose one with promote."
        )
    _check(shelf, state, found[0], fix="Choose another version with promote.")
    return found[0]


def _check(shelf: Shelf, state: State, number: int, *, fix: str = "Push it again.") -> None:
    """Raises unless the version was published here and is as published."""
    if number not in state.numbers:
        known = ", ".join(map(str, state.numbers)) or "none"
        raise NotFound(
            f"{shelf.model} has no version {number} in {shelf.location}. Versions: {known}."
        )
    problems = shelf.problems(number)
    if problems:
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Damaged(
            f"Version {number} of {shelf.model} is not what was published, so no label is moved to "
            f"it: {problems[0]}{more} {fix}"
        )


def _change(
    shelf: Shelf, state: State, action: str, label: str, number: int | None, reason: str
) -> Change:
    return history.change(
        action,
        model=shelf.model,
        label=label,
        from_version=state.labels.get(label),
        to_version=number,
        reason=reason,
    )


def _no_label(shelf: Shelf, state: State, label: str) -> str:
    known: Sequence[str] = sorted(state.labels)
    return f"{shelf.model} has no label '{label}'. Labels: {', '.join(known) or 'none'}."
