"""What the server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

# From a small model on an idle machine to the longest deadline.
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The counters of one engine."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._requests = Counter(
            "waybill_requests",
            "Answered requests, by the version that answered (empty: none did) and gRPC status.",
            ("model", "version", "api", "method", "code"),
            registry=registry,
        )
        self._seconds = Histogram(
            "waybill_request_seconds",
            "From a request's arrival to its answer.",
            ("model", "api", "method"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._batch_rows = Histogram(
            "waybill_batch_rows",
            "Rows in one call of a model.",
            ("model",),
            buckets=_ROWS,
            registry=registry,
        )
        self.in_flight = Gauge("waybill_in_flight", "Requests under way.", registry=registry)
        self._loaded = Gauge(
            "waybill_loaded", "1 for each loaded version.", ("model", "version"), registry=registry
        )
        self._labels = Gauge(
            "waybill_label", "The version of each label.", ("model", "label"), registry=registry
        )
        self._load_seconds = Histogram(
            "waybill_load_seconds",
            "Loading a version, its warm-up included.",
            ("model",),
            registry=registry,
        )
        self._failed_loads = Counter(
            "waybill_failed_loads", "Versions that did not load.", ("model",), registry=registry
        )
        self.logged = Counter(
            "waybill_logged_requests", "Requests written to the log.", registry=registry
        )
        self.dropped = Counter(
            "waybill_dropped_log_requests",
            "Requests that were not written to the log because it could not keep up.",
            registry=registry,
        )
        self._known: dict[str, tuple[set[str], set[str]]] = {}

    def answered(
        self, *, model: str, version: str, api: str, method: str, code: str, seconds: float
    ) -> None:
        """Counts one answer. A model that nobody serves is counted without its name."""
        model = model if model in self._known else ""
        self._requests.labels(model, version, api, method, code).inc()
        self._seconds.labels(model, api, method).observe(seconds)

    def batch(self, model: str, num_rows: int) -> None:
        """Counts one call of a model."""
        self._batch_rows.labels(model).observe(num_rows)

    def loads(self, model: str, seconds: float | None) -> None:
        """Counts one load, or one that failed (None)."""
        if seconds is None:
            self._failed_loads.labels(model).inc()
        else:
            self._load_seconds.labels(model).observe(seconds)

    def serves(self, model: str, versions: Iterable[int], labels: Mapping[str, int]) -> None:
        """Notes what of a model is served now; nothing if there is no version."""
        old_versions, old_labels = self._known.pop(model, (set(), set()))
        new_versions = {str(version) for version in versions}
        for version in old_versions - new_versions:
            self._loaded.remove(model, version)
        for label in old_labels - labels.keys():
            self._labels.remove(model, label)
        for version in new_versions:
            self._loaded.labels(model, version).set(1)
        for label, number in labels.items():
            self._labels.labels(model, label).set(number)
        if new_versions:
            self._known[model] = new_versions, set(labels)

    def text(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
