"""The server without its fronts: finds the version, checks, batches, asks, counts and logs.

An engine belongs to one event loop. REST, gRPC and the page are thin: they turn their protocol's
message into numpy arrays, call the engine, and turn its answer, or its `RequestError`, back.

    with engine.request("REST", "predict", target.model) as request:
        with engine.use(target) as servable:
            answer = await engine.predict(servable, signature, inputs)
            request.version = answer.version
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

import numpy as np

from serving.errors import ModelError
from serving.server import examples
from serving.server.admission import Admission, Request
from serving.server.batching import Batcher
from serving.server.canary import Canary
from serving.server.catalog import Catalog
from serving.server.errors import RequestError
from serving.server.loading import Loader
from serving.server.metrics import Metrics
from serving.server.request_log import RequestLog
from serving.server.requests import check, find_signature
from serving.server.servable import DEFAULT_SIGNATURE, Servable
from serving.server.settings import EngineSettings
from serving.server.sources import Sources, from_flags
from serving.server.targets import Answer, Target, VersionStatus

__all__ = [
    "DEFAULT_SIGNATURE",
    "Answer",
    "Engine",
    "Request",
    "RequestError",
    "Servable",
    "Target",
    "VersionStatus",
]


class Engine:
    """Serves models; see the module.

    Attributes:
        settings: what it was told.
        metrics: what it counts.
    """

    def __init__(self, settings: EngineSettings) -> None:
        """Reads and starts nothing yet.

        Raises:
            SettingsError: a setting has no meaning.
        """
        self.settings = settings
        self.metrics = Metrics()
        self._admission = Admission(settings.max_in_flight, self.metrics)
        self._is_stopping = False
        self._sources = Sources(
            settings.serving.absolute(),
            (settings.config or settings.serving / "models.config").absolute(),
            from_flags(settings.models),
        )
        self._catalog = Catalog(
            Loader(num_threads=settings.num_threads, timeout_s=settings.deadline_s),
            canaries={name: Canary.parse(name, text) for name, text in settings.canaries.items()},
            default_label=settings.default_label,
            say=say,
            observe=self.metrics.serves,
            observe_load=self.metrics.loads,
        )
        self._batcher = Batcher(
            num_workers=settings.num_workers,
            max_rows=settings.max_batch_rows,
            wait_s=settings.batch_wait_s,
            observe=lambda servable, num_rows: self.metrics.batch(servable.model, num_rows),
        )
        self._log = RequestLog(settings.log, self.metrics)
        self._polling: asyncio.Task[None] | None = None
        self._updating = asyncio.Lock()
        self._problem = ""

    async def start(self) -> None:
        """Loads what is to be served, and keeps it up to date from then on."""
        self._log.start()
        await self._update()
        await self._catalog.loaded()
        if self.settings.poll_s:
            self._polling = asyncio.ensure_future(self._poll())

    async def stop(self) -> None:
        """Unloads everything after the last request under way, and closes the log."""
        self._is_stopping = True
        if self._polling is not None:
            self._polling.cancel()
        await self._catalog.close()
        self._batcher.close()
        await asyncio.to_thread(self._log.close)

    def stopping(self) -> None:
        """Says, from now on, that the server is not ready; requests are still answered."""
        self._is_stopping = True

    def not_ready(self) -> str:
        """Why no traffic should be sent here; empty if it should."""
        if self._is_stopping:
            return "the server is stopping"
        if not self._catalog.names():
            return self._problem or f"there is no model in {self.settings.serving}"
        missing = self._catalog.not_ready()
        return f"no version is available of: {', '.join(missing)}" if missing else ""

    def models(self) -> list[str]:
        """The names of the models that are to be served, in order."""
        return self._catalog.names()

    def labels(self, model: str) -> dict[str, int]:
        """The labels in force of a model; empty if it has none, or is not known."""
        return self._catalog.labels(model)

    def statuses(self, target: Target) -> list[VersionStatus]:
        """What became of each version of a model, or of the one that is asked for.

        Raises:
            RequestError: there is none.
        """
        return self._catalog.statuses(target)

    def servable(self, target: Target) -> Servable:
        """The loaded version that a request for `target` goes to; to look at, not to hold.

        Raises:
            RequestError: there is none.
        """
        return self._catalog.find(target)

    @contextlib.contextmanager
    def use(self, target: Target) -> Iterator[Servable]:
        """The same, which stays loaded meanwhile."""
        servable = self._catalog.find(target)
        servable.acquire()
        try:
            yield servable
        finally:
            servable.release()

    def request(
        self, api: str, method: str, model: str
    ) -> contextlib.AbstractContextManager[Request]:
        """Lets a request in and counts it and its answer; fronts wrap each request with it.

        Args:
            api: `REST` or `gRPC`.
            method: such as `predict`.
            model: the name in the request.

        Raises:
            Overloaded: as many requests are under way as may be.
        """
        return self._admission.request(api, method, model)

    async def predict(
        self,
        target: Target | Servable,
        signature: str | None,
        inputs: Mapping[str, np.ndarray],
        *,
        timeout_s: float | None = None,
    ) -> Answer:
        """Asks a model.

        Args:
            target: which; or a version in use.
            signature: which; `serving_default` if None or empty.
            inputs: an array for each input of the signature, of its type.
            timeout_s: the caller's own deadline, from now; the engine's holds if it is shorter.

        Raises:
            RequestError: there is no such version or signature, the inputs do not fit, the model
                fails on them, or it takes too long.
        """
        started = time.perf_counter()
        servable = target if isinstance(target, Servable) else self._catalog.find(target)
        name, asked = find_signature(servable, signature)
        check(asked, inputs)
        limit_s = min(self.settings.deadline_s, timeout_s or self.settings.deadline_s)
        try:
            async with asyncio.timeout(limit_s):
                outputs = await self._batcher.run(servable, name, inputs)
        except TimeoutError as error:
            raise RequestError(
                f"The model did not answer within {limit_s:g} s.", "DEADLINE_EXCEEDED"
            ) from error
        except ModelError as error:
            raise RequestError(str(error), error.code) from error
        self._log.note(servable, name, inputs)
        return Answer(
            version=servable.version,
            signature=name,
            outputs=outputs,
            seconds=time.perf_counter() - started,
        )

    async def classify(
        self,
        target: Target | Servable,
        signature: str | None,
        rows: np.ndarray,
        *,
        timeout_s: float | None = None,
    ) -> tuple[Answer, list[list[tuple[bytes, float]]]]:
        """Classifies serialized tf.Examples.

        Returns:
            The answer, and for each row its classes with their scores.

        Raises:
            RequestError: as `predict`, or the signature cannot be asked so.
        """
        servable = target if isinstance(target, Servable) else self._catalog.find(target)
        examples.check_classify(*find_signature(servable, signature))
        answer = await self.predict(
            servable, signature, {examples.INPUT: rows}, timeout_s=timeout_s
        )
        return answer, examples.classifications(answer.outputs, len(rows))

    async def regress(
        self,
        target: Target | Servable,
        signature: str | None,
        rows: np.ndarray,
        *,
        timeout_s: float | None = None,
    ) -> tuple[Answer, np.ndarray]:
        """Regresses serialized tf.Examples.

        Returns:
            The answer, and the value of each row.

        Raises:
            RequestError: as `predict`, or the signature cannot be asked so.
        """
        servable = target if isinstance(target, Servable) else self._catalog.find(target)
        examples.check_regress(*find_signature(servable, signature))
        answer = await self.predict(
            servable, signature, {examples.INPUT: rows}, timeout_s=timeout_s
        )
        return answer, examples.regressions(answer.outputs, len(rows))

    async def reload(self, config: str) -> None:
        """Serves what a client's `models.config` says, until the file changes.

        Raises:
            RequestError: it is damaged, or a label points to a version that is not served.
        """
        self._sources.replace(config)
        await self._update()
        await self._catalog.loaded()
        for source in self._sources.read():
            in_force = self._catalog.labels(source.name)
            for label, version in source.labels.items():
                if in_force.get(label) != version:
                    raise RequestError(
                        f"Request to assign label to version {version} of model {source.name}, "
                        "which is not currently available for inference",
                        "FAILED_PRECONDITION",
                    )

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self.settings.poll_s)
            try:
                await self._update()
            except Exception as error:
                say(f"looking for new versions failed: {error!r}")

    async def _update(self) -> None:
        # Two at a time could undo what the other one has just read.
        async with self._updating:
            sources = await asyncio.to_thread(self._sources.read)
            if self._sources.problem != self._problem:
                self._problem = self._sources.problem
                say(self._problem or "models.config can be read again")
            await self._catalog.update(sources)


def say(what: str) -> None:
    """Prints a line about the server itself."""
    print(f"{time.strftime('%H:%M:%S')}  {what}", file=sys.stderr, flush=True)
