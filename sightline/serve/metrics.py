"""What Prometheus reads of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from sightline.serve.batcher import Answered

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper ends of the buckets, seconds."""
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """Counters of one server; each has a registry of its own, so that several can live in a process."""

    def __init__(self, *others: Collector) -> None:
        """`others` have figures of their own to tell."""
        own = CollectorRegistry()
        self._registry = own
        self.latency = Histogram("sightline_request_seconds", "Time of a request.", buckets=LATENCIES, registry=own)
        self.batch = Histogram("sightline_batch_images", "Images answered together.", buckets=BATCHES, registry=own)
        self.waiting = Gauge("sightline_waiting_images", "Images that wait or are being answered.", registry=own)
        self._answers = Counter("sightline_answers", "Answers.", ["version", "label"], registry=own)
        self._abstentions = Counter("sightline_abstentions", "Answers left to a person.", ["version"], registry=own)
        self._foreign = Counter("sightline_foreign", "Images unlike those it knows.", ["version"], registry=own)
        self.unreadable = Counter("sightline_unreadable_images", "Images that cannot be read.", registry=own)
        self.rejected = Counter("sightline_rejected_requests", "Requests turned away.", ["status"], registry=own)
        self._shadow = Counter(
            "sightline_shadow_answers",
            "Answers unheard, by whether the champion's was the same: of boxes, whether each has its like.",
            ["version", "agrees"],
            registry=own,
        )
        self._shadow_alike = Counter(
            "sightline_shadow_agreement",
            "How far these agree with the champion's, added up: 1 the same; of several labels, or of boxes, their F1.",
            ["version"],
            registry=own,
        )
        self._shadow_time = Histogram(
            "sightline_shadow_seconds", "Time of an answer unheard.", ["version"], buckets=LATENCIES, registry=own
        )
        self.shadow_dropped = Counter("sightline_shadow_dropped", "Images that a shadow had no time for.", registry=own)
        self.shadow_failed = Counter("sightline_shadow_failed", "Images on which a shadow failed.", registry=own)
        self.canary_failed = Counter(
            "sightline_canary_failed", "Images on which a canary failed and the champion answered.", registry=own
        )
        for other in others:
            own.register(other)

    def count(self, answered: Answered) -> None:
        """Note an answer."""
        version, answer = answered.version.number, answered.answer
        # By class: of several the sets that occur are too many to count each.
        for name in answer.names or ("",):
            self._answers.labels(version, name).inc()
        if answer.abstain:
            self._abstentions.labels(version).inc()
        if answer.foreign:
            self._foreign.labels(version).inc()

    def compare(self, version: str, agreement: float, *, seconds: float) -> None:
        """Note an answer of a shadow, and how far it agrees with the champion's, up to 1."""
        self._shadow.labels(version, "yes" if agreement == 1 else "no").inc()
        self._shadow_alike.labels(version).inc(agreement)
        self._shadow_time.labels(version).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' format."""
        return generate_latest(self._registry)
