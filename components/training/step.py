"""The inner loop: many optimizer steps in one call into TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from components.features import LABEL
from components.training.data import Rows
from components.training.learner import Learner

# Takes stacked batches, each column [num_steps, batch_size, ...]; makes one optimizer step with
# each; returns each step's loss before the step, float32 [num_steps].
RunSteps = Callable[[Rows], np.ndarray]


def compile_steps(learner: Learner, *, l2: float = 0.0, jit_compile: bool = False) -> RunSteps:
    """The function that trains `learner`.

    Args:
        learner: what it changes.
        l2: the weight of half the squared sum of all matrices in what is minimised. The losses
            returned do without it, to compare with an evaluation.
        jit_compile: whether XLA compiles the steps, anew for each number of steps in a call.
    """
    trainable = [variable.value for variable in learner.model.trainable_variables]
    matrices = [variable for variable in trainable if len(variable.shape) > 1]

    def step(columns: dict[str, tf.Tensor]) -> tf.Tensor:
        features = {name: column for name, column in columns.items() if name != LABEL}
        with tf.GradientTape() as tape:
            outputs = learner.model(features, training=True)
            loss = learner.head.loss(outputs, columns[LABEL])
            objective = loss
            if l2:
                objective += l2 * tf.add_n([tf.nn.l2_loss(matrix) for matrix in matrices])
        # Keras squares the parts of a sparse gradient one by one, so that an id twice in a batch
        # would get a step that is not Adam's.
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(objective, trainable)]
        learner.optimizer.apply(gradients, learner.model.trainable_variables)
        return loss

    @tf.function(jit_compile=jit_compile, autograph=False, reduce_retracing=True)
    def run(columns: dict[str, tf.Tensor]) -> tf.Tensor:
        num_steps = tf.shape(columns[LABEL])[0]
        _, losses = tf.while_loop(
            lambda i, _: i < num_steps,
            lambda i, losses: (
                i + 1,
                losses.write(i, step({name: column[i] for name, column in columns.items()})),
            ),
            (0, tf.TensorArray(tf.float32, size=num_steps)),
            parallel_iterations=1,
        )
        return losses.stack()

    def run_steps(columns: Rows) -> np.ndarray:
        return run({name: tf.constant(column) for name, column in columns.items()}).numpy()

    return run_steps
