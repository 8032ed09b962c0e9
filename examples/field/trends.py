"""From answers to photographs: how many of a plot and day show each disease, and whether it rises."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from examples.chain import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

LEVEL = 0.05
"""p, corrected for all plots and diseases, below which a trend is told."""


@dataclass(frozen=True)
class Values:
    """What the params file says."""

    run: dict[str, Any]
    names: str
    """Pattern of a photograph's path, with the groups plot and date."""
    healthy: str
    least: int

    def __post_init__(self) -> None:
        if not {"plot", "date"} <= set(re.compile(self.names).groupindex):
            raise ValueError(f"names {self.names!r} has no groups (?P<plot>…) and (?P<date>…)")


@dataclass
class Day:
    """What the photographs of a plot showed on a day."""

    photos: int = 0
    """Those with an answer that counts."""
    unsure: int = 0
    """Those about which a person had better decide; they count nowhere else."""
    ill: dict[str, int] = field(default_factory=dict)
    """Disease → photographs that show it."""


@dataclass(frozen=True)
class Trend:
    """A disease in a plot, whose share rises or falls with the days."""

    plot: str
    disease: str
    rises: bool
    p: float
    """Corrected for the number of plots and diseases."""


def days(
    answers: Iterable[Mapping[Any, Any]], folder: PurePath, values: Values
) -> tuple[dict[str, dict[date, Day]], list[str]]:
    """Plot → date → what was seen, both in order; and the photographs whose names do not say where and when."""
    found: dict[str, dict[date, Day]] = {}
    strange = []
    for row in answers:
        path = PurePath(row["path"]).relative_to(folder).as_posix()
        named = re.search(values.names, path)
        when = day_of(named["date"]) if named else None
        if named is None or when is None:
            strange.append(path)
            continue
        day = found.setdefault(named["plot"], {}).setdefault(when, Day())
        if row["error"] or row["abstain"] or row["foreign"]:
            day.unsure += 1
            continue
        day.photos += 1
        labels = row.get("labels")
        for name in [row["label"]] if labels is None else labels:
            if name != values.healthy:
                day.ill[name] = day.ill.get(name, 0) + 1
    return {plot: dict(sorted(of.items())) for plot, of in sorted(found.items())}, strange


def diseases(plots: Mapping[str, Mapping[date, Day]]) -> list[str]:
    """Every disease that any photograph shows."""
    return sorted({name for of in plots.values() for day in of.values() for name in day.ill})


def trends(plots: Mapping[str, Mapping[date, Day]], least: int) -> list[Trend]:
    """The diseases that rise or fall, beyond chance, over the days with enough photographs; the surest first."""
    named = diseases(plots)
    found = []
    for plot, of in plots.items():
        told = {when: day for when, day in of.items() if day.photos >= least}
        for name in named:
            z = slope(
                [when.toordinal() for when in told], [(day.ill.get(name, 0), day.photos) for day in told.values()]
            )
            p = min(1.0, _two_sided(z) * len(plots) * len(named))
            if p < LEVEL:
                found.append(Trend(plot, name, z > 0, p))
    return sorted(found, key=lambda one: one.p)


def slope(times: Sequence[float], counts: Sequence[tuple[int, int]]) -> float:
    """How far shares grow with time, in standard errors (Cochran 1954, Armitage 1955); 0 where nothing can grow.

    counts: (ill, photographs) at each of the times.
    """
    total = sum(photos for _, photos in counts)
    if not total:
        return 0.0
    share = sum(ill for ill, _ in counts) / total
    middle = sum(at * photos for at, (_, photos) in zip(times, counts, strict=True)) / total
    pairs = [(at - middle, ill, photos) for at, (ill, photos) in zip(times, counts, strict=True)]
    spread = share * (1 - share) * sum(photos * away**2 for away, _, photos in pairs)
    if spread <= 0:
        return 0.0
    moved: float = sum(away * (ill - photos * share) for away, ill, photos in pairs)
    return moved / math.sqrt(spread)


def _two_sided(z: float) -> float:
    from scipy.stats import norm

    return float(2 * norm.sf(abs(z)))
