"""The Pusher's executor: publishes a blessed model once, as the next version."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils
from tfx.types import standard_component_specs as specs
from tfx.utils import path_utils, proto_utils

from components.errors import NodeFailed
from serving import contents
from serving.errors import PublishError
from serving.versions import Version, publish


class Executor(base_executor.BaseExecutor):
    """Publishes with `serving.versions`, and records the version on the `pushed_model`.

    A retry of a push that was killed finds its version by key instead of pushing again. The key
    names the model and the verdicts on it, so a later run that returns to an older model, with
    new verdicts, pushes that model again as a new version.
    """

    def Do(  # noqa: N802 - TFX's name
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Publishes the model if every blessing that is wired says yes.

        Args:
            input_dict: `model`, `model_blessing`, `infra_blessing`.
            output_dict: `pushed_model`; gets the properties `pushed` (0 or 1) and `reason`, and
                if pushed also `pushed_destination`, `pushed_version`, `sha256` and `manifest`.
            exec_properties: `push_destination`, a PushDestination as JSON.

        Raises:
            NodeFailed: the model is none, or the file system refuses.
        """
        pushed = artifact_utils.get_single_instance(output_dict[specs.PUSHED_MODEL_KEY])
        objection = _objection(input_dict)
        if objection is not None:
            pushed.set_int_custom_property("pushed", 0)
            pushed.set_string_custom_property("reason", objection)
            return
        model = artifact_utils.get_single_instance(input_dict[specs.MODEL_KEY])
        try:
            _record(self._publish(model, input_dict, exec_properties), pushed)
        except (PublishError, OSError) as error:
            raise NodeFailed(f"The model was not pushed. {error}") from error

    def _publish(
        self,
        model: Artifact,
        input_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> Version:
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[specs.PUSH_DESTINATION_KEY], destination)
        folder = Path(
            path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
        )
        blessings = _blessings(input_dict)
        properties = {
            "model": model.uri,
            "model_artifact": str(model.id),
            **{f"{name}_artifact": str(blessing.id) for name, blessing in blessings.items()},
        }
        if self._context is not None and self._context.pipeline_run_id:
            properties["run"] = self._context.pipeline_run_id
        return publish(
            folder,
            Path(destination.filesystem.base_directory),
            key=_key(folder, model, blessings),
            properties=properties,
        )


def _blessings(input_dict: dict[str, list[Artifact]]) -> dict[str, Artifact]:
    """The verdicts that are wired, by the name of the input."""
    return {
        name: artifact_utils.get_single_instance(input_dict[name])
        for name in (specs.MODEL_BLESSING_KEY, specs.INFRA_BLESSING_KEY)
        if input_dict.get(name)
    }


def _objection(input_dict: dict[str, list[Artifact]]) -> str | None:
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


def _key(folder: Path, model: Artifact, blessings: dict[str, Artifact]) -> str:
    """Names this push: the same files, artifact and verdicts give the same key."""
    parts = [contents.digest_of(contents.describe(folder)), f"model {model.id}"]
    parts += [f"{name} {blessing.id}" for name, blessing in sorted(blessings.items())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _record(version: Version, pushed: Artifact) -> None:
    Path(pushed.uri).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(version.manifest, Path(pushed.uri) / version.manifest.name)
    pushed.set_int_custom_property("pushed", 1)
    pushed.set_string_custom_property("pushed_destination", str(version.path))
    pushed.set_string_custom_property("pushed_version", str(version.number))
    pushed.set_string_custom_property("sha256", version.sha256)
    pushed.set_string_custom_property("manifest", str(version.manifest))
