"""Everything that a card is made of, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from components.features import DataSpec
from components.model_card.data import Data
from components.model_card.evaluated import Evaluation
from components.model_card.settings import ModelCardSettings


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the model was trained.

    Attributes:
        settings: by their full names, such as `optimizer.learning_rate`.
        num_steps: how many steps were made; None where no curve was left.
        defaults: what they are where nothing is said.
        found: the settings that the Tuner found, which replaced those of `settings`.
    """

    settings: Mapping[str, object]
    num_steps: int | None = None
    defaults: Mapping[str, object] = field(default_factory=dict)
    found: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What the ServingCheck said; numbers that it did not measure are None."""

    is_blessed: bool
    reason: str
    load_s: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """An artifact that the model or the card was made of.

    Attributes:
        role: such as `model`.
        type: of the artifact.
        id: in ML Metadata.
        sha256: of its files; empty where it is not recorded.
    """

    role: str
    type: str
    id: int
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Where the model came from.

    Attributes:
        pipeline: its name.
        run: the run that wrote the card; empty outside of a run.
        sources: the artifacts.
        code: a hash of the code that made the model.
        fingerprint: a hash of the raw files.
        spans: which deliveries of the data, in words; empty where there are none.
        libraries: name to version.
    """

    pipeline: str
    run: str
    sources: tuple[Source, ...]
    code: str
    fingerprint: str = ""
    spans: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of it.

    Attributes:
        name: of the model, by which a server knows it.
        owner: what only the owner can say.
        spec: the inputs and the label.
        data: the rows and columns.
        training: how the model was trained.
        evaluation: how good it is, and the decision.
        check: whether a server can use it.
        lineage: where it came from.
    """

    name: str
    owner: ModelCardSettings
    spec: DataSpec
    data: Data
    training: Training
    evaluation: Evaluation
    check: Check
    lineage: Lineage
