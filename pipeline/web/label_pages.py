"""The pages of pushed versions, and the only ones that change anything: their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from components.errors import ConfigError
from pipeline.lineage import served as serving_folder
from pipeline.lineage.errors import NotFound
from pipeline.lineage.naming import Names
from pipeline.lineage.queries.show import show
from pipeline.lineage.served import Served
from pipeline.lineage.session import Session
from pipeline.web.guard import FIELD, Token
from pipeline.web.rendering import render
from serving import changes, history
from serving.errors import ServingError
from serving.history import PROMOTE, ROLLBACK
from serving.labels import STABLE
from serving.shelves import LocalShelf

_MAX_REASON = 500


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A change of a label that a form asks for.

    Attributes:
        action: `rollback` or `promote`.
        label: which.
        number: the version it shall point to; None where the history decides.
    """

    action: str
    label: str
    number: int | None

    @classmethod
    def of(cls, values: Any) -> Asked:
        """That of a query or a form.

        Raises:
            ConfigError: it asks for something else.
        """
        action, label = values.get("action", ""), values.get("label") or STABLE
        number = values.get("version") or None
        if action not in (ROLLBACK, PROMOTE):
            raise ConfigError(f"action {action!r}: expected {ROLLBACK} or {PROMOTE}.")
        if action == ROLLBACK:
            return cls(action=action, label=label, number=None)
        if number is None or not number.isdecimal():
            raise ConfigError("version: expected the number of the version to promote.")
        return cls(action=action, label=label, number=int(number))


def versions(request: Request, session: Session) -> Response:
    """All models with their versions and labels."""
    models = []
    for base in serving_folder.models(session.serving_folder):
        found = serving_folder.read(session.serving_folder, base.name)
        told = _changes(base)
        models.append(
            {
                "served": found,
                "changes": told,
                "can_go_back": _earlier(found, told, STABLE) is not None,
            }
        )
    return HTMLResponse(
        render(
            "versions.html",
            title="Versions",
            here="versions",
            models=models,
            folder=str(session.serving_folder),
            may_change=_token(request).is_held(request),
            stable=STABLE,
        )
    )


def version(request: Request, session: Session) -> Response:
    """One version: its labels, its files, the run and the model it came from."""
    found = _served(request, session)
    names = Names(reader=session.store, folder=session.serving_folder, model=found.model)
    target = names.find(f"version:{request.path_params['number']}")
    shown = show(session.store, target)
    return HTMLResponse(
        render(
            "version.html",
            title=f"{found.model} version {request.path_params['number']}",
            here="versions",
            served=found,
            number=request.path_params["number"],
            version=target.version,
            shown=shown,
            notes=target.notes,
            may_change=_token(request).is_held(request),
            can_go_back=_earlier(found, _changes(session.serving_folder / found.model), STABLE)
            is not None,
            stable=STABLE,
        )
    )


def confirm(request: Request, session: Session) -> Response:
    """Says what a change would do, and asks for a confirmation."""
    found = _served(request, session)
    asked = Asked.of(request.query_params)
    base = session.serving_folder / found.model
    current = found.labels.get(asked.label)
    to = asked.number
    if asked.action == ROLLBACK:
        to = _earlier(found, _changes(base), asked.label)
    if to is None or (asked.number is not None and to not in found.versions):
        raise NotFound(
            f"There is no version that '{asked.label}' of {found.model} could be put on by a "
            f"{asked.action}."
        )
    token = _token(request)
    return HTMLResponse(
        render(
            "confirm.html",
            title=f"{asked.action} {found.model}",
            here="versions",
            served=found,
            asked=asked,
            current=current,
            to=to,
            may_change=token.is_held(request),
            field=FIELD,
            check=token.check if token.is_held(request) else "",
        )
    )


async def change(request: Request, session: Session) -> Response:
    """Moves a label, after the confirmation, and records it."""
    async with request.form(max_files=0, max_fields=10) as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    if not _token(request).allows(request, given.get(FIELD, "")):
        raise HTTPException(
            403, "Only a form of this page, opened with the token of this server, changes labels."
        )
    asked = Asked.of(given)
    found = await run_in_threadpool(_served, request, session)
    reason = given.get("reason", "").strip()[:_MAX_REASON]
    base = session.serving_folder / found.model
    try:
        await run_in_threadpool(_move, session, base, asked, reason)
    except ServingError as error:
        raise ConfigError(str(error)) from error
    return RedirectResponse("/versions", status_code=303)


def _move(session: Session, base: Path, asked: Asked, reason: str) -> None:
    from serving import record

    shelf = LocalShelf(base)
    made: history.Change | None
    if asked.action == ROLLBACK:
        made = changes.roll_back(shelf, asked.label, reason=reason)
    else:
        assert asked.number is not None
        made = changes.set_label(shelf, asked.label, asked.number, action=PROMOTE, reason=reason)
    if made is None:
        return
    pushed = next((item for item in shelf.manifests() if item.number == made.to_version), None)
    record.record(made, store=str(session.address), pushed=pushed)


def _served(request: Request, session: Session) -> Served:
    return serving_folder.read(session.serving_folder, request.path_params["model"])


def _earlier(found: Served, told: Sequence[history.Change], label: str) -> int | None:
    """The version that a label would be rolled back to; None where there is none."""
    if label not in found.labels:
        return None
    earlier = history.earlier(tuple(told), label, found.labels[label])
    return next((number for number in earlier if number in found.versions), None)


def _changes(base: Path) -> list[history.Change]:
    shelf = LocalShelf(base)
    try:
        return list(history.parse(shelf.read_history(), origin=shelf.history_location))
    except ServingError as error:
        raise ConfigError(str(error)) from error


def _token(request: Request) -> Token:
    token: Token = request.app.state.token
    return token
