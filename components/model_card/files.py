"""The names of files that are read and written here, for those who need nothing else."""

from __future__ import annotations

# Of the ModelCard artifact, and of the Evaluation.
MARKDOWN_FILE, HTML_FILE = "model_card.md", "model_card.html"
EVALUATION_FILE = "evaluation.json"
