"""The manifest of a published version: what it holds, who published it, and when."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from serving.contents import FileRecord, digest_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was published as one version.

    Attributes:
        number: what a server knows it by; the highest is the newest.
        key: who asked for it; one key is published once.
        sha256: one hash of all its files.
        created: when it was published, in UTC, ISO 8601.
        properties: what the publisher noted about its origin.
        files: every file but the manifest.
    """

    number: int
    key: str
    sha256: str
    created: str
    properties: Mapping[str, str]
    files: tuple[FileRecord, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)


_FIELDS = tuple(field.name for field in dataclasses.fields(Manifest))


def to_json(manifest: Manifest) -> str:
    """The text of a manifest's file."""
    document = {name: getattr(manifest, name) for name in _FIELDS}
    document["files"] = [dataclasses.asdict(file) for file in manifest.files]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def from_json(text: bytes) -> Manifest:
    """Reads `to_json` back.

    Raises:
        ValueError: it is no manifest.
    """
    try:
        document = json.loads(text)
        files = tuple(FileRecord(**file) for file in document.pop("files"))
        manifest = Manifest(**document, files=files)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(str(error)) from error
    if not isinstance(manifest.number, int) or not isinstance(manifest.properties, dict):
        raise ValueError("'number' must be a whole number and 'properties' an object")
    return manifest


def differences(
    manifest: Manifest, present: tuple[FileRecord, ...], *, where: str, name: str
) -> list[str]:
    """Compares what is there with what was published.

    Args:
        manifest: what was published.
        present: every file that is there but the manifest.
        where: the folder of the version.
        name: the last part of its path.

    Returns:
        One sentence for each problem.
    """
    found = {file.path: file for file in present}
    expected = {file.path: file for file in manifest.files}
    problems = []
    for path in sorted(expected.keys() | found.keys()):
        file = f"{where}/{path}"
        if path not in found:
            problems.append(f"{file} is missing.")
        elif path not in expected:
            problems.append(f"{file} was not published: it is not in the manifest.")
        elif found[path] != expected[path]:
            problems.append(
                f"{file} was changed: {found[path].size_bytes} bytes with sha256 "
                f"{found[path].sha256[:12]}, published were {expected[path].size_bytes} bytes "
                f"with sha256 {expected[path].sha256[:12]}."
            )
    if digest_of(manifest.files) != manifest.sha256:
        problems.append(
            f"The manifest of {where} was changed: its sha256 is not that of its files."
        )
    if name != str(manifest.number):
        problems.append(f"{where} was published as version {manifest.number}.")
    return problems
