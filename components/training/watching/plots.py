"""Pictures of a training, as PNG files.

Only figures of their own are drawn, never through pyplot, whose state is the process's.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from components.training.history import History
from components.training.watching.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that stay apart for the colour-blind (Okabe and Ito 2008).
_TRAIN, _EVAL, _THIRD, _GREY = "#0072B2", "#D55E00", "#009E73", "#9AA1A9"
_COLOURS = (_TRAIN, _EVAL, _THIRD, "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#3B3B3B")
_INK, _GRID = "#2B2F36", "#E3E6EA"
_PANEL = (4.6, 3.1)
_DPI = 120
# More classes than this have neither names nor numbers that could be read.
_MOST_NAMED = 30
_MOST_NUMBERED = 15
_MOST_DOTS = 2000
_SMOOTH_FROM = 100


def learning_curve(history: History) -> bytes:
    """Loss, metrics and learning rate over the steps; a panel each, as far as they were measured.

    Args:
        history: with at least one point or evaluation.
    """
    panels = ["loss", *_metric_panels(history)]
    if history.curve:
        panels.append("learning rate")
        panels += ["norm"] * any(p.gradient_norm is not None for p in history.curve)
    steps = [point.step for point in history.curve]
    last = max(steps + [item.step for item in history.evaluations])
    figure, axes = _grid(len(panels), columns=3 if len(panels) in (3, 5, 6) else 2)
    for axis, panel in zip(axes, panels, strict=True):
        if panel == "loss":
            _draw_loss(axis, history)
        elif panel == "learning rate":
            _line(axis, history, "learning_rate", _TRAIN, "")
            axis.set_ylim(0, 1.05 * max(point.learning_rate for point in history.curve) or 1)
        elif panel == "norm":
            _line(axis, history, "gradient_norm", _TRAIN, "gradients")
            _line(axis, history, "weight_norm", _THIRD, "weights")
            axis.set_yscale("log")
            _legend(axis)
        else:
            _draw_metrics(axis, history, panel.split(", "))
        axis.set_title(panel)
        axis.set_xlabel("step")
        axis.set_xlim(0, 1.03 * last)
    return _png(figure)


def confusion_matrix(counts: np.ndarray, classes: Sequence[str]) -> bytes:
    """Which class was taken for which; the colour is the share of the true class's rows.

    Args:
        counts: int64 [true class, answered class].
        classes: their names, in order.
    """
    num = len(classes)
    side = 3.2 + 0.42 * min(num, _MOST_NAMED) if num <= _MOST_NAMED else 7.0
    figure = _figure(side + 0.9, side)
    axis = figure.subplots()
    rows = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(rows, 1)
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.grid(visible=False)
    axis.set_xlabel("answer")
    axis.set_ylabel("truth")
    hits = int(np.trace(counts))
    total = int(counts.sum())
    axis.set_title(f"{hits:,} of {total:,} right ({hits / max(total, 1):.1%})")
    if num <= _MOST_NAMED:
        names = [_short(name) for name in classes]
        is_long = max(map(len, names)) * num > 40
        axis.set_xticks(range(num), names, rotation=45 if is_long else 0)
        for tick in axis.get_xticklabels():
            tick.set_horizontalalignment("right" if is_long else "center")
        axis.set_yticks(range(num), names)
    if num <= _MOST_NUMBERED:
        _number_cells(axis, counts, shares)
    bar = figure.colorbar(image, ax=axis, fraction=0.046, pad=0.03)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    bar.outline.set_visible(False)
    return _png(figure)


def precision_recall(curves: Mapping[str, Curve], shares: Mapping[str, float]) -> bytes:
    """Precision over recall, a line a class.

    Args:
        curves: by class, at least one.
        shares: of the rows that have the class: the precision of answering at random.
    """
    figure, axis = _square("recall", "precision", "precision and recall")
    for colour, (name, curve) in zip(_colours(len(curves)), curves.items(), strict=True):
        label = f"{_short(name)}: average precision {curve.area:.3f}"
        # At a distinct score the curve drops before it goes right.
        axis.step(curve.x, curve.y, color=colour, linewidth=1.8, where="pre", label=label)
        if len(curves) == 1:
            share = shares[name]
            axis.axhline(share, color=_GREY, linewidth=1, linestyle="--", label="at random")
    _legend(axis, "lower left")
    return _png(figure)


def roc(curves: Mapping[str, Curve]) -> bytes:
    """The true positive rate over the false positive rate, a line a class, at least one."""
    figure, axis = _square("false positive rate", "true positive rate", "ROC")
    axis.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="at random")
    for colour, (name, curve) in zip(_colours(len(curves)), curves.items(), strict=True):
        label = f"{_short(name)}: AUC {curve.area:.3f}"
        axis.plot(curve.x, curve.y, color=colour, linewidth=1.8, label=label)
    _legend(axis, "lower right")
    return _png(figure)


def predicted_and_actual(labels: np.ndarray, predictions: np.ndarray, column: str) -> bytes:
    """Predicted over actual values of `column`; a right answer lies on the diagonal.

    Args:
        labels: float [rows], at least one.
        predictions: float [rows].
        column: the label's name.
    """
    figure = _figure(5.6, 5.2)
    axis = figure.subplots()
    both = np.concatenate([labels, predictions])
    # A few outliers would press all other rows into a corner.
    low, high = np.quantile(both, [0.002, 0.998]) if both.size > 500 else (both.min(), both.max())
    margin = 0.04 * (high - low) or 1.0
    limits = (float(low - margin), float(high + margin))
    if labels.size > _MOST_DOTS:
        extent = (*limits, *limits)
        cells = axis.hexbin(
            labels, predictions, gridsize=45, bins="log", extent=extent, mincnt=1, cmap="Blues"
        )
        figure.colorbar(cells, ax=axis, fraction=0.046, pad=0.03, label="rows")
    else:
        axis.scatter(labels, predictions, s=14, color=_TRAIN, alpha=0.5, linewidths=0)
    axis.plot(limits, limits, color=_EVAL, linewidth=1.2, label="right")
    axis.set(xlim=limits, ylim=limits, xlabel=f"actual {_short(column)}", aspect="equal")
    axis.set_ylabel(f"predicted {_short(column)}")
    rmse = float(np.sqrt(np.mean(np.square(predictions - labels, dtype=np.float64))))
    axis.set_title(f"predicted and actual: RMSE {rmse:.4g}, {labels.size:,} rows")
    _legend(axis, "upper left")
    return _png(figure)


def _draw_loss(axis: Axes, history: History) -> None:
    steps = [point.step for point in history.curve]
    losses = np.array([point.loss for point in history.curve])
    if len(steps) >= _SMOOTH_FROM:
        axis.plot(steps, losses, color=_TRAIN, alpha=0.25, linewidth=1)
        losses = _smoothed(losses)
    axis.plot(steps, losses, color=_TRAIN, linewidth=1.8, label="train")
    found = [(e.step, e.metrics["loss"]) for e in history.evaluations if "loss" in e.metrics]
    if found:
        x, y = zip(*found, strict=True)
        axis.plot(x, y, "o-", color=_EVAL, markersize=4, linewidth=1.5, label="eval")
    _legend(axis)


def _draw_metrics(axis: Axes, history: History, names: Sequence[str]) -> None:
    for colour, name in zip(_colours(len(names)), names, strict=True):
        found = [(e.step, e.metrics[name]) for e in history.evaluations if name in e.metrics]
        steps, values = zip(*found, strict=True)
        axis.plot(
            steps,
            values,
            "o-",
            color=colour,
            markersize=4,
            linewidth=1.5,
            label=f"{name}: {values[-1]:.4g}",
        )
    _legend(axis)


def _metric_panels(history: History) -> list[str]:
    """Metrics of one scale share a panel; `rows` and `loss` are none."""
    names = dict.fromkeys(name for item in history.evaluations for name in item.metrics)
    found = [name for name in names if name not in ("rows", "loss")]
    return [", ".join(found)] if found else []


def _line(axis: Axes, history: History, field: str, colour: str, label: str) -> None:
    values = [(point.step, getattr(point, field)) for point in history.curve]
    found = [(step, value) for step, value in values if value is not None]
    if found:
        steps, numbers = zip(*found, strict=True)
        axis.plot(steps, numbers, color=colour, linewidth=1.8, label=label)


def _number_cells(axis: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for row, column in np.ndindex(counts.shape):
        axis.text(
            column,
            row,
            f"{counts[row, column]:,}",
            ha="center",
            va="center",
            color="white" if shares[row, column] > 0.55 else _INK,
        )


def _smoothed(values: np.ndarray) -> np.ndarray:
    """The mean over about a twentieth of the points around each, fewer at the ends."""
    window = np.ones(2 * (values.size // 40) + 1)
    count = np.convolve(np.ones(values.size), window, "same")
    return np.convolve(values, window, "same") / count


def _colours(num: int) -> list[str]:
    return [_COLOURS[index % len(_COLOURS)] for index in range(num)]


def _short(name: str) -> str:
    # A dollar sign would begin a formula.
    text = name if len(name) <= 24 else f"{name[:23]}…"
    return text.replace("$", r"\$")


def _square(x: str, y: str, title: str) -> tuple[Figure, Axes]:
    figure = _figure(5.2, 4.6)
    axis = figure.subplots()
    axis.set(xlabel=x, ylabel=y, title=title, xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    return figure, axis


def _grid(num: int, *, columns: int) -> tuple[Figure, list[Axes]]:
    columns = min(num, columns)
    rows = -(-num // columns)
    figure = _figure(_PANEL[0] * columns, _PANEL[1] * rows)
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axis in axes[num:]:
        axis.remove()
    return figure, axes[:num]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    FigureCanvasAgg(figure)
    return figure


def _legend(
    axis: Axes, place: Literal["best", "lower left", "lower right", "upper left"] = "best"
) -> None:
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc=place, frameon=False, fontsize=9)


def _png(figure: Figure) -> bytes:
    for axis in figure.axes:
        if axis.get_label() == "<colorbar>":
            axis.tick_params(labelsize=8, length=0)
            continue
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(_GREY)
        axis.tick_params(colors=_INK, labelsize=9, length=3)
        axis.title.set(fontsize=11, color=_INK)
        axis.xaxis.label.set(fontsize=9, color=_INK)
        axis.yaxis.label.set(fontsize=9, color=_INK)
        if not axis.images:
            axis.grid(visible=True, color=_GRID, linewidth=0.8)
            axis.set_axisbelow(True)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
