"""What to train on what."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from components.features import DataSpec
from components.training.functions import hashes_of
from components.training.settings import TrainingSettings

# Of `execution`: how often it is tried.
_ATTEMPTS = "restarts"
if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

# What only decides what is written down, or how often.
_NO_PART = ("watch", "export", "checkpoint_every_steps", "checkpoint_every_s")


@dataclasses.dataclass(frozen=True)
class Job:
    """What to train on what.

    Attributes:
        settings: how.
        data_spec: the columns and the label.
        train_files: glob patterns of transformed examples.
        eval_files: the same, to evaluate on.
        transform_graph: the directory of the transform graph that made them.
        code: a hash of the code that decides the result.
        base_model: the directory of a model whose weights to begin with; none if empty.
    """

    settings: TrainingSettings
    data_spec: DataSpec
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    transform_graph: str
    code: str
    base_model: str = ""

    def facts(self) -> dict[str, str]:
        """Everything that decides the result, by name."""
        settings = self.settings.model_dump(mode="json")
        watch = settings["watch"]
        decisive = {name: value for name, value in settings.items() if name not in _NO_PART}
        decisive["execution"].pop(_ATTEMPTS)
        decisive["watch"] = {
            name: watch[name] for name in ("evaluate_every_steps", "eval_steps", "log_every_steps")
        }
        return {
            **{f"training.{name}": json.dumps(value) for name, value in _flat(decisive)},
            **{f"{key} (content)": value for key, value in hashes_of(self.settings).items()},
            "data_spec": self.data_spec.model_dump_json(),
            "train_files": json.dumps(self.train_files),
            "eval_files": json.dumps(self.eval_files),
            "transform_graph": self.transform_graph,
            "base_model": self.base_model,
            "code": self.code,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        }

    @classmethod
    def of(cls, fn_args: FnArgs, settings: TrainingSettings | None = None) -> Job:
        """What TFX asks for.

        Args:
            fn_args: its arguments; `custom_config` holds `settings` and `data_spec` as JSON, and
                `code`.
            settings: instead of those.
        """
        config = fn_args.custom_config
        return cls(
            settings=settings or TrainingSettings.model_validate_json(config["settings"]),
            data_spec=DataSpec.model_validate_json(config["data_spec"]),
            train_files=tuple(fn_args.train_files),
            eval_files=tuple(fn_args.eval_files),
            transform_graph=fn_args.transform_graph_path,
            code=config["code"],
            base_model=fn_args.base_model or "",
        )

    def to_json(self) -> str:
        """The job as text, for another process."""
        values = dataclasses.asdict(self)
        values["settings"] = self.settings.model_dump(mode="json")
        values["data_spec"] = self.data_spec.model_dump(mode="json")
        return json.dumps(values)

    @classmethod
    def from_json(cls, text: str) -> Job:
        """What `to_json` wrote."""
        values = json.loads(text)
        return cls(
            settings=TrainingSettings.model_validate(values.pop("settings")),
            data_spec=DataSpec.model_validate(values.pop("data_spec")),
            train_files=tuple(values.pop("train_files")),
            eval_files=tuple(values.pop("eval_files")),
            **values,
        )


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each value that is not a mapping, by its dotted name."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
