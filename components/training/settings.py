"""Settings of training."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from components.settings import Settings
from components.training.models.settings import ModelSettings

Share = Annotated[float, pydantic.Field(ge=0, lt=1)]
Steps = Annotated[int, pydantic.Field(ge=0)]


class OptimizerSettings(Settings):
    """How gradients become steps.

    The rate rises linearly to `learning_rate` over `warmup_steps`, then follows `schedule` to the
    end of the training: `constant`; `linear` and `cosine` fall to `end_share` of it; `step` and
    `exponential` multiply it by `decay_rate` every `decay_every_steps`, at once or evenly;
    `one_cycle` rises for the first 30 % and falls for the rest (Smith and Topin 2017).

    `clip` bounds every gradient at `clip_at`: each `value`, each variable's `norm`, or the
    `global_norm`. A batch's gradient is summed up over `accumulate` parts, which saves memory and
    changes nothing else. With `ema` above 0 the model is the exponential moving average of the
    weights, of that momentum. `momentum` is for sgd.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad", "nadam", "lion"] = "adam"
    learning_rate: float = pydantic.Field(default=0.002, gt=0, le=10)
    schedule: Literal["constant", "linear", "cosine", "step", "exponential", "one_cycle"] = "cosine"
    warmup_steps: Steps = 0
    end_share: Share = 0.0
    decay_rate: float = pydantic.Field(default=0.5, gt=0, le=1)
    decay_every_steps: int = pydantic.Field(default=1000, ge=1)
    momentum: Share = 0.9
    weight_decay: float = pydantic.Field(default=0.0, ge=0, le=1)
    clip: Literal["none", "value", "norm", "global_norm"] = "none"
    clip_at: float = pydantic.Field(default=1.0, gt=0)
    accumulate: int = pydantic.Field(default=1, ge=1, le=1024)
    ema: Share = 0.0


class ExtraLoss(Settings):
    """One more loss, of another output of a model of one's own.

    `output` is its key in the model's outputs, `target` the transformed column it should equal
    (`label`, `numeric`, ...), `name` the loss, and `weight` its weight in the sum.
    """

    output: str
    target: str = "label"
    name: str = "mean_squared_error"
    weight: float = pydantic.Field(default=1.0, gt=0)


class LossSettings(Settings):
    """What is minimised.

    `auto` is cross-entropy for classes and the squared error for regression; `focal` is for rare
    classes, `huber` and `absolute` for regression with outliers. Any other name is a function of
    one's own, `package.module:function`, of (labels, outputs), which returns a loss a row.

    `class_weights` weigh the rows of a class: by name, or `balanced`, so that all classes count
    the same. `l2` weighs half the squared sum of all matrices.
    """

    name: str = pydantic.Field(default="auto", pattern=r"^(auto|focal|huber|absolute|[\w.]+:\w+)$")
    class_weights: Literal["none", "balanced"] | dict[str, float] = "none"
    label_smoothing: Share = 0.0
    l2: float = pydantic.Field(default=0.0, ge=0)
    extra: tuple[ExtraLoss, ...] = ()


class InputSettings(Settings):
    """How rows reach the steps.

    A split is kept in memory if its rows need no more than `cache_bytes`; otherwise it is read
    again for each epoch and shuffled within windows of at most `shuffle_rows` rows and
    `shuffle_bytes`. The rows left at an epoch's end begin the next epoch's first batch (`carry`),
    are left out (`drop`), or make a smaller last batch (`pad`, with rows that do not count).
    With `balance` rows are drawn so that all classes come equally often.
    """

    cache_bytes: int = pydantic.Field(default=256 * 2**20, ge=0)
    shuffle_rows: int = pydantic.Field(default=100_000, ge=1)
    shuffle_bytes: int = pydantic.Field(default=64 * 2**20, ge=2**20)
    remainder: Literal["carry", "drop", "pad"] = "carry"
    balance: bool = False


class StoppingSettings(Settings):
    """What an evaluation of the eval split decides.

    `metric` is one that the evaluation has (`loss`, `auc`, `accuracy`, `rmse`, ...). After
    `patience` evaluations without a gain of more than `min_delta` training stops; after
    `plateau_patience` the learning rate is multiplied by `plateau_factor`; 0 is never. The model
    is the `last`, or the `best` by the metric.
    """

    metric: str = "loss"
    min_delta: float = pydantic.Field(default=0.0, ge=0)
    patience: Steps = 0
    plateau_patience: Steps = 0
    plateau_factor: float = pydantic.Field(default=0.5, gt=0, lt=1)
    keep: Literal["last", "best"] = "last"


class GuardSettings(Settings):
    """What happens when a loss or a weight is not finite: no such model is ever written.

    `stop` ends the training with an error. `rollback` goes back to the newest checkpoint with the
    learning rate multiplied by `factor`, at most `max_rollbacks` times; a value that is not finite
    in the data itself always ends it.
    """

    policy: Literal["stop", "rollback"] = "stop"
    factor: float = pydantic.Field(default=0.5, gt=0, lt=1)
    max_rollbacks: int = pydantic.Field(default=3, ge=1, le=100)


class ExecutionSettings(Settings):
    """Where and how the steps run.

    `strategy` shares each batch among replicas: `mirrored` over the devices of this machine,
    `multi_worker` over the processes that the environment's TF_CONFIG names, or without that over
    `workers` processes on this machine; `tpu` over a TPU's cores. `virtual_devices` splits the CPU
    into so many logical devices, to try `mirrored`. A process that is lost is started again, with
    all others, from the last checkpoint, `restarts` times at most.

    `jit_compile` lets XLA compile the steps; `auto` does where it pays. `steps_per_call` steps run
    in one call into TensorFlow, fewer where their batches would be large. `deterministic` refuses
    any operation whose result could differ between two runs.
    """

    device: Literal["auto", "cpu", "gpu", "tpu"] = "auto"
    strategy: Literal["none", "mirrored", "multi_worker", "tpu"] = "none"
    virtual_devices: int = pydantic.Field(default=1, ge=1, le=64)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    jit_compile: Literal["auto"] | bool = "auto"
    steps_per_call: int = pydantic.Field(default=50, ge=1, le=10_000)
    deterministic: bool = False
    workers: int = pydantic.Field(default=1, ge=1, le=64)
    restarts: int = pydantic.Field(default=3, ge=0, le=100)

    @pydantic.model_validator(mode="after")
    def _parts_agree(self) -> ExecutionSettings:
        strategy, device = self.strategy, self.device
        if self.workers > 1 and strategy != "multi_worker":
            raise ValueError(f"workers: {self.workers} needs strategy: multi_worker")
        if self.virtual_devices > 1 and (strategy != "mirrored" or device not in ("auto", "cpu")):
            raise ValueError(
                f"virtual_devices: {self.virtual_devices} are parts of the CPU for strategy: "
                "mirrored, with device: cpu or auto"
            )
        if device == "tpu" and strategy not in ("none", "tpu"):
            raise ValueError(f"device: tpu does not go with strategy: {strategy}; use tpu")
        if strategy == "tpu" and device not in ("auto", "tpu"):
            raise ValueError(f"strategy: tpu does not go with device: {device}; use tpu")
        if self.jit_compile is True and strategy != "none":
            raise ValueError(
                f"jit_compile: true is for one device, not for strategy: {strategy}; use auto"
            )
        return self


class MlflowSettings(Settings):
    """An MLflow server or folder that a training reports to."""

    uri: str
    experiment: str = "waybill"


class CometSettings(Settings):
    """Comet: with `offline_folder` on this machine alone, else with the key in COMET_API_KEY."""

    project: str = "waybill"
    offline_folder: str | None = None


class WatchSettings(Settings):
    """What is written down while training.

    Every `log_every_steps` a point of the learning curve; every `evaluate_every_steps` (0: four
    times in all, ten if the evaluation decides something) an evaluation of `eval_steps` batches of
    the eval split (0: all of it).

    `tensorboard` writes scalars, and with the evaluation the confusion matrix and curves; `norms`
    adds the norms of gradients and weights, `histograms` the weights' distribution, `graph` the
    traced step; `profile` records the calls between two steps with TensorFlow's profiler. `plots`
    draws the learning curve as a picture. Nothing is sent anywhere unless `mlflow` or `comet` are
    set.
    """

    log_every_steps: int = pydantic.Field(default=50, ge=1)
    evaluate_every_steps: Steps = 0
    eval_steps: Steps = 0
    tensorboard: bool = True
    norms: bool = False
    histograms: bool = False
    graph: bool = False
    profile: tuple[int, int] | None = None
    plots: bool = True
    mlflow: MlflowSettings | None = None
    comet: CometSettings | None = None


class ExportSettings(Settings):
    """What is written beside the SavedModel: TensorFlow Lite models, float or quantised."""

    tflite: tuple[Literal["float", "dynamic", "int8"], ...] = ()


class TrainingSettings(Settings):
    """What is trained, how, and for how long.

    Training ends after `steps`, or after `epochs` passes over the data, or at the first call's end
    after `time_limit_s` seconds of training, whichever comes first; with a time limit alone the
    learning rate's schedule has no end to fall to. A checkpoint is written every
    `checkpoint_every_steps`, or if that is 0 every `checkpoint_every_s` seconds. `warm_start`
    begins with the weights of the model that was blessed last, where they fit.
    """

    steps: int | None = pydantic.Field(default=None, ge=1)
    epochs: float | None = pydantic.Field(default=None, gt=0)
    time_limit_s: float | None = pydantic.Field(default=None, gt=0)
    batch_size: int = pydantic.Field(default=64, ge=1, le=1_000_000)
    seed: int = pydantic.Field(default=0, ge=0, lt=2**31)
    checkpoint_every_steps: Steps = 0
    checkpoint_every_s: float = pydantic.Field(default=5.0, ge=0)
    warm_start: bool = False

    model: ModelSettings = ModelSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    loss: LossSettings = LossSettings()
    input: InputSettings = InputSettings()
    stopping: StoppingSettings = StoppingSettings()
    guard: GuardSettings = GuardSettings()
    execution: ExecutionSettings = ExecutionSettings()
    watch: WatchSettings = WatchSettings()
    export: ExportSettings = ExportSettings()

    @pydantic.model_validator(mode="after")
    def _tflite_can_hold_the_precision(self) -> TrainingSettings:
        if self.export.tflite and self.execution.precision != "float32":
            raise ValueError(
                f"export.tflite needs execution.precision float32: TensorFlow Lite cannot hold "
                f"{self.execution.precision}"
            )
        return self

    @pydantic.model_validator(mode="after")
    def _parts_fit_the_batch(self) -> TrainingSettings:
        if self.batch_size % self.optimizer.accumulate:
            raise ValueError(
                f"batch_size ({self.batch_size}) must be a multiple of optimizer.accumulate "
                f"({self.optimizer.accumulate})"
            )
        return self
