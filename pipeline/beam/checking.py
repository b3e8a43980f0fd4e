"""Lets Beam's own parser and checks read the flags of an engine; reaches no cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.errors import ConfigError

# Options of the Java side, which its job server tells Beam about when a job is submitted.
_JAVA_ONLY = ("number_of_execution_retries",)


def check_flags(flags: Sequence[str]) -> None:
    """Refuses flags that Beam does not know, or that its checks complain about.

    Args:
        flags: as `BeamSettings.pipeline_args` gives them.

    Raises:
        ConfigError: one line for each thing Beam says.
    """
    from apache_beam.options.pipeline_options import (
        GoogleCloudOptions,
        PipelineOptions,
        StandardOptions,
    )
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners.runner import create_runner

    known = [flag for flag in flags if flag[2:].split("=", 1)[0] not in _JAVA_ONLY]
    unknown = _unknown(known)
    if unknown:
        raise ConfigError(f"Beam does not know {', '.join(unknown)} (beam.args).")
    # Beam asks Google about the folders otherwise.
    options = PipelineOptions([*known, "--dry_run=True"])
    name = options.view_as(StandardOptions).runner
    try:
        runner = create_runner(name)
    except (ImportError, ValueError, AttributeError) as error:
        raise ConfigError(f"Beam has no runner {name!r} (beam.args): {error}") from error
    validator = PipelineOptionsValidator(options, runner)
    problems: list[str] = []
    if validator.is_service_runner():
        # Beam would make a bucket of its own in place of two that have no valid names.
        cloud = options.view_as(GoogleCloudOptions)
        for key in ("temp_location", "staging_location"):
            problems += validator.validate_gcs_path(cloud, key)
    problems = problems or validator.validate()
    if problems:
        raise ConfigError("\n".join(str(problem).strip() for problem in problems))


def _unknown(flags: Sequence[str]) -> list[str]:
    """The flags that none of Beam's options classes has; argparse's own abbreviations do not count.

    Raises:
        ConfigError: a value is not of its flag's type.
    """
    import argparse

    from apache_beam.options.pipeline_options import PipelineOptions

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> None:  # type: ignore[override]
            raise ConfigError(f"Beam refuses the flags: {message}.")

    parser = Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for kind in _kinds(PipelineOptions):
        kind._add_argparse_args(parser)
    return parser.parse_known_args(list(flags))[1]


def _kinds(base: Any) -> list[Any]:
    """All options classes below `base`, as Beam itself finds them."""
    found: list[Any] = []
    for kind in base.__subclasses__():
        found += [kind, *_kinds(kind)]
    return found
