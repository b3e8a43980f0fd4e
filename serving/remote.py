"""A shelf behind a URL, through TensorFlow's file systems: gs://, hdfs://, ram://, file://, ...

Where a rename is atomic a version appears by one, as in a folder. Object stores have none: there
the files are written in place, `saved_model.pb` last, so that a server which looks at the wrong
moment finds no model and tries again. With `models.config` it does not even look: that names a
version only when it is whole. Nothing can be locked behind a URL: one process at a time may write.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from serving import contents, manifests, model_config
from serving.contents import MANIFEST, FileRecord
from serving.errors import LabelError, PublishError, ServingError
from serving.manifests import Manifest
from serving.shelves import HISTORY
from serving.versions import LAST_VERSION, SAVED_MODEL, TEMPORARY, require_model

RENAMING = ("file", "hdfs", "viewfs")
_CHUNK_BYTES = 1 << 20


class RemoteShelf:
    """A shelf at a URL."""

    def __init__(self, url: str) -> None:
        """Names the URL; nothing is read yet, but TensorFlow is imported.

        Args:
            url: of the model's versions, such as gs://bucket/serving/taxi.
        """
        import tensorflow as tf

        self._files: Any = tf.io.gfile
        self._errors: tuple[type[Exception], ...] = (tf.errors.OpError, OSError)
        self.location = url.rstrip("/")
        self._root, _, self.model = self.location.rpartition("/")
        self.config_location = f"{self._root}/{model_config.FILE}"
        self.history_location = f"{self.location}/{HISTORY}"
        self.has_rename = url.partition("://")[0] in RENAMING

    def path_of(self, number: int) -> str:
        """See `Shelf`."""
        return f"{self.location}/{number}"

    def numbers(self) -> list[int]:
        """See `Shelf`; what has no `saved_model.pb` is still being written."""
        with self._explained(LabelError, f"Cannot read {self.location}"):
            return [
                number
                for number in self._folders()
                if self._files.exists(f"{self.path_of(number)}/{SAVED_MODEL}")
            ]

    def manifests(self) -> list[Manifest]:
        """See `Shelf`."""
        found = (self._manifest(number) for number in self.numbers())
        return [manifest for manifest in found if isinstance(manifest, Manifest)]

    def problems(self, number: int) -> list[str]:
        """See `Shelf`."""
        manifest = self._manifest(number)
        if isinstance(manifest, str):
            return [manifest]
        where = self.path_of(number)
        with self._explained(LabelError, f"Cannot read {where}"):
            return manifests.differences(
                manifest, self._describe(where, manifest.files), where=where, name=str(number)
            )

    def publish(
        self,
        model_dir: Path,
        *,
        key: str,
        properties: Mapping[str, str],
        extras: Mapping[str, Path],
    ) -> Manifest:
        """See `Shelf`."""
        require_model(model_dir)
        with self._explained(PublishError, f"Cannot publish {model_dir} to {self.location}"):
            self._files.makedirs(self.location)
            self._remove_leftovers()
            same = [item for item in self.manifests() if item.key == key]
            if same and not self.problems(same[-1].number):
                return same[-1]
            number = self._next_number()
            self._put(f"{self.location}/{LAST_VERSION}", f"{number}\n".encode())
            final = self.path_of(number)
            draft = f"{self.location}/{TEMPORARY}{number}" if self.has_rename else final
            try:
                manifest = self._write_version(
                    contents.sources(model_dir, extras),
                    draft,
                    number=number,
                    key=key,
                    properties=properties,
                )
                if draft != final:
                    self._files.rename(draft, final)
            except BaseException:
                with contextlib.suppress(*self._errors):
                    self._files.rmtree(draft)
                raise
            return manifest

    def remove(self, numbers: Sequence[int]) -> None:
        """See `Shelf`."""
        for number in numbers:
            with self._explained(PublishError, f"Cannot remove {self.path_of(number)}"):
                self._files.remove(f"{self.path_of(number)}/{SAVED_MODEL}")
                self._files.rmtree(self.path_of(number))

    def locked_versions(self) -> contextlib.AbstractContextManager[None]:
        """See `Shelf`; locks nothing."""
        return contextlib.nullcontext()

    def locked_labels(self) -> contextlib.AbstractContextManager[None]:
        """See `Shelf`; locks nothing."""
        return contextlib.nullcontext()

    def read_config(self) -> bytes:
        """See `Shelf`."""
        return self._get(self.config_location)

    def read_history(self) -> bytes:
        """See `Shelf`."""
        return self._get(self.history_location)

    def write(self, *, config: bytes, history: bytes | None = None) -> None:
        """See `Shelf`; one file is written after the other."""
        with self._explained(LabelError, f"Cannot write {self.config_location}"):
            self._put(self.config_location, config)
            if history is not None:
                self._put(self.history_location, history)

    def _write_version(
        self,
        files: Mapping[str, Path],
        target: str,
        *,
        number: int,
        key: str,
        properties: Mapping[str, str],
    ) -> Manifest:
        """Copies a version, reads it back, and writes what makes it one last."""
        model = {SAVED_MODEL: files[SAVED_MODEL]}
        rest = {path: source for path, source in files.items() if path != SAVED_MODEL}
        records = self._copy(rest, target)
        sha256 = hashlib.sha256(model[SAVED_MODEL].read_bytes()).hexdigest()
        size = model[SAVED_MODEL].stat().st_size
        expected = [*records, FileRecord(SAVED_MODEL, sha256, size)]
        expected.sort(key=lambda record: record.path)
        manifest = Manifest(
            number=number,
            key=key,
            sha256=contents.digest_of(expected),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            properties=dict(properties),
            files=tuple(expected),
        )
        self._put(f"{target}/{MANIFEST}", manifests.to_json(manifest).encode())
        self._copy(model, target)
        wrong = sorted({file.path for file in {*expected} ^ {*self._describe(target, expected)}})
        if wrong:
            raise PublishError(
                f"{target}/{wrong[0]} reads back otherwise than it was written; nothing was "
                "published. Run it again."
            )
        return manifest

    def _copy(self, files: Mapping[str, Path], target: str) -> list[FileRecord]:
        records = []
        for path, source in files.items():
            self._files.makedirs(f"{target}/{path}".rpartition("/")[0])
            digest, size = hashlib.sha256(), 0
            with (
                source.open("rb") as reader,
                self._files.GFile(f"{target}/{path}", "wb") as writer,
            ):
                writer.write(b"")  # an empty file is made by writing nothing
                while chunk := reader.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    writer.write(chunk)
                    size += len(chunk)
            records.append(FileRecord(path, digest.hexdigest(), size))
        return records

    def _describe(self, folder: str, expected: Iterable[FileRecord]) -> tuple[FileRecord, ...]:
        """Those of the expected files that are there, as they are; others are not looked for."""
        urls = {record.path: f"{folder}/{record.path}" for record in expected}
        return tuple(
            self._record(url, path) for path, url in urls.items() if self._files.exists(url)
        )

    def _record(self, url: str, path: str) -> FileRecord:
        digest, size = hashlib.sha256(), 0
        with self._files.GFile(url, "rb") as reader:
            while chunk := reader.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        return FileRecord(path, digest.hexdigest(), size)

    def _manifest(self, number: int) -> Manifest | str:
        """The manifest of a version, or a sentence about why it has none."""
        path = f"{self.path_of(number)}/{MANIFEST}"
        text = self._get(path)
        if not text:
            return f"{self.path_of(number)} has no {MANIFEST}: it was not published by this tool."
        try:
            return manifests.from_json(text)
        except ValueError as error:
            return f"{path} is damaged: {error}."

    def _next_number(self) -> int:
        last = self._get(f"{self.location}/{LAST_VERSION}").decode(errors="replace").strip() or "0"
        if not last.isdecimal():
            raise PublishError(
                f"{self.location}/{LAST_VERSION} holds {last[:40]!r}, expected the last version's "
                "number. Write the highest number ever published into it."
            )
        return 1 + max([int(last), *self._folders()])

    def _folders(self) -> list[int]:
        names = (name.rstrip("/") for name in self._names())
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def _names(self) -> list[str]:
        found: list[str] = (
            self._files.listdir(self.location) if self._files.isdir(self.location) else []
        )
        return found

    def _remove_leftovers(self) -> None:
        whole = {str(number) for number in self.numbers()}
        for name in (name.rstrip("/") for name in self._names()):
            is_half = name.isdecimal() and name not in whole and not self.has_rename
            if is_half or name.startswith(TEMPORARY):
                self._files.rmtree(f"{self.location}/{name}")

    def _get(self, url: str) -> bytes:
        with self._explained(LabelError, f"Cannot read {url}"):
            if not self._files.exists(url):
                return b""
            with self._files.GFile(url, "rb") as reader:
                content: bytes = reader.read()
                return content

    def _put(self, url: str, content: bytes) -> None:
        """Replaces one file: an object store, too, renames one object in one step."""
        self._files.makedirs(url.rpartition("/")[0])
        draft = f"{url}.draft"
        if self._files.exists(draft):  # of a process that was killed; ram:// would append to it
            self._files.remove(draft)
        with self._files.GFile(draft, "wb") as writer:
            writer.write(content)
        self._files.rename(draft, url, overwrite=True)

    @contextlib.contextmanager
    def _explained(self, kind: type[ServingError], what: str) -> Iterator[None]:
        """Turns what TensorFlow says into an error that a user can act on."""
        try:
            yield
        except self._errors as error:
            message = (getattr(error, "message", "") or str(error)).splitlines()
            raise kind(
                f"{what}: {type(error).__name__}: {message[0] if message else ''}. See to the "
                "rights and the connection (hdfs:// and s3:// need the package tensorflow-io), "
                "and run it again."
            ) from error
