"""Keeps the loaded versions in step with what is to be served, without a gap.

A new version is loaded and warmed up beside the old one. A label moves once its version is there.
The old version leaves when nothing points to it, and is unloaded after its last request. A version
that does not load changes nothing but its status: what was served stays.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from serving.errors import ModelError
from serving.server.canary import Canary
from serving.server.errors import RequestError
from serving.server.loading import Loader, mark_of
from serving.server.servable import Servable
from serving.server.sources import Source
from serving.server.targets import Target, VersionStatus

_RETRY_S = 60.0
_NUM_ENDED = 20  # versions that are gone, kept in a model's status


@dataclasses.dataclass
class _Failure:
    mark: object
    when: float


@dataclasses.dataclass
class _Model:
    """One model: what is wanted, its loaded versions, the labels in force, and all statuses."""

    source: Source
    wanted: tuple[int, ...] = ()
    loaded: dict[int, Servable] = dataclasses.field(default_factory=dict)
    labels: dict[str, int] = dataclasses.field(default_factory=dict)
    statuses: dict[int, VersionStatus] = dataclasses.field(default_factory=dict)
    failures: dict[int, _Failure] = dataclasses.field(default_factory=dict)
    loading: asyncio.Task[None] | None = None


class Catalog:
    """The models that are served; its methods are called in the thread of the event loop."""

    def __init__(
        self,
        loader: Loader,
        *,
        canaries: Mapping[str, Canary],
        default_label: str | None,
        say: Callable[[str], None],
        observe: Callable[[str, Mapping[int, Servable], Mapping[str, int]], None],
        observe_load: Callable[[str, float | None], None],
    ) -> None:
        """Serves nothing yet.

        Args:
            loader: loads a version.
            canaries: by model, which label gets a share of the requests that name no version.
            default_label: where all others of those go; the newest version if None, or if the
                model has no such label.
            say: is told, in a sentence, what happened to a version.
            observe: is told a model's loaded versions and labels when they change.
            observe_load: is told the seconds a load took, or None for one that failed.
        """
        self._loader = loader
        self._canaries = canaries
        self._default_label = default_label
        self._say = say
        self._observe = observe
        self._observe_load = observe_load
        self._models: dict[str, _Model] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._thread = ThreadPoolExecutor(1, "loader")

    def find(self, target: Target) -> Servable:
        """The loaded version that a request for `target` goes to.

        Raises:
            RequestError: there is none.
        """
        if not target.model:
            raise RequestError("ModelSpec has no name specified.", "INVALID_ARGUMENT")
        model = self._models.get(target.model)
        version = target.version
        if version is None and target.label is not None:
            version = self._version_of(model, target.label)
            target = Target(target.model, version)
        elif version is None and model is not None:
            version = self._choose(target.model, model)
        if model is None or version is None or version not in model.loaded:
            raise RequestError(f"Servable not found for request: {target}", "NOT_FOUND")
        return model.loaded[version]

    def names(self) -> list[str]:
        """The models that are to be served, in order."""
        return sorted(self._models)

    def labels(self, name: str) -> dict[str, int]:
        """The labels in force of a model; empty if it has none, or is not known."""
        model = self._models.get(name)
        return dict(sorted(model.labels.items())) if model is not None else {}

    def statuses(self, target: Target) -> list[VersionStatus]:
        """What became of each version of a model, or of the one that is asked for.

        Raises:
            RequestError: there is no such model, version or label.
        """
        model = self._models.get(target.model)
        version = target.version
        if target.label is not None:
            version = self._version_of(model, target.label)
        if model is None or not model.statuses:
            raise RequestError(f"Could not find any versions of model {target.model}", "NOT_FOUND")
        if version is None:
            return [model.statuses[number] for number in sorted(model.statuses)]
        if version not in model.statuses:
            raise RequestError(
                f"Could not find version {version} of model {target.model}", "NOT_FOUND"
            )
        return [model.statuses[version]]

    def not_ready(self) -> list[str]:
        """The models without a loaded version."""
        return [name for name, model in sorted(self._models.items()) if not model.loaded]

    async def update(self, sources: Sequence[Source]) -> None:
        """Makes what is served what `sources` say, as far as it loads.

        Labels of loaded versions move at once; what is missing is loaded in the background.

        Args:
            sources: all models to serve; others leave.
        """
        named = {source.name: source for source in sources}
        for name in [name for name in self._models if name not in named]:
            gone = self._models.pop(name)
            while gone.loaded:
                self._leave(gone, gone.loaded.popitem()[1])
            self._observe(name, {}, {})
        for source in named.values():
            model = self._models.setdefault(source.name, _Model(source))
            model.source = source
            wanted = await asyncio.to_thread(source.wanted)
            # A folder that cannot be read for a moment is no reason to stop serving.
            model.wanted = model.wanted if wanted is None else wanted
            self._settle(model)
            if model.loading is None or model.loading.done():
                model.loading = asyncio.ensure_future(self._load_missing(model))

    async def loaded(self) -> None:
        """Returns once the loads that are under way are done."""
        await asyncio.gather(*[m.loading for m in self._models.values() if m.loading])

    async def close(self) -> None:
        """Unloads everything, each version after its last request."""
        loads = [model.loading for model in self._models.values() if model.loading]
        await self.update([])
        await asyncio.gather(*loads)
        await asyncio.gather(*self._leaving)
        self._thread.shutdown(wait=False)

    def _version_of(self, model: _Model | None, label: str) -> int:
        if model is None or label not in model.labels:
            raise RequestError(f"Unrecognized servable version label: {label}", "INVALID_ARGUMENT")
        return model.labels[label]

    def _choose(self, name: str, model: _Model) -> int | None:
        """The version for a request that names none."""
        default = model.labels.get(self._default_label or "")
        canary = self._canaries.get(name)
        if canary is not None and canary.label in model.labels:
            if random.random() * 100 < canary.percent:
                return model.labels[canary.label]
            if default is None:
                others = [v for v in model.loaded if v != model.labels[canary.label]]
                return model.labels.get("stable", max(others, default=None))
        return default if default is not None else max(model.loaded, default=None)

    def _settle(self, model: _Model) -> None:
        """Moves the labels whose versions are loaded, and lets go of what nothing points to."""
        before = dict(model.labels), set(model.loaded)
        model.labels = {
            label: version if version in model.loaded else model.labels[label]
            for label, version in model.source.labels.items()
            if version in model.loaded or model.labels.get(label) in model.loaded
        }
        needed = {*model.wanted, *model.labels.values()}
        if any(version in model.loaded for version in model.wanted):
            for version in [version for version in model.loaded if version not in needed]:
                self._leave(model, model.loaded.pop(version))
        if before != (model.labels, set(model.loaded)):
            self._observe(model.source.name, model.loaded, model.labels)
        self._forget(model)

    async def _load_missing(self, model: _Model) -> None:
        while missing := [version for version in model.wanted if self._is_due(model, version)]:
            for version in missing:
                model.statuses[version] = VersionStatus(version, "START")
            # The newest last, as TF Serving does it.
            await self._load(model, missing[0])
            if self._models.get(model.source.name) is model:
                self._settle(model)

    def _is_due(self, model: _Model, version: int) -> bool:
        if version in model.loaded or self._models.get(model.source.name) is not model:
            return False
        failure = model.failures.get(version)
        if failure is None or time.monotonic() - failure.when >= _RETRY_S:
            return True
        return failure.mark != mark_of(model.source.base / str(version))

    async def _load(self, model: _Model, version: int) -> None:
        name, path = model.source.name, model.source.base / str(version)
        mark = mark_of(path)
        model.statuses[version] = VersionStatus(version, "LOADING")
        try:
            loaded = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._loader.load, path
            )
        except Exception as error:
            code = error.code if isinstance(error, ModelError) else "INTERNAL"
            model.failures[version] = _Failure(mark, time.monotonic())
            model.statuses[version] = VersionStatus(version, "END", code, str(error))
            self._observe_load(name, None)
            self._say(f"version {version} of {name} is not served: {error}")
            return
        model.failures.pop(version, None)
        servable = Servable(name, version, path, loaded.saved_model)
        if self._models.get(name) is not model:
            self._leave(model, servable)
            return
        model.loaded[version] = servable
        model.statuses[version] = VersionStatus(version, "AVAILABLE")
        self._observe_load(name, loaded.seconds)
        self._observe(name, model.loaded, model.labels)
        self._say(
            f"version {version} of {name} is available after {loaded.seconds:.1f} s, "
            f"{loaded.num_warmups} warm-up request(s)"
        )

    def _leave(self, model: _Model, servable: Servable) -> None:
        model.statuses[servable.version] = VersionStatus(servable.version, "UNLOADING")
        task = asyncio.ensure_future(self._unload(model, servable))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _unload(self, model: _Model, servable: Servable) -> None:
        await servable.unused()
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._thread, servable.saved_model.close
            )
        except ModelError as error:
            self._say(f"version {servable.version} of {servable.model} does not unload: {error}")
        if servable.version not in model.loaded:
            model.statuses[servable.version] = VersionStatus(servable.version, "END")
        self._say(f"version {servable.version} of {servable.model} is unloaded")

    def _forget(self, model: _Model) -> None:
        """Drops the status of versions that ended long ago."""
        ended = [
            number
            for number, status in model.statuses.items()
            if status.state == "END" and number not in model.wanted
        ]
        for number in sorted(ended)[:-_NUM_ENDED]:
            del model.statuses[number]
            model.failures.pop(number, None)
