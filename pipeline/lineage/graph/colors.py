"""The colors of the states, readable with black text and apart for those who see fewer of them."""

from __future__ import annotations

from pipeline.lineage.graph.drawing import ARTIFACT, GONE

# Status to its fill and its line.
COLORS = {
    "COMPLETE": ("#d7f0dd", "#1a7f37"),
    "CACHED": ("#dbeafe", "#1d4ed8"),
    "FAILED": ("#fde0dc", "#b42318"),
    "CANCELED": ("#fdeccf", "#9a5b00"),
    "RUNNING": ("#fff7c2", "#806600"),
    "NEW": ("#fff7c2", "#806600"),
    "UNKNOWN": ("#e5e7eb", "#4b5563"),
    ARTIFACT: ("#f6f7f9", "#57606a"),
    GONE: ("#e5e7eb", "#9ca3af"),
}
