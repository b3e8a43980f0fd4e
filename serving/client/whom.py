"""What the flags say about whom to ask: the model, its columns, and how to be let in."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from serving import labels
from serving.client.connection import Access, Target
from serving.client.errors import UsageError, nearest
from serving.client.signature import Signature
from serving.columns import RAW_SIGNATURE, ModelColumns, read_columns
from serving.versions import versions

DEFAULT_SIGNATURE = "serving_default"
_CONFIG = "models.config"


def access(args: argparse.Namespace, variable: str) -> Access:
    """How to be let in.

    Args:
        args: `token_file`, `ca` and `timeout`.
        variable: of the environment, that holds the token if no file does.

    Raises:
        UsageError: the file with the token cannot be read, or holds none.
    """
    token = os.environ.get(variable, "").strip()
    if args.token_file:
        try:
            token = Path(args.token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--token-file {args.token_file} cannot be read: {error}.") from error
        if not token:
            raise UsageError(f"--token-file {args.token_file} is empty.")
    if not token.isprintable() or not token.isascii() or " " in token:
        raise UsageError("The token holds characters that no header can. Write it on one line.")
    return Access(token=token, ca=Path(args.ca) if args.ca else None, timeout_s=args.timeout)


def serving_folder(args: argparse.Namespace, default: str) -> Path | None:
    """The serving folder: `args.serving`, or the default where it exists.

    Raises:
        UsageError: the one that was named does not exist.
    """
    if args.serving:
        folder = Path(args.serving)
        if not folder.is_dir():
            raise UsageError(f"--serving {folder} is no folder.")
        return folder
    return Path(default) if Path(default).is_dir() else None


def target(args: argparse.Namespace, folder: Path | None) -> Target:
    """Which model to ask.

    Raises:
        UsageError: the folder does not tell, because it holds none, or several.
    """
    name = args.model
    if name is None:
        found = models(folder) if folder else {}
        if len(found) != 1:
            what = f"{folder} holds {', '.join(found) or 'no model'}" if folder else "There is none"
            raise UsageError(f"--model NAME is missing: say which model to ask. {what}.")
        (name,) = found
    return Target(model=name, version=args.version, label=args.label)


def models(folder: Path) -> dict[str, Path]:
    """The models of a serving folder, and where the versions of each are."""
    found = {name: model.base for name, model in labels.read_config(folder / _CONFIG).items()}
    for base in sorted(path for path in folder.iterdir() if path.is_dir()):
        if base.name not in found and versions(base):
            found[base.name] = base
    return found


def version_folder(asked: Target, folder: Path | None) -> Path | None:
    """Where the version lies that is asked; None if it is not on this machine.

    Without a version or a label that is the one that `stable` points to, or the newest.
    """
    base = models(folder).get(asked.model) if folder else None
    if base is None:
        return None
    number = asked.version
    if number is None:
        number = labels.live(base, asked.label or labels.STABLE)
    known = versions(base)
    if number is None and not asked.label and known:
        number = known[-1].number
    path = base / str(number)
    return path if number is not None and path.is_dir() else None


def columns(asked: Target, folder: Path | None) -> ModelColumns | None:
    """What the pipeline says of the model's columns; None if that is not on this machine."""
    version = version_folder(asked, folder)
    return read_columns(version) if version else None


def signature(found: Mapping[str, Signature], name: str | None) -> Signature:
    """The one to ask.

    Args:
        found: those of the model.
        name: what was asked for; by default `serving_raw`, or else `serving_default`.

    Raises:
        UsageError: the model has no such signature.
    """
    chosen = name or next((n for n in (RAW_SIGNATURE, DEFAULT_SIGNATURE) if n in found), "")
    if chosen not in found:
        known = ", ".join(sorted(found)) or "none"
        raise UsageError(
            f"The model has no signature {chosen or DEFAULT_SIGNATURE!r} (--signature); it has "
            f"{known}.{nearest(chosen, found)}"
        )
    return found[chosen]
