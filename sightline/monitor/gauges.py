"""What Prometheus reads of the last look, at the server whose answers it looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sightline.errors import ProjectError
from sightline.monitor.look import last
from sightline.monitor.record import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths


class Gauges(Collector):
    """The last look's figures; none where nobody has looked yet."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing beforehand: what there is, is known when it is read."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures, as Prometheus wants them, and when they were taken: nobody looking is no calm."""
        try:
            looks = last(self._paths)
        except ProjectError:
            return
        for one in looks:
            taken = {"looked_timestamp_seconds": one.moment.timestamp(), **figures(one)}
            for name, value in taken.items():
                words = f"Of `sightline monitor`: {name.replace('_', ' ')}."
                gauge = GaugeMetricFamily(f"sightline_monitor_{name}", words, labels=["version"])
                gauge.add_metric([one.version], value)
                yield gauge
