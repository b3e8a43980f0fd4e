"""The baseline as it is found: where its files are, and why it cannot be compared with, if so."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pydantic
from tensorflow_metadata.proto.v0 import schema_pb2

from components.evaluation.decide import BaselineStatus
from components.evaluation.live import Live
from components.features import DataSpec, Dtype

SAVED_MODEL = "saved_model.pb"
_DATA_SPEC = "assets.extra/data_spec.json"
_DTYPES: Mapping[int, Dtype] = {
    schema_pb2.BYTES: "bytes",
    schema_pb2.INT: "int",
    schema_pb2.FLOAT: "float",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Baseline:
    """What the candidate is, or would be, compared with.

    Attributes:
        status: `compared`, or why not: `none`, `unreadable`, `incompatible`.
        reason: one sentence.
        label: the label that says what is live.
        version: the live version; None if the baseline is not a version.
        model_id: in the metadata store; None if it is not from there.
        folder: of the SavedModel; None where there is nothing to compare with.
    """

    status: BaselineStatus
    reason: str
    label: str
    version: int | None = None
    model_id: int | None = None
    folder: Path | None = None

    def without(self, status: BaselineStatus, reason: str) -> Baseline:
        """The same, which turned out not to be comparable."""
        return dataclasses.replace(self, status=status, reason=reason, folder=None)


class Candidate(Protocol):
    """The model artifact that is judged."""

    id: int
    uri: str


def find_baseline(
    *,
    label: str,
    live: Live | None,
    problem: str = "",
    model_id: int | None,
    folder: Path | None,
    candidate: Candidate,
    spec: DataSpec,
    schema: schema_pb2.Schema,
) -> Baseline:
    """Looks at the files of the model that was resolved, and of its pushed copy.

    Args:
        label: which label says what is live.
        live: the live version.
        problem: why that could not be read, if so.
        model_id: of the resolved model; None if there is none.
        folder: of its SavedModel.
        candidate: the model that is judged.
        spec: the columns and the label of the candidate.
        schema: of the examples.
    """
    is_own = live is not None and (live.model_id, live.model_uri) == (candidate.id, candidate.uri)
    if model_id is None and (live is None or is_own):
        reason = problem or f"no model is live yet: no version has the label {label!r}"
        if live is not None:
            reason = f"version {live.version}, which is live ({label!r}), is this very model"
        return Baseline(status="none", reason=reason, label=label)
    if model_id is not None and live is not None and live.model_id != model_id:
        live = None  # The candidate is live: it is compared as it was before.
    folders = [path for path in (folder, live.path if live else None) if path is not None]
    name = f"version {live.version}, which is live ({label!r})" if live else f"model {model_id}"
    found = Baseline(
        status="compared",
        reason=f"compared with {name}",
        label=label,
        version=live.version if live else None,
        model_id=model_id,
        folder=next((path for path in folders if (path / SAVED_MODEL).is_file()), None),
    )
    if found.folder is None:
        return found.without("unreadable", f"{name} cannot be read: {folders[0]} is gone")
    objection = _objection(found.folder, spec, schema)
    if objection:
        return found.without("incompatible", f"{name} {objection}")
    return found


def _objection(folder: Path, spec: DataSpec, schema: schema_pb2.Schema) -> str:
    """Why a model cannot answer about this data; empty if it can, as far as its files tell."""
    file = folder / _DATA_SPEC
    try:
        was = DataSpec.model_validate_json(file.read_bytes())
    except (OSError, pydantic.ValidationError):
        return ""  # It was made elsewhere: asking it will tell.
    if was.label != spec.label:
        changed = [
            f"{key} {getattr(was.label, key)!r}, now {getattr(spec.label, key)!r}"
            for key in type(spec.label).model_fields
            if getattr(was.label, key) != getattr(spec.label, key)
        ]
        return f"predicts something else: its label has the {'; '.join(changed)}"
    columns = {feature.name: _DTYPES.get(feature.type) for feature in schema.feature}
    for feature in was.features:
        if feature.name not in columns:
            return f"reads the column {feature.name!r}, which the data no longer has"
        if columns[feature.name] not in (None, feature.dtype):
            return (
                f"reads the column {feature.name!r} as {feature.dtype}, which is now "
                f"{columns[feature.name]}"
            )
    return ""
