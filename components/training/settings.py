"""Settings of training."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from components.settings import Settings

Units = Annotated[int, pydantic.Field(ge=1, le=65_536)]


class TrainingSettings(Settings):
    """What is trained, how, and how often the loop looks up.

    The model: `wide_deep` adds a linear part and a perceptron of `hidden_units` over the numeric
    columns and an embedding of `embedding_dim` for each categorical one; `linear` is the linear
    part alone. `dropout` follows each hidden layer; `l2` weighs half the squared sum of all
    matrices in the loss.

    The optimizer is Adam at `learning_rate`, brought to zero over `steps` by `decay`.

    `steps_per_call` steps run in one call into TensorFlow. `jit_compile` lets XLA compile it: that
    takes a second or more, pays for a long training, and does not go well with `dropout`, whose
    random numbers XLA makes slowly on a CPU.

    A split is kept in memory if its rows need no more than `cache_bytes`; otherwise it is read
    again for each epoch and shuffled within windows of `shuffle_rows`. `eval_steps` batches of the
    eval split are evaluated, all of it if 0, at the end and every `evaluate_every_steps`, only at
    the end if 0.
    """

    model: Literal["wide_deep", "linear"] = "wide_deep"
    hidden_units: tuple[Units, ...] = pydantic.Field(default=(64, 32), min_length=1, max_length=16)
    embedding_dim: int = pydantic.Field(default=8, ge=1, le=1024)
    dropout: float = pydantic.Field(default=0.0, ge=0, lt=1)
    l2: float = pydantic.Field(default=0.0, ge=0)

    steps: int = pydantic.Field(default=1000, ge=1)
    batch_size: int = pydantic.Field(default=64, ge=1, le=1_000_000)
    learning_rate: float = pydantic.Field(default=0.002, gt=0, le=10)
    decay: Literal["none", "linear", "cosine"] = "cosine"
    seed: int = pydantic.Field(default=0, ge=0, lt=2**31)

    steps_per_call: int = pydantic.Field(default=50, ge=1, le=10_000)
    jit_compile: bool = False
    checkpoint_every_steps: int = pydantic.Field(default=200, ge=1)
    log_every_steps: int = pydantic.Field(default=50, ge=1)
    evaluate_every_steps: int = pydantic.Field(default=0, ge=0)
    eval_steps: int = pydantic.Field(default=0, ge=0)

    cache_bytes: int = pydantic.Field(default=256 * 2**20, ge=0)
    shuffle_rows: int = pydantic.Field(default=100_000, ge=1)
