"""TF Serving's REST API.

    GET   /v1/models/MODEL[/versions/VERSION|/labels/LABEL]            status
    GET   …/metadata                                                   signatures
    POST  …:predict, …:classify, …:regress

Bodies, answers, messages and status codes are those of TF Serving. An answer also says in the
header `Model-Version` which version gave it.
"""

from __future__ import annotations

import asyncio
import re
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from serving.protos import get_model_metadata_pb2
from serving.server import bodies, json_answers
from serving.server.engine import Engine, Servable, Target
from serving.server.errors import BodyTooLarge, RequestError
from serving.server.json_requests import read_examples, read_predict
from serving.server.requests import find_signature
from serving.signatures import Signature

VERSION_HEADER = "model-version"
_MODEL = r"/v1/models/([^/:]+)"
_WHICH = r"(?:/versions/(\d+)|/labels/([^/:]+))?"
_POST = re.compile(rf"{_MODEL}{_WHICH}:(classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(rf"/v1/models(?:/([^/:]+))?{_WHICH}(?:/(metadata))?", re.IGNORECASE)
# To read or to write more than this takes so long that others would notice.
_LARGE_BYTES = 1 << 18
_LARGE_VALUES = 1 << 15
_Found = TypeVar("_Found")


class RestApi:
    """Answers requests below `/v1/`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, request: Request) -> Response:
        """Answers one request."""
        path = request.scope.get("raw_path", b"").decode("latin-1").partition("?")[0]
        try:
            match = (_POST if request.method == "POST" else _GET).fullmatch(path)
            if match is None or request.method not in ("POST", "GET"):
                raise RequestError(
                    f"Malformed request: {request.method} {path}", "INVALID_ARGUMENT"
                )
            name, version, label, what = match.groups()
            target = _target(name, version, label)
            if request.method == "POST":
                return await self._ask(request, target, what.lower())
            if not target.model:
                raise RequestError("Missing model name in request.", "INVALID_ARGUMENT")
            with self._engine.request("REST", "metadata" if what else "status", target.model):
                return _json(self._metadata(target) if what else self._status(target))
        except RequestError as error:
            return failure(error)
        except ClientDisconnect:
            return Response(status_code=499)

    async def _ask(self, request: Request, target: Target, method: str) -> Response:
        answer = {"predict": self._predict, "classify": self._classify, "regress": self._regress}
        with self._engine.request("REST", method, target.model) as counted:
            settings = self._engine.settings
            body = await bodies.read(
                request, max_bytes=settings.max_body_bytes, timeout_s=settings.deadline_s
            )
            with self._engine.use(target) as servable:
                counted.version = servable.version
                content = await answer[method](servable, body)
            return _json(content, {VERSION_HEADER: str(servable.version)})

    async def _predict(self, servable: Servable, body: bytes) -> bytes:
        def find(name: str) -> Signature:
            return find_signature(servable, name)[1]

        asked = await _aside(len(body) > _LARGE_BYTES, lambda: read_predict(body, find))
        answer = await self._engine.predict(servable, asked.signature, asked.inputs)
        write = json_answers.predictions if asked.by_row else json_answers.columnar
        num_values = sum(output.size for output in answer.outputs.values())
        return await _aside(num_values > _LARGE_VALUES, lambda: write(answer.outputs))

    async def _classify(self, servable: Servable, body: bytes) -> bytes:
        asked = await _aside(len(body) > _LARGE_BYTES, lambda: read_examples(body))
        _, rows = await self._engine.classify(servable, asked.signature, asked.rows)
        return json_answers.classifications(rows)

    async def _regress(self, servable: Servable, body: bytes) -> bytes:
        asked = await _aside(len(body) > _LARGE_BYTES, lambda: read_examples(body))
        _, values = await self._engine.regress(servable, asked.signature, asked.rows)
        return json_answers.regressions(values)

    def _status(self, target: Target) -> bytes:
        found = [
            {
                "version": str(status.version),
                "state": status.state,
                "status": {"error_code": status.code, "error_message": status.message},
            }
            for status in self._engine.statuses(target)
        ]
        return orjson.dumps({"model_version_status": found}, option=orjson.OPT_INDENT_2)

    def _metadata(self, target: Target) -> bytes:
        servable = self._engine.servable(target)
        spec = {
            "name": servable.model,
            "signature_name": "",
            "version": str(servable.version),
        }
        document = {"model_spec": spec, "metadata": {"signature_def": signatures(servable)}}
        return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def signatures(servable: Servable) -> dict[str, Any]:
    """A version's SignatureDefMap as protobuf writes it in JSON."""
    from google.protobuf.json_format import MessageToDict

    message = get_model_metadata_pb2.SignatureDefMap.FromString(servable.signature_map)
    found: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return found


def failure(error: RequestError) -> Response:
    """The answer to a request that fails."""
    headers = {}
    if isinstance(error, BodyTooLarge):
        # The rest of the body is not read, so nothing can follow it.
        headers["connection"] = "close"
    if error.http_status == 503:
        headers["retry-after"] = "1"
    return _json(json_answers.error(str(error)), headers, status=error.http_status)


def _target(name: str | None, version: str | None, label: str | None) -> Target:
    if version is not None and int(version[:20]) >= 2**63:
        raise RequestError(
            f"Failed to convert version: {version[:40]} to numeric.", "INVALID_ARGUMENT"
        )
    return Target(
        model=urllib.parse.unquote(name or ""),
        version=None if version is None else int(version),
        label=None if label is None else urllib.parse.unquote(label),
    )


async def _aside(is_large: bool, work: Callable[[], _Found]) -> _Found:
    """Does what takes long in a thread."""
    return await asyncio.to_thread(work) if is_large else work()


def _json(content: bytes, headers: dict[str, str] | None = None, *, status: int = 200) -> Response:
    return Response(content, status, headers, "application/json")
