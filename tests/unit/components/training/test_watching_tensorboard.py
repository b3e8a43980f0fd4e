"""What TensorBoard shows of a training: read from its files, and asked from its server."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from components.training.watching.pictures import draw
from tests.unit.components.training.watching import (
    BINARY,
    evaluated,
    make_learner,
    moment,
    until,
    watching,
)

PARAMETERS = {"optimizer.learning_rate": 0.25, "model.family": "mlp", "seed": 3}


@pytest.fixture(scope="module")
def learner() -> Any:
    return make_learner()


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return events


def curve(folder: Path, name: str) -> dict[int, float]:
    """Values by step; a step that is there twice is an error."""
    found = [
        (event.step, float(tensor_util.make_ndarray(event.tensor_proto)))
        for event in read(folder).Tensors(name)
    ]
    assert len(dict(found)) == len(found), f"a step of {name} shows twice: {found}"
    return dict(found)


def wait_for_a_second() -> None:
    """TensorBoard orders the files of a folder by the second that begins their name."""
    time.sleep(1 - time.time() % 1)


def test_training_and_evaluation_share_their_charts(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2, 4, norms=(2.0, 3.0))
    assert curve(tmp_path / "train", "loss") == {2: 0.5, 4: 0.25}
    assert curve(tmp_path / "eval", "loss") == {2: 1.0, 4: 0.5}
    assert curve(tmp_path / "eval", "auc") == {2: 0.75, 4: 0.75}
    assert curve(tmp_path / "train", "learning_rate") == {2: 0.25, 4: 0.25}
    assert curve(tmp_path / "train", "examples_per_s") == {2: 100.0, 4: 100.0}
    assert curve(tmp_path / "train", "gradient_norm") == {2: 2.0, 4: 2.0}
    assert curve(tmp_path / "train", "weight_norm") == {2: 3.0, 4: 3.0}


def test_what_is_written_can_be_seen_at_once(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2)
        assert curve(tmp_path / "train", "loss") == {2: 0.5}
        assert curve(tmp_path / "eval", "loss") == {2: 1.0}


def test_what_was_not_measured_has_no_chart(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2)
    names = read(tmp_path / "train").Tags()["tensors"]
    assert set(names) == {"loss", "learning_rate", "examples_per_s"}


def test_steps_that_a_resumed_training_repeats_show_once(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2, 4, 6)
        history = until(training.history, 4)
    wait_for_a_second()
    with watching(tmp_path, learner, tensorboard=True, history=history, start=4) as training:
        training.run(6, 8, loss=9.0)
    assert curve(tmp_path / "train", "loss") == {2: 0.5, 4: 0.25, 6: 9.0, 8: 9.0}
    assert curve(tmp_path / "eval", "auc") == dict.fromkeys((2, 4, 6, 8), 0.75)


def test_a_training_that_goes_back_shows_only_its_second_way(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2, 4, 6)
        training.go_on(until(training.history, 2), 2)
        training.run(4, loss=7.0)
    assert curve(tmp_path / "train", "loss") == {2: 0.5, 4: 7.0}


def test_a_resumed_training_without_its_files_writes_them_anew(
    learner: Any, tmp_path: Path
) -> None:
    with watching(tmp_path / "lost", learner, tensorboard=True) as training:
        training.run(2, 4)
        history = training.history
    with watching(
        tmp_path / "new", learner, tensorboard=True, history=history, start=4
    ) as training:
        training.run(6)
    assert list(curve(tmp_path / "new" / "train", "loss")) == [2, 4, 6]
    assert list(curve(tmp_path / "new" / "eval", "auc")) == [2, 4, 6]


def test_histograms_are_of_all_weights(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True, histograms=True) as training:
        training.run(2)
    buckets = read(tmp_path / "train").Tensors("out/kernel")[0]
    left_right_count = tensor_util.make_ndarray(buckets.tensor_proto)
    assert left_right_count[:, 2].sum() == 3
    assert "out/bias" in read(tmp_path / "train").Tags()["tensors"]


def test_the_precision_recall_curve_counts_at_each_threshold(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2)
    (event,) = read(tmp_path / "eval").Tensors("precision_recall/card/pr_curves")
    hits, false_hits, rejected, missed, precision, recall = tensor_util.make_ndarray(
        event.tensor_proto
    )
    middle = 100
    assert (hits[middle], false_hits[middle], rejected[middle], missed[middle]) == (1, 0, 2, 1)
    assert (precision[middle], recall[middle]) == (1.0, 0.5)
    assert (precision[0], recall[0]) == (0.5, 1.0)


def test_pictures_keep_their_bytes_and_size(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True) as training:
        training.run(2)
        pictures = draw(training.history, BINARY, evaluated(2))
        training.watch.pictures(pictures, 2)
    (event,) = read(tmp_path / "eval").Tensors("confusion_matrix")
    width, height, png = event.tensor_proto.string_val
    assert png == pictures["confusion_matrix"]
    assert tf.io.decode_png(png).shape[:2] == (int(height), int(width))


def test_the_graph_shows_the_layers(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True, graph=True) as training:
        training.run(2)
    graph = tf.compat.v1.GraphDef.FromString(read(tmp_path).SerializedGraph())
    names = {node.name for node in graph.node}
    assert any("/out" in name and name.endswith("MatMul") for name in names), names


def test_the_profiler_records_the_window_and_no_more(learner: Any, tmp_path: Path) -> None:
    with watching(tmp_path, learner, tensorboard=True, profile=(2, 4)) as training:
        *_, action = training.watch.actions(learner)
        assert [action.when.next_after(step) for step in (0, 2, 4)] == [2, 4, None]
        traces = []
        for step in (1, 2, 3, 4, 5):
            if action.when(moment(step)):
                action.what(moment(step))
            tf.constant(1.0) + tf.constant(2.0)
            traces.append(len(list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))))
    assert traces == [0, 0, 0, 1, 1]


def test_a_window_that_the_training_does_not_reach_the_end_of_is_written(
    learner: Any, tmp_path: Path
) -> None:
    with watching(tmp_path, learner, profile=(0, 100)) as training:
        training.run(2)
    assert list(tmp_path.glob("plugins/profile/*/*.xplane.pb"))


def test_one_of_several_processes_writes(learner: Any, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    with watching(logs, learner, tensorboard=True, profile=(0, 4), is_chief=False) as training:
        training.run(2)
    assert training.watch.latest is not None
    assert not logs.exists()


@pytest.fixture(scope="module")
def logs(learner: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs; the second was killed after step 6, and went on from the checkpoint at step 4."""
    folder = tmp_path_factory.mktemp("logs")
    for name, seed in (("a", 1), ("b", 3)):
        with watching(folder / name, learner, name=name, tensorboard=True) as training:
            training.watch.describe(PARAMETERS | {"seed": seed}, {"settings": "**bold**"})
            training.run(2, 4, 6)
            history = until(training.history, 4)
    wait_for_a_second()
    with watching(
        folder / "b", learner, name="b", tensorboard=True, history=history, start=4
    ) as training:
        training.watch.describe(PARAMETERS, {"settings": "**bold**"})
        training.run(6, 8, loss=9.0)
    return folder


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast", "python"])
def server(logs: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a TensorBoard that shows `logs`, with each of its two readers."""
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "tensorboard.main", "--host=127.0.0.1", "--port=0"),
            *(f"--logdir={logs}", f"--load_fast={request.param}"),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if match := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield match.group()
                break
        else:
            pytest.fail("TensorBoard did not start")
    finally:
        process.terminate()
        process.wait(30)
        process.stderr.close()


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.load(answer)


def wait_for_runs(server: str, *runs: str) -> dict[str, Any]:
    """The scalars by run, once TensorBoard has read them."""
    for _ in range(300):
        tags = ask(f"{server}/data/plugin/scalars/tags")
        if all("loss" in tags.get(run, {}) for run in runs):
            return tags
        time.sleep(0.1)
    raise AssertionError(f"TensorBoard shows only {tags}")


def test_tensorboard_serves_the_charts(server: str) -> None:
    tags = wait_for_runs(server, "a/train", "a/eval", "b/train", "b/eval")
    assert set(tags["a/eval"]) == {"rows", "loss", "auc"}
    points = ask(f"{server}/data/plugin/scalars/scalars?run=b/train&tag=loss")
    assert [(step, value) for _, step, value in points] == [
        (2, 0.5),
        (4, 0.25),
        (6, 9.0),
        (8, 9.0),
    ]
    assert (
        "precision_recall/card/pr_curves" in ask(f"{server}/data/plugin/pr_curves/tags")["a/eval"]
    )
    assert "settings" in ask(f"{server}/data/plugin/text/tags")["a"]


def test_tensorboard_compares_the_hyper_parameters(server: str) -> None:
    wait_for_runs(server, "a/eval", "b/eval")
    experiment = ask(f"{server}/data/plugin/hparams/experiment?request=%7B%7D")
    assert {info["name"] for info in experiment["hparamInfos"]} == set(PARAMETERS)
    wanted = {
        "startIndex": 0,
        "sliceSize": 10,
        "allowedStatuses": ["STATUS_SUCCESS"],
        "colParams": [{"metric": {"group": "eval", "tag": "auc"}, "includeInResult": True}]
        + [{"hparam": name, "includeInResult": True} for name in PARAMETERS],
    }
    request = urllib.parse.quote(json.dumps(wanted))
    groups = ask(f"{server}/data/plugin/hparams/session_groups?request={request}")["sessionGroups"]
    assert {group["hparams"]["seed"] for group in groups} == {1, 3}
    areas = [
        value["value"]
        for group in groups
        for value in group["metricValues"]
        if value["name"] == {"group": "eval", "tag": "auc"}
    ]
    assert areas == [0.75, 0.75]
