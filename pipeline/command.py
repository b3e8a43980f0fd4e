"""What every command shares: its parser made of the module's docstring, and how errors are told."""

from __future__ import annotations

import argparse

from rich.console import Console

from components.errors import WaybillError

# What a scheduler is told of a failure that may pass; mail servers call it so as well.
TEMPORARY = 75


def make_parser(module: str, doc: str | None) -> argparse.ArgumentParser:
    """A parser whose description is the docstring's first paragraph, and whose epilog the rest.

    Args:
        module: what follows `python -m`.
        doc: the module's docstring.
    """
    assert doc is not None
    description, _, epilog = doc.partition("\n\n")
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def tell(error: WaybillError) -> int:
    """Prints an error where a user looks for it; returns its exit code."""
    Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
    return error.exit_code


def tell_scheduler(error: WaybillError) -> int:
    """As `tell`, but with an exit code of its own for what another attempt may mend."""
    code = tell(error)
    return TEMPORARY if error.is_transient else code
