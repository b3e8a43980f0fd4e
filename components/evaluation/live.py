"""Which model is live, and which one a candidate is therefore compared with; without TFX."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.errors import ServingError

# TFX's names of what a ModelBlessing says.
BLESSED, MODEL_ID, BASELINE_ID = "blessed", "current_model_id", "baseline_model_id"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Live:
    """The version that a label points to.

    Attributes:
        label: the label.
        version: its number.
        path: its folder.
        model_id: of the model in the metadata store it was pushed from; None if unknown.
        model_uri: where that model was; empty if unknown.
    """

    label: str
    version: int
    path: Path
    model_id: int | None
    model_uri: str


@dataclass(frozen=True)
class Judgement:
    """What an earlier evaluation said of a model: its ids are those of the metadata store."""

    model_id: int | None
    baseline_id: int | None
    blessed: bool


def find_live(base: Path | None, label: str) -> Live | None:
    """The live version of the model whose versions lie in `base`; None if there is none.

    Args:
        base: the folder of the versions; None for a place that is no folder.
        label: which label says what is live.

    Raises:
        ServingError: what says so is damaged, or cannot be read.
    """
    # Nothing of it is imported before it is sure that there is something to read.
    if base is None or not base.is_dir():
        return None
    from serving import labels, versions

    number = labels.live(base, label)
    if number is None:
        return None
    manifests = {version.number: version.properties for version in versions.versions(base)}
    properties = manifests.get(number, {})
    identity = properties.get("model_artifact", "")
    return Live(
        label=label,
        version=number,
        path=base / str(number),
        model_id=int(identity) if identity.isdecimal() else None,
        model_uri=properties.get("model", ""),
    )


def find_readable(base: Path | None, label: str) -> Live | None:
    """`find_live`, or None where what says so is damaged: the evaluation then says that."""
    try:
        return find_live(base, label)
    except ServingError as error:
        _log.warning("%s", error)
        return None


def judgement(properties: Mapping[str, object]) -> Judgement:
    """Reads a ModelBlessing's custom properties."""
    model, baseline = properties.get(MODEL_ID), properties.get(BASELINE_ID)
    return Judgement(
        model if isinstance(model, int) else None,
        # ML Metadata has no absent numbers: 0 is no id.
        baseline if isinstance(baseline, int) and baseline else None,
        properties.get(BLESSED) == 1,
    )


def choose(
    *,
    candidates: Collection[int],
    live: Live | None,
    models: Mapping[int, str],
    judgements: Sequence[Judgement],
    exists: Callable[[str], bool],
) -> int | None:
    """The id of the model to compare with.

    It is the live one, even if its files are gone: the evaluation then says so. A candidate that is
    live itself is compared as it was before, so that a run that changes nothing does nothing. Where
    nothing was ever labelled, it is the model blessed last.

    Args:
        candidates: the ids of the model that is judged.
        live: the live version.
        models: the uri of every model of the pipeline, by id.
        judgements: of all earlier evaluations, the newest first.
        exists: whether a model's files are there.
    """
    if live is None:
        return next(
            (
                found.model_id
                for found in judgements
                if found.blessed
                and found.model_id is not None
                and found.model_id not in candidates
                and exists(models.get(found.model_id, ""))
            ),
            None,
        )
    # Another store may know another model by the same id.
    known = live.model_id if live.model_id and models.get(live.model_id) == live.model_uri else None
    if known not in candidates:
        return known
    before = next((found for found in judgements if found.model_id in candidates), None)
    return before.baseline_id if before is not None and before.baseline_id in models else None
