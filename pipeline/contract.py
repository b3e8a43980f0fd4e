"""What the configuration asks of the data contract, completed with the schema and the data."""

from __future__ import annotations

from pathlib import Path

from components.errors import ConfigError, nearest
from components.ingestion import schema_spec, sources
from components.validation.drift import has_comparators
from pipeline.resolve import Resolved


def check_columns(resolved: Resolved) -> None:
    """Refuses rules for columns that neither the data nor the schema has.

    Raises:
        ConfigError: naming the key, and the nearest column.
    """
    settings = resolved.config.validation
    known = set(resolved.column_types)
    if settings.schema_path is not None:
        schema = schema_spec.read_schema(Path(settings.schema_path))
        known |= {feature.name for feature in schema.feature}
    named = [("validation.features", name) for name in settings.features]
    for key, comparison in (("drift", settings.drift), ("skew", settings.skew)):
        if comparison is not None:
            named += [(f"validation.{key}.features", name) for name in comparison.features]
    for key, name in named:
        if name not in known:
            raise ConfigError(
                f"{key}: neither the data nor the schema has a column {name!r}."
                f"{nearest(name, known)} Columns: {', '.join(sorted(known)[:30])}"
                f"{' …' if len(known) > 30 else ''}."
            )


def is_drift_on(resolved: Resolved) -> bool:
    """Whether the data is compared with the last accepted data: `validation.drift`, or the schema.

    The schema asks for it with a `drift_comparator`.
    """
    settings = resolved.config.validation
    if settings.drift is not None:
        return True
    if settings.schema_path is None:
        return False
    return has_comparators(schema_spec.read_schema(Path(settings.schema_path)), "drift")


def log_hash(resolved: Resolved) -> str:
    """A hash of the logged requests' files; empty where there is no log.

    Raises:
        ConfigError: there is no such folder, or it holds no file.
    """
    log = resolved.config.validation.serving_log
    if log is None:
        return ""
    folder = Path(log)
    files = [file for file in folder.rglob("[!._]*") if file.is_file()] if folder.is_dir() else []
    if not files:
        raise ConfigError(
            f"validation.serving_log: {folder} is no folder with files of logged requests. Name a "
            "folder of TFRecord files or of files with lines of JSON."
        )
    return sources.content_hash(folder, files)
