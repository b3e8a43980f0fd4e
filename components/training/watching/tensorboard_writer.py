"""TensorBoard: event files in a folder of one training.

    <directory>/          hyper-parameters, texts, the graph
    <directory>/train/    scalars and histograms of the training
    <directory>/eval/     scalars, curves and pictures of the evaluations

Scalars have the same name in both, so that TensorBoard draws them in one chart.

A training that goes on from a checkpoint writes a new file that begins with a session start at the
step after it: from there on TensorBoard drops what older files hold.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.histogram import summary_v2 as histogram
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2
from tensorboard.plugins.hparams import metadata as hparams_metadata
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.pr_curve import metadata as curve_metadata
from tensorboard.plugins.scalar import summary_v2 as scalar
from tensorboard.plugins.text import summary_v2 as text
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from components.training.watching.curves import ThresholdCounts
from components.training.watching.writer import End, Parameter, Split, Writer

if TYPE_CHECKING:
    import tensorflow as tf

_STATUS = {
    "finished": api_pb2.STATUS_SUCCESS,
    "failed": api_pb2.STATUS_FAILURE,
    "killed": api_pb2.STATUS_FAILURE,
}


class TensorBoardWriter(Writer):
    """Writes event files."""

    def __init__(self, directory: Path, *, name: str, start: int) -> None:
        """Opens new event files.

        Args:
            directory: of this training alone; made if necessary.
            name: tells the training from others in the HPARAMS tab.
            start: the step that training goes on from.
        """
        self.last_step = start if any(directory.glob("*/events.out.tfevents.*")) else 0
        self._name = name
        # What the folder itself holds is written anew by every process.
        self._root = _EventFile(directory, -1)
        self._splits: dict[str, _EventFile] = {
            "train": _EventFile(directory / "train", start),
            "eval": _EventFile(directory / "eval", start),
        }

    def scalars(self, split: Split, values: Mapping[str, float], step: int) -> None:
        """See `Writer`."""
        summary = summary_pb2.Summary()
        for name, value in values.items():
            summary.MergeFrom(scalar.scalar_pb(name, value))
        self._splits[split].add(summary, step)
        # Before the checkpoint of this step: what is lost with the process is then given anew.
        self._splits[split].flush()

    def histogram(self, name: str, values: np.ndarray, step: int) -> None:
        """See `Writer`."""
        self._splits["train"].add(histogram.histogram_pb(name, values.ravel()), step)

    def picture(self, name: str, png: bytes, step: int) -> None:
        """See `Writer`."""
        metadata = image_metadata.create_summary_metadata(display_name=name, description="")
        strings = np.array([*(b"%d" % side for side in png_size(png)), png], dtype=object)
        self._splits["eval"].add(_tensor(name, metadata, strings), step)

    def curve(self, name: str, counts: ThresholdCounts, step: int) -> None:
        """See `Writer`."""
        hits, false_hits = counts.true_positives, counts.false_positives
        num_positives = hits + counts.false_negatives
        # Without a positive answer there is no precision; the plugin's own writer says 0 as well.
        precision = hits / np.maximum(hits + false_hits, 1)
        rows = np.stack([*counts, precision, hits / np.maximum(num_positives, 1)])
        metadata = curve_metadata.create_summary_metadata(
            display_name=name, description="", num_thresholds=hits.size
        )
        tag = f"{name}/pr_curves"
        self._splits["eval"].add(_tensor(tag, metadata, rows.astype(np.float32)), step)

    def text(self, name: str, markdown: str) -> None:
        """See `Writer`."""
        self._root.add(text.text_pb(name, markdown), 0)

    def parameters(self, values: Mapping[str, Parameter]) -> None:
        """See `Writer`."""
        self._root.add(hparams.hparams_pb(dict(values), trial_id=self._name), 0)

    def graph(self, graph: tf.Graph) -> None:
        """See `Writer`."""
        self._root.add_graph(graph.as_graph_def(add_shapes=True).SerializeToString())

    def rewind(self, step: int) -> None:
        """See `Writer`."""
        for file in self._splits.values():
            file.begin(step)

    def commit(self, step: int) -> None:
        """See `Writer`."""
        for file in (self._root, *self._splits.values()):
            file.flush()

    def close(self, end: End) -> None:
        """See `Writer`."""
        data = plugin_data_pb2.HParamsPluginData(
            session_end_info=plugin_data_pb2.SessionEndInfo(
                status=_STATUS[end], end_time_secs=time.time()
            )
        )
        metadata = hparams_metadata.create_summary_metadata(data)
        tag = hparams_metadata.SESSION_END_INFO_TAG
        self._root.add(_tensor(tag, metadata, np.zeros((), np.float32)), 0)
        for file in (self._root, *self._splits.values()):
            file.close()


class _EventFile:
    """One event file."""

    def __init__(self, directory: Path, start: int) -> None:
        self._writer = EventFileWriter(str(directory))
        self.begin(start)

    def begin(self, start: int) -> None:
        session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._add(event_pb2.Event(step=start + 1, session_log=session))

    def add(self, summary: summary_pb2.Summary, step: int) -> None:
        self._add(event_pb2.Event(step=step, summary=summary))

    def add_graph(self, graph_def: bytes) -> None:
        self._add(event_pb2.Event(graph_def=graph_def))

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()

    def _add(self, event: event_pb2.Event) -> None:
        event.wall_time = time.time()
        self._writer.add_event(event)


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from a PNG's header."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def _tensor(
    tag: str, metadata: summary_pb2.SummaryMetadata, values: np.ndarray
) -> summary_pb2.Summary:
    summary = summary_pb2.Summary()
    summary.value.add(tag=tag, metadata=metadata, tensor=tensor_util.make_tensor_proto(values))
    return summary
