"""The HTTP side of the server: its routes.

/v1/…                             TF Serving's REST API
/metrics                          for Prometheus; also where TF Serving has it
/healthz                          the process lives
/readyz                           every model has a version that answers
/                                 a page for people
"""

from __future__ import annotations

import sys
import traceback

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from serving.server import json_answers
from serving.server.access import TokenGuard
from serving.server.engine import Engine
from serving.server.page import routes as page_routes
from serving.server.page.views import PUBLIC as PUBLIC_PAGES
from serving.server.rest_api import RestApi

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ANY = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def make_app(engine: Engine, *, token: str | None = None) -> Starlette:
    """The application that an HTTP server runs.

    Args:
        engine: what answers.
        token: what a client has to show; None asks for none.
    """
    rest = RestApi(engine)

    async def api(request: Request) -> Response:
        return await rest(request)

    async def metrics(request: Request) -> Response:
        return Response(engine.metrics.text(), media_type=METRICS_TYPE)

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        reason = engine.not_ready()
        return PlainTextResponse(f"{reason or 'ok'}\n", 503 if reason else 200)

    routes: list[BaseRoute] = [
        Route("/v1/{rest:path}", api, methods=_ANY),
        Route("/metrics", metrics),
        Route("/monitoring/prometheus/metrics", metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        *page_routes(engine, wants_token=token is not None),
    ]
    # Whoever looks after the process has no token; the page asks for one.
    public = ["/healthz", "/readyz", *PUBLIC_PAGES]
    return Starlette(
        routes=routes,
        middleware=[Middleware(TokenGuard, token=token, public=public)] if token else [],
        exception_handlers={HTTPException: _refused, Exception: _failed},
    )


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    content = json_answers.error(f"{error.detail}: {request.method} {request.url.path}")
    return Response(content, error.status_code, error.headers, "application/json")


async def _failed(request: Request, error: Exception) -> Response:
    traceback.print_exception(error, file=sys.stderr)
    content = orjson.dumps({"error": "The server failed; its output says why."})
    return Response(content, 500, media_type="application/json")
