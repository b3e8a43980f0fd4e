"""The routes of the page; each answers with headers that let the browser load nothing foreign."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving.server.engine import Engine, RequestError, Target
from serving.server.page import fields
from serving.versions import versions

# What a browser may have without a token: nothing in it is of a model.
PUBLIC = ("/", "/page/page.js", "/page/page.css")
CARD = "assets.extra/model_card"
_STATIC = {"page.js": "text/javascript", "page.css": "text/css"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A model card brings its own style and pictures, and may do nothing.
_CARD_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class VersionRow:
    """A version in the table of what is served.

    Attributes:
        number: which.
        state: such as `AVAILABLE`.
        message: why it is not, if it is not.
        labels: that point to it.
        created: when it was pushed; empty if that is not known.
        run: the pipeline's run that made it; empty if that is not known.
        has_card: whether a model card was shipped with it.
    """

    number: int
    state: str
    message: str
    labels: tuple[str, ...]
    created: str
    run: str
    has_card: bool


def routes(engine: Engine, *, wants_token: bool = False) -> list[Route]:
    """The routes of the page.

    Args:
        engine: what is shown.
        wants_token: whether a request without a token is refused; then the page asks for it, and
            shows nothing before. The paths in `PUBLIC` have to be open all the same.
    """

    async def index(request: Request) -> Response:
        content = None if wants_token else await _content(engine, request.query_params)
        # Whoever has no token learns nothing from the shell, the number of models included.
        html = _render("index.html", wants_token=wants_token, **(content or {"form": None}))
        return HTMLResponse(html, headers=_headers(_POLICY))

    async def content(request: Request) -> Response:
        found = await _content(engine, request.query_params)
        return HTMLResponse(_render("content.html", **found), headers=_headers(_POLICY))

    async def card(request: Request) -> Response:
        return await _card(engine, request)

    def static(request: Request) -> Response:
        name = request.url.path.rpartition("/")[2]
        return Response(
            _file(f"static/{name}"),
            media_type=_STATIC[name],
            headers={**_HEADERS, "cache-control": "no-cache"},
        )

    return [
        Route("/", index),
        Route("/page/content", content),
        Route("/page/card/{model}/{version:int}.{suffix}", card),
        *(Route(f"/page/{name}", static) for name in _STATIC),
    ]


async def _content(engine: Engine, asked: Mapping[str, str]) -> dict[str, Any]:
    """What the templates show of the model, version or label that is asked for."""
    names = engine.models()
    model = asked.get("model") or (names[0] if names else "")
    number, label = asked.get("version", ""), asked.get("label", "")
    target = Target(
        model,
        version=int(number) if number.isascii() and number.isdecimal() else None,
        label=label or None,
    )
    shown: dict[str, Any] = {
        "models": names,
        "model": model,
        "target": target,
        "form": None,
        "version": None,
        "problem": engine.not_ready(),
        "rows": await _rows(engine, model),
        "labels": engine.labels(model),
    }
    if not names:
        return shown
    try:
        with engine.use(target) as servable:
            form = await run_in_threadpool(fields.build, servable)
            shown |= {"form": form, "version": servable.version, "problem": form.problem}
    except RequestError as error:
        shown["problem"] = str(error)
    return shown


async def _rows(engine: Engine, model: str) -> list[VersionRow]:
    """All versions of a model, the newest first."""
    try:
        statuses = engine.statuses(Target(model))
    except RequestError:
        return []
    labels = engine.labels(model)
    base = _base(engine, model)
    published = {}
    if base is not None:
        published = {found.number: found for found in await run_in_threadpool(versions, base)}
    rows = []
    for status in sorted(statuses, key=lambda status: -status.version):
        found = published.get(status.version)
        rows.append(
            VersionRow(
                number=status.version,
                state=status.state,
                message=status.message,
                labels=tuple(name for name, at in labels.items() if at == status.version),
                created=found.created if found else "",
                run=found.properties.get("run", "") if found else "",
                has_card=found is not None and any(f.path == f"{CARD}.html" for f in found.files),
            )
        )
    return rows


def _base(engine: Engine, model: str) -> Path | None:
    """The folder of a model's versions, if one is loaded."""
    try:
        return engine.servable(Target(model)).path.parent
    except RequestError:
        return None


async def _card(engine: Engine, request: Request) -> Response:
    """The model card of a version, as HTML or as Markdown."""
    suffix = request.path_params["suffix"]
    base = _base(engine, request.path_params["model"])
    # Built of a number and of fixed names, so that it cannot lead out of the model's folder.
    path = base / str(request.path_params["version"]) / f"{CARD}.{suffix}" if base else None
    if path is None or suffix not in ("html", "md"):
        return PlainTextResponse("There is no such model card.", 404, headers=_HEADERS)
    try:
        text = await run_in_threadpool(path.read_bytes)
    except OSError:
        return PlainTextResponse("There is no such model card.", 404, headers=_HEADERS)
    if suffix == "md":
        return Response(text, media_type="text/plain; charset=utf-8", headers=_HEADERS)
    return HTMLResponse(text, headers=_headers(_CARD_POLICY))


def _headers(policy: str) -> dict[str, str]:
    return {**_HEADERS, "content-security-policy": policy, "cache-control": "no-store"}


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: _file(f"templates/{name}")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
