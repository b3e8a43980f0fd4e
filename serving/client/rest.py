"""A server asked by REST, in the column format: https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.parse
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np

from serving.client.connection import Access, Address, Answer, Connection, Target
from serving.client.errors import Busy, Refused, Unreachable, UsageError
from serving.client.signature import Arrays, Signature, from_json

VERSION_HEADER = "model-version"
_BUSY = (429, 503)
_SHOWN_CHARACTERS = 500


class RestConnection(Connection):
    """Keeps connections alive; see `Connection`."""

    def __init__(self, address: Address, access: Access, *, width: int = 8) -> None:
        self._address = address
        headers = {"authorization": f"Bearer {access.token}"} if access.token else {}
        self._client = httpx.AsyncClient(
            base_url=str(address),
            headers=headers,
            timeout=access.timeout_s,
            verify=_tls(address, access),
            limits=httpx.Limits(max_connections=width, max_keepalive_connections=width),
            # A proxy has no business between a client and the server it names.
            trust_env=False,
        )

    async def close(self) -> None:
        """See `Connection`."""
        await self._client.aclose()

    async def signatures(self, target: Target) -> dict[str, Signature]:
        """See `Connection`."""
        document, _ = await self._ask("GET", f"{_path(target)}/metadata")
        try:
            return from_json(document)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._strange(f"{_path(target)}/metadata", error) from error

    async def states(self, target: Target) -> dict[int, str]:
        """See `Connection`."""
        document, _ = await self._ask("GET", _path(target))
        try:
            found = document["model_version_status"]
            return {int(status["version"]): status["state"] for status in found}
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(_path(target), error) from error

    async def predict(self, target: Target, signature: Signature, inputs: Arrays) -> Answer:
        """See `Connection`."""
        body = {
            "signature_name": signature.name,
            "inputs": {name: _to_json(array) for name, array in inputs.items()},
        }
        path = f"{_path(target)}:predict"
        document, version = await self._ask("POST", path, json.dumps(body).encode())
        try:
            return Answer(_outputs(document["outputs"], signature), version)
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(path, error) from error

    async def _ask(
        self, method: str, path: str, body: bytes | None = None
    ) -> tuple[Any, str | None]:
        """The document that is answered, and the version where a header names it."""
        headers = {"content-type": "application/json"} if body is not None else {}
        try:
            response = await self._client.request(method, path, content=body, headers=headers)
        except httpx.TimeoutException as error:
            raise Unreachable(
                f"{self._address} did not answer in {self._client.timeout.read:g} s. Is it "
                "loading a model? Give it longer with --timeout, or send fewer rows with --batch."
            ) from error
        except httpx.HTTPError as error:
            raise Unreachable(
                f"No server answers at {self._address}: {error or type(error).__name__}. Start it "
                "(python -m serving.server), or name another one with --server."
            ) from error
        if response.status_code != httpx.codes.OK:
            kind = Busy if response.status_code in _BUSY else Refused
            raise kind(f"{self._address}{path} answers {response.status_code}: {_reason(response)}")
        try:
            return json.loads(response.content), response.headers.get(VERSION_HEADER)
        except ValueError as error:
            raise self._strange(path, error) from error

    def _strange(self, path: str, error: Exception) -> Refused:
        return Refused(
            f"{self._address}{path} answers something else than TF Serving's API says: {error!r}. "
            "Is it another kind of server?"
        )


def _path(target: Target) -> str:
    path = f"/v1/models/{urllib.parse.quote(target.model, safe='')}"
    if target.version is not None:
        return f"{path}/versions/{target.version}"
    label = urllib.parse.quote(target.label or "", safe="")
    return f"{path}/labels/{label}" if label else path


def _tls(address: Address, access: Access) -> ssl.SSLContext | bool:
    if address.scheme != "https":
        return True
    try:
        return ssl.create_default_context(cafile=str(access.ca) if access.ca else None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--ca {access.ca} holds no certificate: {error}.") from error


def _reason(response: httpx.Response) -> str:
    """What the server says about it, in its own words."""
    try:
        text = str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        text = response.text
    return " ".join(text.split())[:_SHOWN_CHARACTERS] or response.reason_phrase


def _to_json(array: np.ndarray[Any, Any]) -> Any:
    """Nested lists; bytes that are no UTF-8 as `{"b64": …}`."""
    if array.dtype.kind != "O":
        return array.tolist()
    flat = np.empty(array.size, object)
    flat[:] = [_text(value) for value in array.reshape(-1)]
    return flat.reshape(array.shape).tolist()


def _text(value: bytes) -> str | dict[str, str]:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode("ascii")}


def _outputs(found: Any, signature: Signature) -> dict[str, np.ndarray[Any, Any]]:
    """The outputs by name; a single one comes without its name."""
    if len(signature.outputs) == 1 and not isinstance(found, Mapping):
        found = {next(iter(signature.outputs)): found}
    return {name: _array(found[name], port.dtype) for name, port in signature.outputs.items()}


def _array(values: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind != "O":
        return np.asarray(values, dtype)
    # Objects with "b64" are strings too, so numpy must not look into them.
    found = np.asarray(values, object)
    flat = np.empty(found.size, object)
    flat[:] = [_bytes(value) for value in found.reshape(-1)]
    return flat.reshape(found.shape)


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else str(value).encode()
