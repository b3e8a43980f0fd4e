"""Takes secrets out of what is written down: passwords in URIs, keys, tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"

# A name whose last word is one of these has a secret for a value; `token_vocabulary_size` has not.
_LAST_WORDS = frozenset(
    [
        "auth",
        "credential",
        "credentials",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
        "token",
    ]
)
# `api_key` is a secret, `split_key` is not.
_KEYS = frozenset(
    ["access", "account", "api", "encryption", "private", "secret", "shared", "signing"]
)
_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s?#]*@")
# `name=value`, as in flags, in --set and in the queries of URIs.
_ASSIGNMENT = re.compile(r"([A-Za-z][\w.-]*)=([^\s&;,'\"]+)")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret(name: str) -> bool:
    """Whether a name says that its value is a secret."""
    words = [word for word in re.split(r"[^a-z0-9]+", _HUMP.sub("_", name).lower()) if word]
    if not words:
        return False
    return words[-1] in _LAST_WORDS or (
        words[-1] in ("key", "keys") and len(words) > 1 and words[-2] in _KEYS
    )


def redact(value: Any) -> Any:
    """A copy of JSON-like values: what secret names hold, and secrets in texts, are hidden."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if inner and is_secret(str(key)) else redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [redact(inner) for inner in value]
    return value


def redact_text(text: str) -> str:
    """`text` with the user part of URIs and the values of secret assignments hidden."""
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    return _ASSIGNMENT.sub(
        lambda found: f"{found[1]}={HIDDEN}" if is_secret(found[1]) else found[0], text
    )


def redact_command(words: Sequence[str]) -> list[str]:
    """The words of a command line; the word after a flag like `--password` is hidden too."""
    shown = []
    hides_next = False
    for word in words:
        shown.append(HIDDEN if hides_next else redact_text(word))
        hides_next = word.startswith("-") and "=" not in word and is_secret(word)
    return shown
