"""Changes a schema.pbtxt to say what a changed schema says; all the rest stays as it stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import ConfigError
from pipeline.schema import proto_text
from pipeline.schema.proto_text import Node

_INDENT = "  "
# What tells the items of a repeated message apart.
_KEYS = {"feature": "name", "string_domain": "name"}

_Edit = tuple[int, int, str]


def rewrite(text: str, new: schema_pb2.Schema, where: str) -> str:
    """The text of a schema with the fewest edits that make it say `new`.

    Order, comments and layout of what did not change stay. The comment above a feature that is
    removed goes with it.

    Args:
        text: the schema in text form.
        new: what it should say.
        where: the file's name, for the message.

    Raises:
        ConfigError: the file is written in a form that cannot be edited in place.
    """
    old = text_format.Parse(text, schema_pb2.Schema())
    try:
        edits: list[_Edit] = []
        _sync(text, proto_text.parse(text), old, new, edits)
    except proto_text.Unreadable as error:
        raise _cannot(where, str(error)) from error
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    # What was edited by position must say exactly what was meant.
    try:
        if text_format.Parse(text, schema_pb2.Schema()) == new:
            return text
    except text_format.ParseError as error:
        raise _cannot(where, str(error)) from error
    raise _cannot(where, "the result would say something else")


def _cannot(where: str, reason: str) -> ConfigError:
    return ConfigError(
        f"{where} cannot be edited in place ({reason}). Change it by hand: see `python -m "
        "pipeline.schema diff`."
    )


def _sync(text: str, node: Node, old: Any, new: Any, edits: list[_Edit]) -> None:
    """Collects the edits that turn the text of `old` into one of `new`."""
    fields = {item.name: item for item in (*_set_fields(old), *_set_fields(new))}
    for name, descriptor in fields.items():
        before, after = getattr(old, name), getattr(new, name)
        nodes = node.named(name)
        if any(item.is_list for item in nodes) and before != after:
            raise proto_text.Unreadable(f"{name} is a list in brackets")
        if descriptor.is_repeated:
            if name in _KEYS:
                _sync_keyed(text, node, _KEYS[name], name, (before, after), edits)
            elif list(before) != list(after):
                _sync_values(text, node, name, before, after, edits)
            continue
        has, wants = _has(old, descriptor), _has(new, descriptor)
        if has and not wants:
            edits += [_removal(text, item) for item in nodes]
        elif wants and not has:
            is_message = descriptor.message_type is not None
            printed = _printed(name, after) if is_message else f"{name}: {_scalar(new, name)}"
            edits.append(_insertion(text, node, nodes, [printed]))
        elif before != after:
            [item] = nodes
            if descriptor.message_type is not None:
                _sync(text, item, before, after, edits)
            else:
                edits.append((item.value_start, item.value_end, _scalar(new, name)))


def _sync_keyed(
    text: str, node: Node, key: str, name: str, sides: tuple[Any, Any], edits: list[_Edit]
) -> None:
    """Repeated messages that have a name: changed, removed, or appended."""
    nodes = node.named(name)
    before, after = sides
    wanted = {getattr(item, key): item for item in after}
    known = set()
    for item, place in zip(before, nodes, strict=True):
        known.add(getattr(item, key))
        replacement = wanted.get(getattr(item, key))
        if replacement is None:
            edits.append(_removal(text, place, with_comment=True))
        elif replacement != item:
            _sync(text, place, item, replacement, edits)
    added = [_printed(name, item) for item in after if getattr(item, key) not in known]
    if added:
        edits.append(_insertion(text, node, nodes, added))


def _sync_values(
    text: str, node: Node, name: str, before: Any, after: Any, edits: list[_Edit]
) -> None:
    """Repeated values: some removed, some appended."""
    nodes = node.named(name)
    kept = [value for value in before if value in after]
    added = [value for value in after if value not in before]
    if kept + added != list(after):
        raise proto_text.Unreadable(f"{name} would get another order")
    edits += [
        _removal(text, place)
        for value, place in zip(before, nodes, strict=True)
        if value not in after
    ]
    if added:
        last = [place for value, place in zip(before, nodes, strict=True) if value in after]
        lines = [_printed(name, value) for value in added]
        edits.append(_insertion(text, node, last or nodes, lines))


def _insertion(text: str, parent: Node, siblings: Sequence[Node], printed: list[str]) -> _Edit:
    """After the last sibling, else after the last field, in the layout of the parent."""
    after = siblings[-1] if siblings else (parent.children[-1] if parent.children else None)
    body = text[parent.value_start : parent.value_end]
    is_whole = not parent.name
    if not is_whole and "\n" not in body:
        inline = " " + " ".join(" ".join(item.split("\n")) for item in printed)
        if after is not None:
            return (after.end, after.end, inline)
        return (parent.value_start, parent.value_start, inline + " ")
    indent = "" if is_whole else _indent_of(text, after.start if after else parent.start)
    if after is None and not is_whole:
        indent += _INDENT
    lines = "".join(
        "\n" + "\n".join(indent + line for line in item.split("\n")) for item in printed
    )
    place = _line_end(text, after.end) if after is not None else parent.value_start
    return (place, place, lines)


def _removal(text: str, node: Node, *, with_comment: bool = False) -> _Edit:
    """The field, and its line if nothing else is on it."""
    start, end = node.start, node.end
    line_start = text.rfind("\n", 0, start) + 1
    line_end = _line_end(text, end)
    rest = text[end:line_end].strip()
    if text[line_start:start].strip() or (rest and not rest.startswith("#")):
        while start > 0 and text[start - 1] == " ":
            start -= 1
        return (start, end, "")
    start, end = line_start, min(line_end + 1, len(text))
    while with_comment and start > 0:
        above = text.rfind("\n", 0, start - 1) + 1
        if not text[above : start - 1].lstrip().startswith("#"):
            break
        start = above
    return (start, end, "")


def _printed(name: str, value: Any) -> str:
    """A field in text form: a message over several lines if it is a feature, else on one."""
    if not hasattr(value, "DESCRIPTOR"):
        return f"{name}: {_literal(value)}"
    if name in _KEYS:
        body = text_format.MessageToString(value, as_utf8=True).rstrip("\n")
        return f"{name} {{\n" + "\n".join(_INDENT + line for line in body.split("\n")) + "\n}"
    body = text_format.MessageToString(value, as_one_line=True, as_utf8=True)
    return f"{name} {{ {body} }}" if body else f"{name} {{ }}"


def _scalar(message: Any, name: str) -> str:
    """The value of a field as it is written; an enum by its name."""
    single = type(message)()
    setattr(single, name, getattr(message, name))
    printed = text_format.MessageToString(single, as_one_line=True, as_utf8=True)
    return printed.split(":", 1)[1].strip()


def _literal(value: Any) -> str:
    if isinstance(value, str):
        carrier = schema_pb2.Feature(name=value)
        return text_format.MessageToString(carrier, as_one_line=True, as_utf8=True)[6:]
    return str(value)


def _set_fields(message: Any) -> list[FieldDescriptor]:
    return [descriptor for descriptor, _ in message.ListFields()]


def _has(message: Any, descriptor: FieldDescriptor) -> bool:
    if descriptor.has_presence:
        return bool(message.HasField(descriptor.name))
    return any(item.name == descriptor.name for item in _set_fields(message))


def _indent_of(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line if not line.strip() else ""


def _line_end(text: str, position: int) -> int:
    """The end of the line, if only blanks or a comment follow; else the position."""
    end = text.find("\n", position)
    end = len(text) if end < 0 else end
    rest = text[position:end].strip()
    return end if not rest or rest.startswith("#") else position
