"""Lets ML Metadata keep backslashes in PostgreSQL.

What ML Metadata 1.17 makes of a text with a backslash is no SQL: it lets libpq quote the text,
which gives E'…' instead of '…', and takes only the first character off again. TFX's own properties
have backslashes in them, being JSON in JSON. So in PostgreSQL a backslash is kept as another
character that looks like it, and comes back as a backslash to whoever reads with this in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from ml_metadata import MetadataStore

# BIG REVERSE SOLIDUS
KEPT_AS = "\u29f9"
_MARK = "_keeps_backslashes"


def install() -> None:
    """Changes how ML Metadata's client calls the database; only PostgreSQL is affected.

    TFX makes its own clients, so this is done to the class, once in a process.
    """
    call: Callable[..., None] = MetadataStore._pywrap_cc_call
    if hasattr(call, _MARK):
        return

    def keep_backslashes(
        store: MetadataStore, method: Any, request: Message, response: Message
    ) -> None:
        if not store._config.HasField("postgresql"):
            call(store, method, request, response)
            return
        _replace(request, "\\", KEPT_AS)
        call(store, method, request, response)
        _replace(response, KEPT_AS, "\\")

    setattr(keep_backslashes, _MARK, True)
    MetadataStore._pywrap_cc_call = keep_backslashes


def _replace(message: Message, old: str, new: str) -> None:
    """Replaces a character in every text of a message, and of the messages inside."""
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_STRING:
            if isinstance(value, str):
                if old in value:
                    setattr(message, field.name, value.replace(old, new))
            elif any(old in text for text in value):
                value[:] = [text.replace(old, new) for text in value]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            _replace_inside(field, value, old, new)


def _replace_inside(field: FieldDescriptor, value: Any, old: str, new: str) -> None:
    if field.message_type.GetOptions().map_entry:
        kind = field.message_type.fields_by_name["value"].type
        if kind == FieldDescriptor.TYPE_MESSAGE:
            for inner in value.values():
                _replace(inner, old, new)
        elif kind == FieldDescriptor.TYPE_STRING:
            for key, text in value.items():
                if old in text:
                    value[key] = text.replace(old, new)
    elif isinstance(value, Message):
        _replace(value, old, new)
    else:
        for inner in value:
            _replace(inner, old, new)
