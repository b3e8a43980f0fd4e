"""What is said about the versions of a model: read at once, decided on, and written again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from serving import history, model_config
from serving.history import Change
from serving.shelves import Shelf

# A server also loads the newest versions that no label names: one may be asked for by number.
NEWEST_LOADED = 2
# What a manifest calls the model that it is a copy of.
MODEL = "model"


class State:
    """The labels of a model, what servers load, and how it came to that.

    Attributes:
        numbers: every number that a server would take for a version.
        published: the versions that were published here.
        changes: of the labels, oldest first.
        labels: the version of each label.
    """

    def __init__(self, shelf: Shelf) -> None:
        """Reads it; the caller holds the labels locked.

        Raises:
            LabelError: `models.config` or the history is damaged, or cannot be read.
        """
        self._shelf = shelf
        self._text = shelf.read_config()
        self._config = model_config.parse(self._text, origin=shelf.config_location)
        entry = model_config.find(self._config, shelf.model)
        self.numbers = shelf.numbers()
        self._models = {item.number: item.properties.get(MODEL) for item in shelf.manifests()}
        self.published = sorted(self._models)
        self.changes = history.parse(shelf.read_history(), origin=shelf.history_location)
        # A server refuses a file with a label on a version that is gone.
        self.labels = {
            label: number
            for label, number in model_config.labels_of(entry).items()
            if number in self.numbers
        }

    def earlier(self, label: str) -> list[int]:
        """What the label can go back to, newest first."""
        found = history.earlier(self.changes, label, self.labels.get(label))
        return [number for number in found if number in self.numbers]

    def needed(self, labels: Mapping[str, int]) -> set[int]:
        """What is labelled, and what each label can go back to."""
        return {*labels.values(), *(back for name in labels for back in self.earlier(name)[:1])}

    def refused(self, labels: Iterable[str]) -> set[int]:
        """The versions that one of the labels was rolled back from, and copies of their models."""
        left = {number for name in labels for number in history.rolled_back(self.changes, name)}
        models = {self._models.get(number) for number in left} - {None}
        return left | {number for number, model in self._models.items() if model in models}

    def write(
        self,
        *,
        labels: Mapping[str, int] | None = None,
        also: Iterable[int] = (),
        without: Iterable[int] = (),
        change: Change | None = None,
    ) -> None:
        """Writes `models.config`, and the change; does nothing if the file says it already.

        Args:
            labels: the labels from now on; as they were by default.
            also: versions to load besides.
            without: versions that are about to go.
            change: what to note.
        """
        labels = self.labels if labels is None else labels
        changes = (*self.changes, change) if change is not None else self.changes
        gone = set(without)
        # With the new change, what the label pointed to is what it can go back to.
        self.changes, self.labels = changes, dict(labels)
        # A request without a version gets the newest that is loaded: not one that was taken back.
        unwanted = gone | self.refused(labels)
        newest = [number for number in self.published if number not in unwanted][-NEWEST_LOADED:]
        model_config.put(
            self._config,
            self._shelf.model,
            base_path=self._shelf.location,
            versions=({*self.needed(labels), *newest, *also} & {*self.numbers}) - gone,
            labels=labels,
        )
        text = model_config.render(self._config)
        if change is not None or text != self._text:
            self._text = text
            self._shelf.write(
                config=text, history=history.render(changes) if change is not None else None
            )
