"""The executor of the ModelCard node: gathers the facts from artifacts, writes both forms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.features import DataSpec
from components.model_card.card import card, title
from components.model_card.data import read_data
from components.model_card.evaluated import read_evaluation
from components.model_card.facts import Check, Facts, Lineage, Source, Training
from components.model_card.files import HTML_FILE, MARKDOWN_FILE
from components.model_card.page import card_page
from components.model_card.settings import ModelCardSettings

# What the recorder of a run leaves on artifacts, and ExampleGen on its own.
_SHA256, _FINGERPRINT = "waybill_sha256", "input_fingerprint"
_CHECKED = ("load_s", "latency_p50_ms", "latency_p99_ms")

Inputs = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Writes a card for every model, also for one that was refused."""

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: Inputs,
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `model_card.md` and `model_card.html`.

        Args:
            input_dict: see `component.ModelCardSpec`.
            output_dict: `model_card`; gets the property `title`.
            exec_properties: see `component.ModelCardSpec`.

        Raises:
            NodeFailed: the evaluation cannot be read.
        """
        run = self._context.pipeline_run_id if self._context is not None else ""
        facts = gather(input_dict, exec_properties, run=run or "")
        [artifact] = output_dict["model_card"]
        folder = Path(artifact.uri)
        folder.mkdir(parents=True, exist_ok=True)
        text = card(facts)
        for name, content in (
            (MARKDOWN_FILE, text),
            (HTML_FILE, card_page(text, title=title(facts))),
        ):
            draft = folder / f".{name}.tmp"
            draft.write_text(content, encoding="utf-8")
            draft.replace(folder / name)
        artifact.set_string_custom_property("title", title(facts))


def gather(inputs: Inputs, properties: Mapping[str, Any], *, run: str) -> Facts:
    """Reads everything that the card says.

    Args:
        inputs: the artifacts by their key.
        properties: the parameters of the node.
        run: the run that the node is part of.

    Raises:
        NodeFailed: the evaluation cannot be read.
    """
    one = {key: artifact_utils.get_single_instance(found) for key, found in inputs.items() if found}
    spec = DataSpec.model_validate_json(properties["data_spec"])
    return Facts(
        name=properties["name"],
        owner=ModelCardSettings.model_validate_json(properties["settings"]),
        spec=spec,
        data=read_data(Path(one["statistics"].uri), Path(one["schema"].uri), spec),
        training=_training(Path(one["model_run"].uri), properties),
        evaluation=read_evaluation(Path(one["evaluation"].uri)),
        check=_check(one["infra_blessing"]),
        lineage=_lineage(one, properties, run),
    )


def _training(model_run: Path, properties: Mapping[str, Any]) -> Training:
    history, found = model_run / "history.json", model_run / "hyperparameters.json"
    curve = json.loads(history.read_bytes())["curve"] if history.is_file() else []
    return Training(
        settings=json.loads(properties["training"]),
        defaults=json.loads(properties["defaults"]),
        num_steps=curve[-1]["step"] if curve else None,
        found=json.loads(found.read_bytes()) if found.is_file() else {},
    )


def _check(blessing: Artifact) -> Check:
    measured = {
        name: blessing.get_float_custom_property(name)
        for name in _CHECKED
        if blessing.has_custom_property(name)
    }
    return Check(
        is_blessed=blessing.get_int_custom_property("blessed") == 1,
        reason=blessing.get_string_custom_property("reason"),
        **measured,
    )


def _lineage(one: Mapping[str, Artifact], properties: Mapping[str, Any], run: str) -> Lineage:
    examples = one["examples"]
    sources = [
        Source(
            role=key.replace("_", " "),
            type=artifact.type_name,
            id=artifact.id,
            sha256=artifact.get_string_custom_property(_SHA256),
        )
        for key, artifact in sorted(one.items())
    ]
    return Lineage(
        pipeline=properties["name"],
        run=run,
        sources=tuple(sources),
        code=properties["code"],
        fingerprint=examples.get_string_custom_property(_FINGERPRINT),
        spans=_spans(examples),
        libraries=json.loads(properties["libraries"]),
    )


def _spans(examples: Artifact) -> str:
    """Which deliveries were read; nothing for data without spans, which TFX calls span 0."""
    window = examples.get_string_custom_property("spans")
    if window:
        return window
    if not examples.has_custom_property("version") and not _number(examples, "span"):
        return ""
    version = _number(examples, "version")
    return f"{_number(examples, 'span')}" + (f", version {version}" if version else "")


def _number(artifact: Artifact, name: str) -> str:
    """A property that TFX wrote as text or as a number; empty for none and for 0."""
    text = artifact.get_string_custom_property(name)
    return text if text and text != "0" else str(artifact.get_int_custom_property(name) or "")
