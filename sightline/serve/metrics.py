"""What Prometheus reads of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from sightline.serve.batcher import Answered

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper ends of the buckets, seconds."""


class Metrics:
    """Counters of one server; each has a registry of its own, so that several can live in a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        given = {"registry": self._registry}
        self.latency = Histogram("sightline_request_seconds", "Time of a request.", buckets=LATENCIES, **given)
        self.batch = Histogram("sightline_batch_images", "Images answered together.", buckets=(1, 2, 4, 8, 16, 32, 64), **given)
        self.waiting = Gauge("sightline_waiting_images", "Images that wait or are being answered.", **given)
        self._answers = Counter("sightline_answers", "Answers.", ["version", "label"], **given)
        self._abstentions = Counter("sightline_abstentions", "Answers that a person had better give.", ["version"], **given)
        self._foreign = Counter("sightline_foreign", "Images unlike those that the model knows.", ["version"], **given)
        self.unreadable = Counter("sightline_unreadable_images", "Images that could not be read.", **given)
        self.rejected = Counter("sightline_rejected_requests", "Requests turned away.", ["status"], **given)

    def count(self, answered: Answered) -> None:
        """Note an answer."""
        version, answer = answered.version.number, answered.answer
        self._answers.labels(version, answer.label).inc()
        if answer.abstain:
            self._abstentions.labels(version).inc()
        if answer.foreign:
            self._foreign.labels(version).inc()

    def text(self) -> bytes:
        """All of them in Prometheus' format."""
        return generate_latest(self._registry)
