"""The application: its routes, and how an error is answered."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from components.errors import WaybillError
from pipeline.lineage.errors import NotFound
from pipeline.lineage.session import Session
from pipeline.web import artifact_pages, guard, label_pages, query_pages, run_pages
from pipeline.web.guard import Token
from pipeline.web.rendering import render, static

_STATIC = {"style.css": "text/css", "live.js": "text/javascript"}
# Takes a request and a session that is only its own.
Page = Callable[[Request, Session], Response]


def make_app(session: Session, token: Token, *, host: str = "127.0.0.1") -> Starlette:
    """The application over one store.

    Args:
        session: names the store and the serving folder.
        token: what a browser needs to change a label.
        host: where the server listens, for the names under which it may be asked.
    """

    def answered(page: Page) -> Callable[[Request], Response]:
        def endpoint(request: Request) -> Response:
            # A store is opened for each request: its connection belongs to one thread.
            return page(request, dataclasses.replace(session))

        return endpoint

    pages: dict[str, Page] = {
        "/runs": run_pages.runs,
        "/runs/{run:path}": run_pages.run,
        "/executions/{number:int}": run_pages.execution,
        "/artifacts/{number:int}": artifact_pages.artifact,
        "/artifacts/{number:int}/page": artifact_pages.whole_page,
        "/versions": label_pages.versions,
        "/versions/{model}/change": label_pages.confirm,
        "/versions/{model}/{number:int}": label_pages.version,
        "/compare": query_pages.compare,
        "/trace": query_pages.trace_page,
        "/impact": query_pages.impact_page,
        "/search": query_pages.search_page,
        "/doctor": query_pages.doctor_page,
        "/find": query_pages.find,
    }
    routes = [
        Route("/", _first, methods=["GET"]),
        Route("/static/{name}", _static, methods=["GET"]),
        *(Route(path, answered(page), methods=["GET"]) for path, page in pages.items()),
        Route("/versions/{model}/change", _change(session), methods=["POST"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(guard.Headers),
            Middleware(TrustedHostMiddleware, allowed_hosts=list(guard.hosts(host))),
        ],
        exception_handlers={
            WaybillError: _refused,
            HTTPException: _http_error,
            Exception: _failed,
        },
    )
    app.state.token = token
    return app


def _first(request: Request) -> Response:
    """Goes to the runs; gives the cookie to whoever has the token."""
    given = request.query_params.get("token")
    answer = RedirectResponse("/runs", status_code=303)
    token: Token = request.app.state.token
    if given is not None:
        if not token.opens(given):
            return _error(request, 403, "This is not the token of this server.")
        answer.set_cookie(guard.COOKIE, token.value, httponly=True, samesite="strict")
    return answer


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(404)
    return Response(static(name), media_type=_STATIC[name])


def _change(session: Session) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        return await label_pages.change(request, dataclasses.replace(session))

    return endpoint


def _refused(request: Request, error: Exception) -> Response:
    # A store that is away or locked is the server's trouble, a wrong name the reader's.
    is_about_store = "cannot be read" in str(error) or "no metadata store" in str(error)
    code = 404 if isinstance(error, NotFound) else 503 if is_about_store else 400
    return _error(request, code, str(error))


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "There is no such page.", 405: "This cannot be asked in this way."}
    return _error(request, error.status_code, told.get(error.status_code, error.detail))


def _failed(request: Request, error: Exception) -> Response:
    return _error(request, 500, f"The page could not be made: {type(error).__name__}.")


def _error(request: Request, code: int, message: str) -> Response:
    page = render("error.html", title=f"Error {code}", here="", code=code, message=message)
    return HTMLResponse(page, status_code=code)
