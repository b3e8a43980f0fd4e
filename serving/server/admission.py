"""Lets so many requests in and no more, and counts how each ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Iterator

from serving.server.errors import Overloaded, RequestError
from serving.server.metrics import Metrics


@dataclasses.dataclass
class Request:
    """A request under way, as it will be counted.

    Attributes:
        version: the version that answered, once it is known.
    """

    version: int | None = None


class Admission:
    """The requests under way of one engine."""

    def __init__(self, max_in_flight: int, metrics: Metrics) -> None:
        self._max_in_flight = max_in_flight
        self._metrics = metrics
        self._num_in_flight = 0

    @contextlib.contextmanager
    def request(self, api: str, method: str, model: str) -> Iterator[Request]:
        """Wraps one request.

        Raises:
            Overloaded: as many are under way as may be.
        """
        started = time.perf_counter()
        request = Request()
        code = "INTERNAL"
        self._num_in_flight += 1
        self._metrics.in_flight.inc()
        try:
            if self._num_in_flight > self._max_in_flight:
                raise Overloaded(
                    f"{self._max_in_flight} requests are under way, more are not taken. "
                    "Try again later."
                )
            yield request
            code = "OK"
        except RequestError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        finally:
            self._num_in_flight -= 1
            self._metrics.in_flight.dec()
            self._metrics.answered(
                model=model,
                version="" if request.version is None else str(request.version),
                api=api,
                method=method,
                code=code,
                seconds=time.perf_counter() - started,
            )
