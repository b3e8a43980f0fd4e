"""The check of a real SavedModel in a process of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

from components.errors import NodeFailed
from components.serving_check import child
from components.serving_check.check import Report, check
from components.serving_check.settings import ServingCheckSettings
from tests.unit.components.serving_check.models import (
    MakeModel,
    ServeFn,
    Tensors,
)
from tests.unit.components.serving_check.specs import make_data_spec

Check = Callable[..., Report]


@pytest.fixture
def run_check(eval_split: Path, transform_graph: Path) -> Check:
    def run(model: Path, *, problem: str = "binary", **settings: float) -> Report:
        return check(
            model=model,
            examples=eval_split,
            transform_graph=transform_graph,
            data_spec=make_data_spec(problem),
            settings=ServingCheckSettings(**settings),
        )

    return run


@pytest.fixture(scope="session")
def good_model(make_model: MakeModel) -> Path:
    return make_model("good")


def test_good_model_has_no_objections(run_check: Check, good_model: Path) -> None:
    report = run_check(good_model)
    assert report.objections == ()
    assert report.num_rows == 40
    assert report.reason == "40 rows were answered as the pipeline answers them"
    assert report.load_s > 0
    assert 0 < report.latency_p50_ms <= report.latency_p99_ms
    # That of the process alone: TensorFlow's library takes some, this process takes more.
    assert 100 << 20 < report.peak_bytes < 2 * resident_bytes()
    assert len(report.sent) == 40


def resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_model_over_every_budget_is_refused(run_check: Check, good_model: Path) -> None:
    budgets = {"latency_p50_budget_ms": 1e-6, "memory_budget_mb": 1}
    slow, large = run_check(good_model, **budgets).objections
    assert "latency_p50_budget_ms, is 1e-06 ms" in slow
    assert "memory_budget_mb, is 1 MB" in large


@pytest.mark.parametrize("problem", ["multiclass", "regression"])
def test_good_model_of_other_problems_has_no_objections(
    run_check: Check, make_model: MakeModel, problem: str
) -> None:
    assert run_check(make_model(problem, problem=problem), problem=problem).objections == ()


def test_no_more_rows_are_asked_than_the_settings_say(run_check: Check, good_model: Path) -> None:
    assert run_check(good_model, num_rows=7).num_rows == 7


def _double_fare(raw: Tensors) -> Tensors:
    fare = raw["fare"]
    return {**raw, "fare": tf.SparseTensor(fare.indices, 2 * fare.values, fare.dense_shape)}


def test_model_with_another_transform_is_refused_naming_the_row(
    run_check: Check, make_model: MakeModel
) -> None:
    report = run_check(make_model("skewed", on_raw=_double_fare))
    first = report.objections[0]
    assert first.startswith("Row ")
    assert "of the eval split: the server answers probability = 0." in first
    assert "the pipeline computes 0." in first
    assert report.objections[-1].endswith("more differ as well.")


def test_model_that_reads_columns_otherwise_is_refused_naming_the_row(
    run_check: Check, make_model: MakeModel
) -> None:
    report = run_check(make_model("raw_skewed", on_columns=_double_fare))
    first = report.objections[0]
    assert first.startswith("For row 0 of the eval split, 'serving_raw' answers probability = 0.")
    assert ", 'serving_default' 0." in first
    assert "more answers of 'serving_raw' differ as well." in report.objections[3]


def _fare_when_missing(raw: Tensors) -> Tensors:
    fare = tf.sparse.to_dense(raw["fare"])
    return {**raw, "fare": tf.sparse.from_dense(tf.where(fare == 0, 1000.0, fare))}


def test_model_that_reads_a_missing_column_otherwise_is_refused(
    run_check: Check, make_model: MakeModel
) -> None:
    objections = run_check(make_model("raw_gap", on_columns=_fare_when_missing)).objections
    assert any("For row 4 of the eval split, 'serving_raw' answers" in text for text in objections)
    assert not any("For row 3 of the eval split" in text for text in objections)
    assert any("For the row without any value, 'serving_raw' answers" in t for t in objections)


def _nan_for_row_seven(outputs: Tensors) -> Tensors:
    count = tf.shape(outputs["probability"])[0]
    bad = tf.where(tf.range(count) == 7, float("nan"), 0.0)[:, tf.newaxis]
    return {**outputs, "probability": outputs["probability"] + bad}


def _nan_without_fare(raw: Tensors) -> Tensors:
    fare = raw["fare"]
    gap = tf.reduce_any(tf.size(fare.values) == 0)
    hour = raw["hour"]
    rows = tf.cast(fare.dense_shape[0], tf.int64)
    nan = tf.SparseTensor(
        tf.stack([tf.range(rows), tf.zeros([rows], tf.int64)], 1),
        tf.fill([rows], float("nan")),
        [rows, 1],
    )
    pick = tf.cond(gap & (tf.size(hour.values) == 0), lambda: nan, lambda: fare)
    return {**raw, "fare": pick}


def _swap_classes(outputs: Tensors) -> Tensors:
    return {**outputs, "classes": tf.reverse(outputs["classes"], [1])}


def _without_probability(outputs: Tensors) -> Tensors:
    return {name: value for name, value in outputs.items() if name != "probability"}


def _only_first_row(outputs: Tensors) -> Tensors:
    return {name: value[:1] for name, value in outputs.items()}


def _through_python(outputs: Tensors) -> Tensors:
    value = tf.numpy_function(lambda x: x, [outputs["probability"]], tf.float32)
    return {**outputs, "probability": tf.reshape(value, [-1, 1])}


def _forever(outputs: Tensors) -> Tensors:
    count = tf.size(outputs["probability"])
    endless = tf.while_loop(lambda i: i >= 0, lambda i: (i + 1) % 7, [count])[0]
    return {**outputs, "probability": outputs["probability"] + tf.cast(endless, tf.float32)}


@pytest.mark.parametrize(
    ("on_outputs", "expected"),
    [
        (_nan_for_row_seven, "For row 7 of the eval split, the server answers probability = nan"),
        (_swap_classes, "Row 0 of the eval split: the server calls class 0 'yes', the label's"),
        (_without_probability, "answers classes, label, scores; expected an output 'probability'"),
        (_only_first_row, "output 'classes' has shape (1, 2) for 40 row(s)"),
        (_through_python, "A server cannot use the model: "),
    ],
)
def test_model_with_wrong_answers_is_refused_saying_why(
    run_check: Check, make_model: MakeModel, on_outputs: ServeFn, expected: str
) -> None:
    report = run_check(make_model(on_outputs.__name__, on_outputs=on_outputs))
    assert expected in report.objections[0]


def test_model_that_has_no_number_for_an_empty_row_is_refused(
    run_check: Check, make_model: MakeModel
) -> None:
    report = run_check(make_model("gap", on_raw=_nan_without_fare))
    assert report.objections[0].startswith("For the row without any value, the server answers ")


@pytest.mark.parametrize("signature", ["serving_default", "serving_raw", "score_transformed"])
def test_model_without_a_signature_is_refused_naming_it(
    run_check: Check, make_model: MakeModel, signature: str
) -> None:
    (objection,) = run_check(make_model("unsigned", without=signature)).objections
    assert f"he model has no signature '{signature}'" in objection
    assert "it has: " in objection
    assert "transform_features" in objection


def test_model_that_was_cut_off_is_refused(run_check: Check, make_model: MakeModel) -> None:
    model = make_model("cut")
    (weights,) = model.glob("variables/variables.data-*")
    weights.write_bytes(b"")
    (objection,) = run_check(model).objections
    assert objection.startswith(f"A server cannot use the model: {model} does not load: ")


def test_model_that_does_not_answer_in_time_is_refused(
    run_check: Check, make_model: MakeModel
) -> None:
    (objection,) = run_check(make_model("endless", on_outputs=_forever), timeout_s=2.5).objections
    assert "did not load and answer within 2.5 s (timeout_s)." in objection


def test_model_that_is_too_slow_is_refused(run_check: Check, good_model: Path) -> None:
    (objection,) = run_check(good_model, latency_budget_ms=1e-6).objections
    assert "the budget, latency_budget_ms, is 1e-06 ms" in objection


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (
            "import os; os.write(2, b'Check failed: shape'); os.abort()",
            "was killed by SIGABRT. It said last: Check failed: shape",
        ),
        ("raise SystemExit(3)", "ended with exit code 3."),
        ("print('{')", "gave no answer."),
    ],
)
def test_model_that_ends_the_process_is_refused_with_its_last_words(
    run_check: Check,
    good_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    program: str,
    expected: str,
) -> None:
    monkeypatch.setattr(child, "_PROGRAM", program)
    (objection,) = run_check(good_model).objections
    assert objection == f"The process that served the model {expected}"


def test_split_without_rows_is_a_failure_of_the_node(
    tmp_path: Path, good_model: Path, transform_graph: Path
) -> None:
    with pytest.raises(NodeFailed, match="has no rows"):
        check(
            model=good_model,
            examples=tmp_path,
            transform_graph=transform_graph,
            data_spec=make_data_spec(),
            settings=ServingCheckSettings(),
        )


def test_process_sees_no_installed_package_and_no_environment(
    run_check: Check, good_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    report = (
        "import sys, os; sys.path.append(sys.argv[1]);"
        "from components.serving_check import probe;"
        "names = {name.partition('.')[0] for name in sys.modules};"
        "foreign = names - set(sys.stdlib_module_names) - {'__main__', 'components', 'serving'};"
        f"open({str(seen)!r}, 'w').write(repr((sorted(foreign), sorted(os.environ))));"
        "probe.main(int(sys.argv[2]))"
    )
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    monkeypatch.setattr(child, "_PROGRAM", report)
    assert run_check(good_model).objections == ()
    assert seen.read_text() == repr(
        ([], ["CUDA_VISIBLE_DEVICES", "LC_ALL", "TF_CPP_MIN_LOG_LEVEL"])
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child through /proc")
def test_process_dies_with_its_parent(make_model: MakeModel) -> None:
    model = make_model("orphaned", on_outputs=_forever)
    program = (
        "import sys; from pathlib import Path; from components.serving_check.child import serve\n"
        "from tests.unit.components.serving_check.specs import make_data_spec\n"
        "spec = make_data_spec()\n"
        "with serve(Path(sys.argv[1]), [b''], {}, data_spec=spec, timeout_s=60) as coming:\n"
        "    print('started', flush=True); coming.result()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(model)],
        stdout=subprocess.PIPE,
        cwd=Path(child.__file__).parents[2],
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        parent.stdout.readline()
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        time.sleep(1)  # long enough for the model to load and never answer
        parent.send_signal(signal.SIGKILL)
    assert len(children) == 1
    assert _ends(int(children[0]))


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
