"""Finds where each field of a proto in text form stands, so that it can be edited in place.

The grammar is that of https://protobuf.dev/reference/protobuf/textformat-spec/, without extensions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n]+) | (?P<comment>\#[^\n]*)
    | (?P<text>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')
    | (?P<word>[A-Za-z0-9_.+-]+) | (?P<mark>[:{}<>\[\],;])""",
    re.VERBOSE | re.DOTALL,
)
_CLOSING = {"{": "}", "<": ">", "[": "]"}


class Unreadable(ValueError):
    """The text has a form that this reader does not know; it says where."""


@dataclass
class Node:
    """One field in the text.

    Attributes:
        name: the field's name; empty for the whole text.
        start: where its name begins.
        end: after its last character.
        value_start: where its value begins; for a message, after the opening brace.
        value_end: where its value ends; for a message, before the closing brace.
        is_message: whether it has fields of its own.
        is_list: whether its value is a list in brackets.
        children: its fields, in order.
    """

    name: str
    start: int
    end: int
    value_start: int
    value_end: int
    is_message: bool = False
    is_list: bool = False
    children: list[Node] = field(default_factory=list)

    def named(self, name: str) -> list[Node]:
        """Its fields of one name, in order."""
        return [child for child in self.children if child.name == name]


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def parse(text: str) -> Node:
    """The fields of a text. Raises Unreadable where it does not follow the grammar."""
    tokens = [token for token in _tokens(text) if token.kind not in ("blank", "comment")]
    root = Node("", 0, len(text), 0, len(text), is_message=True)
    position = _fields(tokens, 0, root, "")
    if position != len(tokens):
        raise Unreadable(f"unexpected {tokens[position].text!r} at {tokens[position].start}")
    return root


def line_of(text: str, position: int) -> int:
    """The line of a position, from 1."""
    return text.count("\n", 0, position) + 1


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise Unreadable(f"unexpected {text[position]!r} in line {line_of(text, position)}")
        assert match.lastgroup is not None
        found.append(_Token(match.lastgroup, match.group(), match.start(), match.end()))
        position = match.end()
    return found


def _fields(tokens: list[_Token], position: int, parent: Node, closing: str) -> int:
    """Reads fields up to the closing mark; returns the position of that mark."""
    while position < len(tokens) and tokens[position].text != closing:
        token = tokens[position]
        if token.kind != "word":
            raise Unreadable(f"{token.text!r} is no field")
        node, position = _field(tokens, position, token)
        parent.children.append(node)
        if position < len(tokens) and tokens[position].text in (",", ";"):
            position += 1
    if closing and position == len(tokens):
        raise Unreadable(f"{parent.name} is not closed")
    return position


def _field(tokens: list[_Token], position: int, name: _Token) -> tuple[Node, int]:
    position += 1
    if position < len(tokens) and tokens[position].text == ":":
        position += 1
    if position == len(tokens):
        raise Unreadable(f"{name.text} has no value")
    first = tokens[position]
    if first.text in ("{", "<"):
        node = Node(name.text, name.start, 0, first.end, 0, is_message=True)
        position = _fields(tokens, position + 1, node, _CLOSING[first.text])
        node.value_end, node.end = tokens[position].start, tokens[position].end
        return node, position + 1
    if first.text == "[":
        while position < len(tokens) and tokens[position].text != "]":
            position += 1
        if position == len(tokens):
            raise Unreadable(f"{name.text} is not closed")
        end = tokens[position].end
        return Node(name.text, name.start, end, first.start, end, is_list=True), position + 1
    if first.kind not in ("word", "text"):
        raise Unreadable(f"{name.text} has no value but {first.text!r}")
    # Adjacent strings are one.
    last = position
    while first.kind == "text" and last + 1 < len(tokens) and tokens[last + 1].kind == "text":
        last += 1
    end = tokens[last].end
    return Node(name.text, name.start, end, first.start, end), last + 1
