"""The check itself: what the exported model serves against what the pipeline computes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from components.errors import ModelNotServable
from components.features import DataSpec
from components.serving_check import expected
from components.serving_check.child import serve
from components.serving_check.rows import as_client_sends, odd_rows, read_rows
from components.serving_check.settings import ServingCheckSettings
from components.serving_check.verdict import objections, percentile


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """What the check found: a model without objections is servable.

    Attributes:
        objections: one sentence each; empty if a server can use the model.
        num_rows: how many real rows were sent.
        load_s: how long the model took to load, if it did.
        latency_p50_ms: the median of single-row calls, if they were answered.
        latency_p99_ms: their 99th percentile.
        peak_bytes: the largest memory of the process that served it.
        sent: the serialized tf.Examples that a client may send, to warm servers up with.
    """

    objections: tuple[str, ...]
    num_rows: int
    load_s: float | None = None
    latency_p50_ms: float | None = None
    latency_p99_ms: float | None = None
    peak_bytes: int | None = None
    sent: tuple[bytes, ...] = ()

    @property
    def reason(self) -> str:
        """All of it in one text."""
        if self.objections:
            return " ".join(self.objections)
        return f"{self.num_rows} rows were answered as the pipeline answers them"


def check(
    *,
    model: Path,
    examples: Path,
    transform_graph: Path,
    data_spec: DataSpec,
    settings: ServingCheckSettings,
) -> Report:
    """Asks the model real and odd rows in a process of its own, and compares the answers.

    Args:
        model: the folder that holds `saved_model.pb`.
        examples: the folder of one split of raw examples.
        transform_graph: the TransformGraph artifact's folder.
        data_spec: the input columns and the label.
        settings: how many rows, and what is allowed.

    Raises:
        NodeFailed: there are no rows, or no TensorFlow library.
    """
    rows = read_rows(examples, settings.num_rows)
    sent = as_client_sends(rows, data_spec)
    try:
        with serve(
            model,
            sent,
            odd_rows(data_spec),
            data_spec=data_spec,
            timeout_s=settings.timeout_s,
        ) as coming:
            transformed = expected.transform(rows, transform_graph)
            # Loaded here only when it loaded there: a model that crashes must not end the node.
            answers = coming.result()
        scores = expected.score(transformed, model)
    except ModelNotServable as error:
        return Report(objections=(str(error),), num_rows=len(rows))
    return Report(
        objections=tuple(
            objections(
                answers,
                scores,
                data_spec=data_spec,
                settings=settings,
            )
        ),
        num_rows=len(rows),
        load_s=answers.load_s,
        latency_p50_ms=percentile(answers.latencies_ms, 50),
        latency_p99_ms=percentile(answers.latencies_ms, 99),
        peak_bytes=answers.peak_bytes,
        sent=tuple(sent),
    )
