"""The Pusher's executor: publishes a blessed model once, as the next version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import path_utils, proto_utils

from components.errors import NodeFailed
from components.pushing.announcement import announce
from components.pushing.settings import PushSettings
from serving import contents, manifests
from serving.destinations import open_shelf
from serving.errors import LabelError, PublishError
from serving.manifests import Manifest
from serving.shelves import Shelf

MODEL_CARD, EVALUATION, EXAMPLES = "model_card", "evaluation", "examples"
_CARD_FILES = ("model_card.md", "model_card.html")
_WARM_UP = "tf_serving_warmup_requests"
_EXTRA = "assets.extra"
# What other stages note on their artifacts.
_FINGERPRINT, _METRICS = "input_fingerprint", "candidate_metrics"

Inputs = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Publishes through `serving`, and records the version on the `pushed_model`.

    A retry of a push that was killed finds its version by key instead of pushing again. The key
    names the model and the verdicts on it, so a later run that returns to an older model, with
    new verdicts, pushes that model again as a new version.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: Inputs,
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes the model if every blessing that is wired says yes.

        Args:
            input_dict: `model`, `model_blessing`, `infra_blessing`, and perhaps `model_card`,
                `evaluation` and `examples`.
            output_dict: `pushed_model`; gets the properties `pushed` (0 or 1) and `reason`, and
                if pushed also `pushed_destination`, `pushed_version`, `sha256` and `manifest`,
                and `label` if that was moved.
            exec_properties: `push_destination`, a PushDestination as JSON, and `custom_config`,
                see `build`.

        Raises:
            NodeFailed: the model is none, the file system refuses, or the label cannot be moved.
        """
        pushed = artifact_utils.get_single_instance(output_dict[specs.PUSHED_MODEL_KEY])
        objection = _objection(input_dict)
        if objection is not None:
            pushed.set_int_custom_property("pushed", 0)
            pushed.set_string_custom_property("reason", objection)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[specs.PUSH_DESTINATION_KEY], destination)
        config = json.loads(exec_properties.get(specs.CUSTOM_CONFIG_KEY) or "{}")
        settings = PushSettings(**config.get("push", {}))
        origin = config.get("origin", {})
        try:
            shelf = open_shelf(destination.filesystem.base_directory)
            version = self._publish(shelf, input_dict, origin)
            _record(shelf, version, pushed)
        except (PublishError, OSError) as error:
            raise NodeFailed(f"The model was not pushed. {error}") from error
        try:
            label = announce(shelf, version, settings, store=origin.get("metadata"))
        except LabelError as error:
            raise NodeFailed(
                f"The model is published as version {version.number}, but not announced to "
                f"servers. {error} The same command again goes on from here."
            ) from error
        if label:
            pushed.set_string_custom_property("label", label)

    def _publish(self, shelf: Shelf, input_dict: Inputs, origin: dict[str, str]) -> Manifest:
        model = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
        folder = Path(
            path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        )
        blessings = _blessings(input_dict)
        properties = {
            "model": model.uri,
            "model_artifact": str(model.id),
            **{f"{name}_artifact": str(blessing.id) for name, blessing in blessings.items()},
            **_noted(input_dict),
            **origin,
        }
        if self._context is not None and self._context.pipeline_run_id:
            properties["run"] = self._context.pipeline_run_id
        version = shelf.publish(
            folder,
            key=_key(folder, model, blessings),
            properties=properties,
            extras=_extras(input_dict),
        )
        logging.info("Published %s as version %d.", model.uri, version.number)
        return version


def _blessings(input_dict: Inputs) -> dict[str, Artifact]:
    """The verdicts that are wired, by the name of the input."""
    return {
        name: artifact_utils.get_single_instance(input_dict[name])
        for name in (specs.MODEL_BLESSING_KEY, specs.INFRA_BLESSING_KEY)
        if input_dict.get(name)
    }


def _objection(input_dict: Inputs) -> str | None:
    """Who did not bless the model, and why; None if nobody objects."""
    checks = {
        specs.MODEL_BLESSING_KEY: ("The Evaluator", model_utils.is_model_blessed),
        specs.INFRA_BLESSING_KEY: ("The ServingCheck", model_utils.is_infra_validated),
    }
    for name, blessing in _blessings(input_dict).items():
        judge, blessed = checks[name]
        if not blessed(blessing):
            why = blessing.get_string_custom_property("reason") or "no reason was recorded"
            return f"{judge} did not bless the model: {why}"
    return None


def _noted(input_dict: Inputs) -> dict[str, str]:
    """What the inputs say about the data and the quality of the model."""
    noted = {}
    for examples in input_dict.get(EXAMPLES, [])[:1]:
        noted["data"] = examples.get_string_custom_property(_FINGERPRINT)
    for evaluation in input_dict.get(EVALUATION, [])[:1]:
        noted["evaluation"] = evaluation.uri
        noted["metrics"] = evaluation.get_string_custom_property(_METRICS)
    return {name: value for name, value in noted.items() if value}


def _extras(input_dict: Inputs) -> dict[str, Path]:
    """The files that are shipped beside the model, by their path in the version."""
    sources = [(MODEL_CARD, name) for name in _CARD_FILES]
    sources.append((specs.INFRA_BLESSING_KEY, _WARM_UP))
    found = {}
    for key, name in sources:
        for artifact in input_dict.get(key, [])[:1]:
            path = Path(artifact.uri) / name
            if path.is_file():
                found[f"{_EXTRA}/{name}"] = path
    return found


def _key(folder: Path, model: Artifact, blessings: dict[str, Artifact]) -> str:
    """Names this push: the same files, artifact and verdicts give the same key."""
    parts = [contents.digest_of(contents.describe(folder)), f"model {model.id}"]
    parts += [f"{name} {blessing.id}" for name, blessing in sorted(blessings.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _record(shelf: Shelf, version: Manifest, pushed: Artifact) -> None:
    Path(pushed.uri).mkdir(parents=True, exist_ok=True)
    copy = Path(pushed.uri) / Path(contents.MANIFEST).name
    copy.write_text(manifests.to_json(version), encoding="utf-8")
    path = shelf.path_of(version.number)
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", path)
    pushed.set_string_custom_property("pushed_version", str(version.number))
    pushed.set_string_custom_property("sha256", version.sha256)
    pushed.set_string_custom_property("manifest", f"{path}/{contents.MANIFEST}")
