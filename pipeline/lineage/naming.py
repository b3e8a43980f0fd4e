"""What a user may call a thing, and what that is in the store.

live               the version that the label `stable` points to
label:canary       the version that another label points to
v7, version:7      a pushed version
artifact:12        by its number; so is execution:34
run:ID, or ID      a run, or the beginning of its id if no other begins so
span:3             the examples of a span
sha256:1a2b3c…     what was made of data with a hash, of a file or of all files
PATH               what was made of a file, or the artifact that lies there
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from components.errors import ConfigError
from pipeline.lineage import served as serving_folder
from pipeline.lineage import sources
from pipeline.lineage.errors import NotFound
from pipeline.lineage.models import Artifact, Run, short_type
from pipeline.lineage.reader import Reader
from pipeline.lineage.served import Served
from serving.labels import STABLE
from serving.versions import Version

_VERSION = re.compile(r"v?(\d+)$")
_HASH = re.compile(r"[0-9a-fA-F]{8,64}$")
_RUNS_COMPARED = 2_000
_PARENTS = 6
_PUSHER = "Pusher"


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a name means.

    Attributes:
        name: as it was given.
        kind: `run`, `version`, `execution`, `artifact`, or `data` (of a file, a span, a hash).
        artifacts: the numbers of the artifacts meant.
        executions: the numbers of the executions meant.
        run: of a run.
        version: of a pushed version, where its folder is there.
        served: the model of that version.
        notes: what a reader should know about how the name was understood.
    """

    name: str
    kind: str
    artifacts: tuple[int, ...] = ()
    executions: tuple[int, ...] = ()
    run: Run | None = None
    version: Version | None = None
    served: Served | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Names:
    """Turns names into targets.

    Attributes:
        reader: of the store.
        folder: the serving folder.
        model: which of its models; by default the only one.
    """

    reader: Reader
    folder: Path
    model: str | None = None

    def find(self, name: str) -> Target:
        """What a name means.

        Raises:
            NotFound: nothing is called so.
            ConfigError: more than one thing is.
        """
        scheme, _, rest = name.partition(":")
        forms: dict[str, Callable[[str, str], Target]] = {
            "artifact": self._artifact,
            "execution": self._execution,
            "run": self._run,
            "version": self._numbered,
            "label": self._labelled,
            "span": self._span,
            "sha256": self._hash,
            "file": self._file,
        }
        if rest and scheme in forms:
            return forms[scheme](name, rest)
        if name == "live":
            return self._labelled(name, STABLE)
        run = self.reader.run(name)
        if run is not None:
            return Target(name=name, kind="run", run=run)
        if _VERSION.match(name) and name.startswith("v"):
            return self._numbered(name, name)
        if "/" in name or Path(name).exists():
            return self._file(name, name)
        if _HASH.match(name):
            found = sources.of_hash(self.reader, name)
            if found:
                return _data(name, found)
        return self._run(name, name)

    def _artifact(self, name: str, number: str) -> Target:
        found = self.reader.artifacts_by_id([_number(name, number)])
        if not found:
            raise NotFound(f"{name}: the store has no artifact of this number.")
        return Target(name=name, kind="artifact", artifacts=tuple(found))

    def _execution(self, name: str, number: str) -> Target:
        found = self.reader.executions_by_id([_number(name, number)])
        if not found:
            raise NotFound(f"{name}: the store has no execution of this number.")
        return Target(name=name, kind="execution", executions=tuple(found))

    def _run(self, name: str, given: str) -> Target:
        run = self.reader.run(given)
        if run is not None:
            return Target(name=name, kind="run", run=run)
        known = [run.id for run in islice(self.reader.runs(), _RUNS_COMPARED)]
        matching = [known_id for known_id in known if known_id.startswith(given)]
        if len(matching) > 1:
            shown = ", ".join(matching[:5]) + (" …" if len(matching) > 5 else "")
            raise ConfigError(f"{name}: {len(matching)} runs begin so: {shown}. Say more of it.")
        if matching:
            return self._run(name, matching[0])
        near = difflib.get_close_matches(given, known, n=3, cutoff=0.4) or known[:3]
        hint = f" Similar or recent runs: {', '.join(near)}." if near else ""
        raise NotFound(
            f"{name}: the store knows no run, and there is no file, of this name.{hint} Other "
            "names: live, label:NAME, v7, artifact:12, execution:34, span:3, sha256:…, a path."
        )

    def _span(self, name: str, number: str) -> Target:
        found = sources.of_span(self.reader, _number(name, number))
        if not found:
            raise NotFound(f"{name}: no examples of this span are in the store.")
        return _data(name, found)

    def _hash(self, name: str, digest: str) -> Target:
        if not _HASH.match(digest):
            raise ConfigError(f"{name}: expected 8 to 64 hex digits.")
        found = sources.of_hash(self.reader, digest)
        if not found:
            raise NotFound(f"{name}: nothing was made of data with this hash.")
        return _data(name, found)

    def _file(self, name: str, path: str) -> Target:
        full = Path(path).absolute()
        for place in (full, *full.parents[:_PARENTS]):
            held = self.reader.artifacts_at(str(place))
            if held:
                numbers = tuple(item.id for item in held)
                return Target(name=name, kind="artifact", artifacts=numbers)
        found = sources.of_file(self.reader, path)
        if not found:
            raise NotFound(
                f"{name}: no data in the store was made of this file, and no artifact lies there. "
                "Give its full path as it was when it was read, or its hash as sha256:…."
            )
        return _data(name, found)

    def _labelled(self, name: str, label: str) -> Target:
        served = serving_folder.read(self.folder, self.model)
        if label in served.labels:
            return self._version(name, served, served.labels[label], ())
        if name == "live" and not served.labels and served.versions:
            note = "no version has a label; a server that is told nothing serves the newest"
            return self._version(name, served, max(served.versions), (note,))
        known = ", ".join(f"{key} (v{number})" for key, number in served.labels.items())
        raise NotFound(f"{name}: {served.model} has no label {label!r}. It has: {known or 'none'}.")

    def _numbered(self, name: str, text: str) -> Target:
        match = _VERSION.match(text)
        if match is None:
            raise ConfigError(f"{name}: expected the number of a version.")
        number = int(match[1])
        if serving_folder.models(self.folder):
            served = serving_folder.read(self.folder, self.model)
            if number in served.versions:
                return self._version(name, served, number, ())
        pushed = [
            item
            for item in _pushed_by(self.reader, _pushers(self.reader))
            if item.text("pushed_version") == str(number)
        ]
        if not pushed:
            raise NotFound(f"{name}: no such version is in {self.folder} or in the store.")
        if len(pushed) > 1:
            shown = ", ".join(f"artifact:{item.id}" for item in pushed[:5])
            raise ConfigError(f"{name}: {len(pushed)} pushes gave this number; name one: {shown}.")
        note = "its folder is gone, or lies elsewhere; this is what the store knows"
        numbers = (pushed[0].id,)
        return Target(name=name, kind="version", artifacts=numbers, notes=(note,))

    def _version(self, name: str, served: Served, number: int, notes: tuple[str, ...]) -> Target:
        version = served.versions.get(number)
        if version is None:
            raise NotFound(
                f"{name}: version {number} of {served.model} has no folder with a manifest."
            )
        pushed = pushed_model(self.reader, version)
        if pushed is None:
            notes = (*notes, "the store knows nothing of how this version was made")
        return Target(
            name=name,
            kind="version",
            artifacts=(pushed.id,) if pushed is not None else (),
            version=version,
            served=served,
            notes=notes,
        )


def pushed_model(reader: Reader, version: Version) -> Artifact | None:
    """The PushedModel that records a version, found along its model; None where none does."""
    wanted = {str(version.number), str(version.path)}
    uri = version.properties.get("model", "")
    models = reader.artifacts_at(uri) if uri else []
    edges = reader.edges_of_artifacts(model.id for model in models)
    readers = {edge.execution for edge in edges if not edge.is_output}
    pushers = [
        item.id
        for item in reader.executions_by_id(readers).values()
        if _PUSHER in short_type(item.type)
    ]
    found = [
        item
        for item in _pushed_by(reader, pushers)
        if wanted & {item.text("pushed_version"), item.text("pushed_destination")}
    ]
    return max(found, key=lambda item: item.id, default=None)


def _pushers(reader: Reader) -> list[int]:
    return [
        item.id
        for kind in reader.execution_types()
        if _PUSHER in short_type(kind)
        for item in reader.executions_of_type(kind)
    ]


def _pushed_by(reader: Reader, executions: Iterable[int]) -> list[Artifact]:
    made = {edge.artifact for edge in reader.edges_of_executions(executions) if edge.is_output}
    return [item for item in reader.artifacts_by_id(made).values() if item.type == "PushedModel"]


def _data(name: str, found: list[Artifact]) -> Target:
    return Target(name=name, kind="data", artifacts=tuple(item.id for item in found))


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ConfigError(f"{name}: expected a number after the colon.")
    return int(text)
