"""The pictures of a training, by the name of their file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.features import Label
from components.training.history import History
from components.training.watching import curves, plots

if TYPE_CHECKING:
    from components.training.evaluation import Evaluated

LEARNING_CURVE = "learning_curve"
# More lines than this cannot be told apart.
_MOST_CLASSES = 8


def draw(history: History, label: Label, evaluated: Evaluated | None) -> dict[str, bytes]:
    """All pictures that can be drawn, as PNG.

    Args:
        history: of the training.
        label: what is predicted.
        evaluated: the final model on the eval split, if it was evaluated.

    Returns:
        `learning_curve`; of classes `confusion_matrix`, `precision_recall` and `roc`, of which the
        last two need rows with and without a class; of regression `predicted_and_actual`.
    """
    found = {}
    if history.curve or history.evaluations:
        found[LEARNING_CURVE] = plots.learning_curve(history)
    if evaluated is None or not evaluated.labels.size:
        return found
    labels, scores = evaluated.labels, evaluated.scores
    if label.problem == "regression":
        picture = plots.predicted_and_actual(labels, scores[:, 0], label.column)
        return {**found, "predicted_and_actual": picture}
    counts = curves.confusion_counts(labels, scores, len(label.classes))
    found["confusion_matrix"] = plots.confusion_matrix(counts, label.classes)
    classes = list(curves.one_against_rest(label, labels, scores, most=_MOST_CLASSES))
    if classes:
        found["precision_recall"] = plots.precision_recall(
            {name: curves.precision_over_recall(p, s) for name, p, s in classes},
            {name: float(positives.mean()) for name, positives, _ in classes},
        )
        found["roc"] = plots.roc({name: curves.roc(p, s) for name, p, s in classes})
    return found
