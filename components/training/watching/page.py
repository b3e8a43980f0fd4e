"""A training on one page: HTML that needs nothing but itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from components.training.history import History

_TITLES = {
    "learning_curve": "Learning curve",
    "confusion_matrix": "Which class was taken for which",
    "precision_recall": "Precision and recall",
    "roc": "Hits and false alarms",
    "predicted_and_actual": "Predicted and actual values",
}
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #2b2f36; background: #f6f7f9; margin: 0; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; }
h2 { font-size: 16px; margin: 0 0 10px; }
p.note { color: #667; margin: 0 0 20px; }
section { background: #fff; border: 1px solid #e3e6ea; border-radius: 8px; padding: 16px 18px;
  margin: 0 0 16px; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 0 0 16px; }
.tile { background: #fff; border: 1px solid #e3e6ea; border-radius: 8px; padding: 10px 16px;
  min-width: 90px; }
.tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.tile span { color: #667; font-size: 13px; }
.pair { display: flex; flex-wrap: wrap; gap: 16px; align-items: flex-start; }
.pair section { flex: 1 1 400px; }
img { max-width: 100%; height: auto; display: block; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 3px 12px 3px 0; border-bottom: 1px solid #eef0f3;
  vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
div.scroll { max-height: 340px; overflow: auto; }
"""


def training_page(
    history: History,
    pictures: Mapping[str, bytes],
    *,
    title: str,
    metrics: Mapping[str, float],
    settings: Mapping[str, object],
    placement: Mapping[str, object],
) -> str:
    """The page.

    Args:
        history: of the training.
        pictures: PNG by name, in the order of the page.
        title: of the page.
        metrics: of the final model on the eval split.
        settings: by name.
        placement: where and how the steps ran, by name, such as `device`.
    """
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="note">{_text(_summary(history))}</p>',
        _tiles(metrics),
        _pictures(pictures),
        _evaluations(history),
        '<div class="pair">',
        _table("Where it ran", placement),
        _table("Settings", settings),
        "</div>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _summary(history: History) -> str:
    if not history.curve:
        return "No steps were made."
    last = history.curve[-1]
    rates = sorted(p.examples_per_s for p in history.curve if p.examples_per_s is not None)
    parts = [
        f"{last.step:,} steps",
        f"{history.elapsed_s:,.1f} s" if history.elapsed_s else "",
        f"{rates[len(rates) // 2]:,.0f} examples/s" if rates else "",
        f"last training loss {last.loss:.4f}",
    ]
    return ", ".join(part for part in parts if part)


def _tiles(metrics: Mapping[str, float]) -> str:
    tiles = "".join(
        f'<div class="tile"><b>{_number(value)}</b><span>{_text(name)}</span></div>'
        for name, value in metrics.items()
    )
    return f'<div class="tiles">{tiles}</div>' if tiles else ""


def _pictures(pictures: Mapping[str, bytes]) -> str:
    """The learning curve across the page, the others side by side below it."""
    sections = {
        name: f"<section><h2>{_text(_TITLES.get(name, name))}</h2>"
        f'<img alt="{_text(name)}" src="data:image/png;base64,'
        f'{base64.b64encode(png).decode()}"></section>'
        for name, png in pictures.items()
    }
    wide = sections.pop("learning_curve", "")
    return wide + (f'<div class="pair">{"".join(sections.values())}</div>' if sections else "")


def _evaluations(history: History) -> str:
    if not history.evaluations:
        return ""
    names = list(dict.fromkeys(name for item in history.evaluations for name in item.metrics))
    head = "".join(f'<th class="number">{_text(name)}</th>' for name in ["step", *names, "seconds"])
    rows = []
    for item in history.evaluations:
        cells = [item.step, *(item.metrics.get(name) for name in names), item.took_s]
        rows.append("".join(f'<td class="number">{_number(cell)}</td>' for cell in cells))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        '<section><h2>Evaluations of the eval split</h2><div class="scroll">'
        f"<table><tr>{head}</tr>{body}</table></div></section>"
    )


def _table(title: str, values: Mapping[str, object]) -> str:
    if not values:
        return ""
    rows = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in values.items()
    )
    return (
        f'<section><h2>{_text(title)}</h2><div class="scroll"><table>{rows}</table></div></section>'
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _text(value: object) -> str:
    return html.escape(str(value))
