"""Where everything of a root lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The folders below one root, which several pipelines may share.

    metadata.db                      ML Metadata: what happened
    artifacts/<pipeline>/<node>/…    what the nodes wrote
    serving/<pipeline>/<version>/    the pushed models, as TF Serving reads them
    serving/models.config            which versions a server loads, and their labels
    report/index.html                the last run on one page, with links to the others
    report/run.json                  the last run in numbers
    report/run.html                  that run's graph and nodes, from ML Metadata, to be handed on
    report/data.html                 its data: every column, and what the gate found
    report/model.html                its model: the decision on it, and how good it is
    report/model_card.html, .md      its model card
    report/training.html             how its model was trained, with learning_curve.png
    logs/<run>.log                   what TensorFlow, Beam and TFX said
    """

    root: Path

    @property
    def metadata(self) -> Path:
        """The SQLite file of ML Metadata."""
        return self.root / "metadata.db"

    @property
    def artifacts(self) -> Path:
        """The folder of all artifacts."""
        return self.root / "artifacts"

    @property
    def lock(self) -> Path:
        """The file that a run holds locked."""
        return self.root / ".lock"

    @property
    def report(self) -> Path:
        """The last run in numbers."""
        return self.root / "report" / "run.json"

    @property
    def index_page(self) -> Path:
        """The last run on one page."""
        return self.report.with_name("index.html")

    @property
    def run_page(self) -> Path:
        """The last run that did something: its graph, its nodes, and why it ended so."""
        return self.report.with_name("run.html")

    @property
    def data_page(self) -> Path:
        """The last run's data; absent if it came to no statistics."""
        return self.report.with_name("data.html")

    @property
    def model_page(self) -> Path:
        """The last run's model, and the decision on it; absent if it was not evaluated."""
        return self.report.with_name("model.html")

    @property
    def card_page(self) -> Path:
        """The model card of the last run's model; absent if it has none."""
        return self.report.with_name("model_card.html")

    @property
    def training_page(self) -> Path:
        """How the last run's model was trained; absent if it has none."""
        return self.report.with_name("training.html")

    def log(self, run_id: str) -> Path:
        """The log file of a run."""
        return self.root / "logs" / f"{run_id}.log"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file that a reader sees whole or not at all; makes its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    draft.replace(path)
