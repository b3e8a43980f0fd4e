from __future__ import annotations

import numpy as np
import pytest

from tests.unit.components.training.core import NUMBERS, Trial, in_order, table

RATE = {"learning_rate": 0.02, "schedule": "constant"}


def trial(precision: str, **optimizer: float) -> Trial:
    return Trial(
        shape=NUMBERS,
        model={"hidden_units": (16,)},
        optimizer=RATE | optimizer,
        execution={"precision": precision},
    )


@pytest.mark.parametrize(
    ("precision", "compute"), [("mixed_bfloat16", "bfloat16"), ("mixed_float16", "float16")]
)
def test_layers_compute_in_half_and_keep_whole_weights(precision: str, compute: str) -> None:
    model = trial(precision).learner.model
    hidden = model.get_layer("hidden_0")
    assert (hidden.compute_dtype, hidden.variable_dtype) == (compute, "float32")
    assert model.output.dtype == "float32"


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_half_precision_learns_what_whole_does(precision: str, jit_compile: bool) -> None:
    call = in_order(table(64, shape=NUMBERS), 100)
    whole, half = trial("float32"), trial(precision)
    expected = whole.run(call).losses
    found = half.run(call, jit_compile=jit_compile).losses
    assert not np.array_equal(found, expected), "it is not computed in half"
    np.testing.assert_allclose(found, expected, atol=0.03)
    assert found[-4:].mean() < 0.4 * found[:4].mean()


def test_only_float16_has_its_loss_scaled() -> None:
    assert hasattr(trial("mixed_float16").learner.optimizer, "dynamic_scale")
    assert not hasattr(trial("mixed_bfloat16").learner.optimizer, "dynamic_scale")


def test_a_gradient_that_overflows_is_skipped_and_the_scale_halved() -> None:
    half, call = trial("mixed_float16", ema=0.5), in_order(table(16, shape=NUMBERS), 1)
    half.run(call)
    before = half.weights()
    optimizer = half.learner.optimizer
    optimizer.dynamic_scale.assign(2.0**120)
    losses = half.run(call).losses
    assert np.isfinite(losses).all()
    assert float(optimizer.dynamic_scale.numpy()) == 2.0**119
    assert int(optimizer.iterations.numpy()) == 1
    for path, value in half.weights().items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_the_scale_doubles_after_enough_steps_without_overflow() -> None:
    half, call = trial("mixed_float16"), in_order(table(16, shape=NUMBERS), 1)
    optimizer = half.learner.optimizer
    before = float(optimizer.dynamic_scale.numpy())
    optimizer.step_counter.assign(optimizer.dynamic_growth_steps - 1)
    half.run(call)
    assert float(optimizer.dynamic_scale.numpy()) == 2 * before
    assert int(optimizer.step_counter.numpy()) == 0


def test_norms_are_of_the_gradient_before_it_was_scaled() -> None:
    call = in_order(table(16, shape=NUMBERS), 1)
    [whole], [half] = (
        trial(precision).run(call, norms=True).norms for precision in ("float32", "mixed_float16")
    )
    assert half == pytest.approx(whole, rel=0.02)


def test_clipping_is_of_the_gradient_before_it_was_scaled() -> None:
    """Scaled, every gradient would be above the bound, and hardly move a weight."""
    call = in_order(table(16, shape=NUMBERS), 1)
    settings = {"name": "sgd", "momentum": 0.0, "clip": "global_norm", "clip_at": 1e3}
    before = trial("mixed_float16", **settings).weights()
    moved = []
    for precision in ("float32", "mixed_float16"):
        one = trial(precision, **settings)
        one.run(call)
        moved.append(sum(float(np.abs(v - before[p]).sum()) for p, v in one.weights().items()))
    assert moved[1] == pytest.approx(moved[0], rel=0.05)


def test_the_loss_scale_is_restored() -> None:
    source, target = trial("mixed_float16"), trial("mixed_float16")
    source.learner.optimizer.dynamic_scale.assign(64.0)
    source.learner.optimizer.step_counter.assign(5)
    target.learner.restore(source.learner.values())
    assert float(target.learner.optimizer.dynamic_scale.numpy()) == 64
    assert int(target.learner.optimizer.step_counter.numpy()) == 5
