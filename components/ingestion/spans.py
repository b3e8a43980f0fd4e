"""Finds deliveries by their number or date, and corrections of them by their version.

A path such as `/data/trips/span-{SPAN}/v{VERSION}/*.csv` names one file set a span. The rules are
those of TFX's file-based ExampleGens (`tfx.components.example_gen.utils`): a date is the span of
its days since 1970-01-01; `{SPAN:4}` is a number of exactly four digits; the latest span is the
largest number, and its latest version too. Different are the width, of which `{SPAN}` may have any
(01 and 1 are the same span, so only one of them may be there), and a name without a number, which
is passed over.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from components.errors import ConfigError, nearest
from components.ingestion.settings import DATE, LATEST

_EPOCH = datetime.date(1970, 1, 1)
_SPEC = re.compile(r"\{(?P<name>[A-Z]+)(?::(?P<width>[^}]*))?\}")
_DATE_PARTS = {"YYYY": 4, "MM": 2, "DD": 2}
_NUMBERED = ("SPAN", "VERSION")
_KNOWN = (*_NUMBERED, *_DATE_PARTS, "DATE")
_WILDCARD = re.compile(r"[*?\[]")
_PIECE = re.compile(r"\*+|\?|\[!?[^\]]+\]|\{[^}]*\}|.", re.DOTALL)
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class SpanPath:
    """A path with a span in it.

    Attributes:
        base_dir: the folder that `pattern` starts from.
        pattern: a glob with `{SPAN}` or the three parts of a date, and maybe `{VERSION}`.
    """

    base_dir: Path
    pattern: str

    @property
    def is_dated(self) -> bool:
        """Whether spans are dates."""
        return "{YYYY}" in self.pattern

    @property
    def has_version(self) -> bool:
        """Whether a span has versions."""
        return "{VERSION" in self.pattern

    def show(self, span: int) -> str:
        """A span as the path writes it: a number, or a date."""
        return str(_EPOCH + datetime.timedelta(span)) if self.is_dated else str(span)


@dataclasses.dataclass(frozen=True)
class Delivery:
    """The files of one span.

    Attributes:
        span: its number.
        version: the number of the correction; None where the path has no version.
        pattern: a glob that matches them.
    """

    span: int
    version: int | None
    pattern: str


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which spans are read: those of `data.span`, `data.version` and `data.window`."""

    span: int | str = LATEST
    version: int | str = LATEST
    window: int = 1


def has_span(path: str) -> bool:
    """Whether a path has a span, a date or a version in it."""
    return any(found["name"] in _KNOWN for found in _SPEC.finditer(path))


def parse(path: str) -> SpanPath:
    """Divides a path into the folder that is certain and the pattern below it.

    Raises:
        ConfigError: what stands for numbers is unknown, incomplete or repeated.
    """
    whole = str(Path(path.replace("{DATE}", DATE)).expanduser().absolute())
    _check(path, whole)
    parts = Path(whole).parts
    first = next(
        index for index, part in enumerate(parts) if _SPEC.search(part) or _WILDCARD.search(part)
    )
    base_dir = Path(*parts[:first])
    if not base_dir.is_dir():
        raise ConfigError(f"There is no folder {base_dir} ({path}, data.path).")
    found = SpanPath(base_dir, "/".join(parts[first:]))
    paths = (path for path, _ in _matches(found))
    # A path that ends with a folder means the files in it.
    if any(path.is_dir() for path in paths):
        return SpanPath(base_dir, f"{found.pattern}/*")
    return found


def choose(path: SpanPath, choice: Choice) -> tuple[Delivery, ...]:
    """The spans to read, in ascending order.

    Where `window` is above 1, fewer spans are read only if there are none before them.

    Raises:
        ConfigError: nothing matches, a span or version is not there, or the window has a gap.
    """
    there = _deliveries(path)
    where = f"{path.base_dir}/{path.pattern} (data.path)"
    if not there:
        entries = sorted(entry.name for entry in path.base_dir.iterdir())
        raise ConfigError(
            f"No file matches {where}. {path.base_dir} holds {_shorten(entries) or 'nothing'}."
        )
    last = _wanted_span(path, choice.span, there)
    first = max(last - choice.window + 1, min(there))
    gaps = [path.show(span) for span in range(first, last + 1) if span not in there]
    spans = _shorten(path.show(span) for span in sorted(there))
    if last not in there:
        raise ConfigError(
            f"There is no span {path.show(last)} (data.span) in {where}; there are {spans}."
        )
    if gaps:
        raise ConfigError(
            f"The last {choice.window} spans (data.window) of {where} have a gap: "
            f"{_shorten(gaps)}; there are {spans}. Add what is missing, or choose a smaller window."
        )
    return tuple(
        _version(path, there[span], choice.version, span) for span in range(first, last + 1)
    )


def _wanted_span(path: SpanPath, span: int | str, there: Iterable[int]) -> int:
    if span == LATEST:
        return max(there)
    if isinstance(span, int):
        return span
    if not path.is_dated:
        raise ConfigError(
            f"data.span: {span!r} is a date, but data.path has {{SPAN}} in it, a number. Give a "
            "number, or latest."
        )
    return (datetime.date.fromisoformat(span) - _EPOCH).days


def _version(
    path: SpanPath, versions: Mapping[int | None, Delivery], wanted: int | str, span: int
) -> Delivery:
    if not path.has_version:
        if wanted != LATEST:
            raise ConfigError(
                f"data.version is {wanted}, but data.path has no {{VERSION}} in it. Remove it, or "
                "write {VERSION} into the path."
            )
        return versions[None]
    known = sorted(version for version in versions if version is not None)
    version = known[-1] if wanted == LATEST else wanted
    if version not in versions:
        raise ConfigError(
            f"There is no version {version} (data.version) of span {path.show(span)} in "
            f"{path.base_dir}/{path.pattern} (data.path); there are {_shorten(map(str, known))}."
        )
    return versions[int(version)]


def _deliveries(path: SpanPath) -> dict[int, dict[int | None, Delivery]]:
    there: dict[int, dict[int | None, Delivery]] = {}
    for file, found in _matches(path):
        if not file.is_file():
            continue
        span = _span_of(path, file, found)
        version = int(found["VERSION"]) if path.has_version else None
        pattern = _SPEC.sub(lambda spec, found=found: found[spec["name"]], path.pattern)  # type: ignore[misc]
        delivery = Delivery(span, version, pattern)
        other = there.setdefault(span, {}).setdefault(version, delivery)
        if other.pattern != pattern:
            raise ConfigError(
                f"{path.base_dir} (data.path) holds the span {path.show(span)} twice: as "
                f"{other.pattern} and as {pattern}. Remove one."
            )
    return there


def _span_of(path: SpanPath, file: Path, found: re.Match[str]) -> int:
    if not path.is_dated:
        return int(found["SPAN"])
    try:
        date = datetime.date(int(found["YYYY"]), int(found["MM"]), int(found["DD"]))
    except ValueError as error:
        raise ConfigError(
            f"{file} (data.path) has no date where {path.pattern} says so: {error}. Rename it."
        ) from error
    return (date - _EPOCH).days


def _matches(path: SpanPath) -> Iterable[tuple[Path, re.Match[str]]]:
    """What the pattern matches, with its numbers; hidden files and markers are left out."""
    regex = re.compile(_regex(path.pattern))
    # Neighboring numbers are one wildcard: `**` would be folders at any depth.
    for found in sorted(path.base_dir.glob(re.sub(r"\*+", "*", _SPEC.sub("*", path.pattern)))):
        relative = found.relative_to(path.base_dir)
        match = regex.fullmatch(relative.as_posix())
        hidden = any(
            name[0] in "._" and pattern[0] == "*"
            for name, pattern in zip(relative.parts, path.pattern.split("/"), strict=False)
        )
        if match and not hidden:
            yield found, match


def _regex(pattern: str) -> str:
    """The regular expression of a pattern, a group for each number."""
    made = []
    for piece in _PIECE.findall(pattern):
        spec = _SPEC.fullmatch(piece)
        if spec:
            width = spec["width"] or _DATE_PARTS.get(spec["name"])
            made.append(f"(?P<{spec['name']}>[0-9]{{{width}}})" if width else _any_width(spec))
        elif piece.startswith("*"):
            made.append("[^/]*")
        elif piece == "?":
            made.append("[^/]")
        elif piece.startswith("["):
            made.append(piece.replace("[!", "[^").replace("\\", r"\\"))
        else:
            made.append(re.escape(piece))
    return "".join(made)


def _any_width(spec: re.Match[str]) -> str:
    return f"(?P<{spec['name']}>[0-9]+)"


def _check(path: str, whole: str) -> None:
    """Raises ConfigError for numbers that cannot be told from a path."""
    found = list(_SPEC.finditer(whole))
    names = [spec["name"] for spec in found]
    what = f"data.path {path!r}:"
    for spec in found:
        name, width = spec["name"], spec["width"]
        if name not in _KNOWN:
            raise ConfigError(f"{what} {spec[0]} stands for nothing.{nearest(name, _KNOWN)}")
        if names.count(name) > 1:
            raise ConfigError(f"{what} {{{name}}} is in it twice. Write it once.")
        is_width = width is None or (width.isdecimal() and int(width) > 0)
        if not is_width or (width and name not in _NUMBERED):
            raise ConfigError(
                f"{what} {spec[0]} has no number of digits after the colon; write {{SPAN:4}}."
            )
    if "**" in whole:
        raise ConfigError(f"{what} ** would be folders at any depth. Write a * for each.")
    parts = [name for name in names if name in _DATE_PARTS]
    if parts and len(parts) != len(_DATE_PARTS):
        raise ConfigError(f"{what} a date is {{DATE}}, or all of {{YYYY}}, {{MM}} and {{DD}}.")
    if parts and "SPAN" in names:
        raise ConfigError(f"{what} a path has either {{SPAN}} or a date.")
    if not parts and "SPAN" not in names:
        raise ConfigError(f"{what} {{VERSION}} needs a {{SPAN}} or a date, whose version it is.")


def _shorten(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" … ({len(listed) - _SHOWN} more)" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
