"""From answers with boxes to parts that pass or fail."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from examples.chain import day_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PASSED, FAILED, LOOK = "passed", "failed", "look"
"""The verdicts; the last where a person decides, since a photograph has no sure answer."""


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a part may have of a class of defects."""

    longest_mm: float
    """Longest side of each."""
    most: int
    """How many, on all photographs of the part together."""


@dataclass(frozen=True)
class Values:
    """What the params file says."""

    run: dict[str, Any]
    names: str
    """Pattern of a photograph's path, with the groups part and date."""
    mm_per_pixel: float
    allowed: Mapping[str, Allowed]
    """By class; of a class that is not named a part may have none."""

    def __post_init__(self) -> None:
        if not {"part", "date"} <= set(re.compile(self.names).groupindex):
            raise ValueError(f"names {self.names!r} has no groups (?P<part>…) and (?P<date>…)")
        if not self.mm_per_pixel > 0:
            raise ValueError(f"mm_per_pixel is {self.mm_per_pixel}, which is no length")
        object.__setattr__(self, "allowed", {name: Allowed(**one) for name, one in dict(self.allowed).items()})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Defect:
    """A defect on a photograph."""

    photo: str
    """Path below the folder of photographs."""
    kind: str
    probability: float
    edges: tuple[float, float, float, float]
    """Left, top, right and bottom in pixels of the upright photograph."""
    longest_mm: float
    shortest_mm: float


@dataclass
class Part:
    """What the photographs of a part showed on a day."""

    photos: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    """Those that cannot be read, are foreign, or about which a person had better decide."""
    defects: list[Defect] = field(default_factory=list)

    def faults(self, allowed: Mapping[str, Allowed]) -> list[str]:
        """Why it fails, in words; nothing where no defect speaks against it."""
        said = []
        for kind, number in sorted(Counter(one.kind for one in self.defects).items()):
            limit = allowed.get(kind)
            longest = max(one.longest_mm for one in self.defects if one.kind == kind)
            if limit is None:
                said.append(f"{number} {kind}, {longest:.1f} mm long at most, and none is allowed")
                continue
            if longest > limit.longest_mm:
                said.append(f"{kind} of {longest:.1f} mm, {limit.longest_mm:g} mm are allowed")
            if number > limit.most:
                said.append(f"{number} {kind}, {limit.most} are allowed")
        return said

    def verdict(self, allowed: Mapping[str, Allowed]) -> str:
        """Whether it passes: it fails by what is seen, whatever else a person may find."""
        if self.faults(allowed):
            return FAILED
        return LOOK if self.unsure else PASSED


Days = dict[date, dict[str, Part]]


def days(answers: Iterable[Mapping[Any, Any]], folder: PurePath, values: Values) -> tuple[Days, list[str]]:
    """Date → part → what was seen, both in order; and the photographs whose names do not say which part and when."""
    found: Days = {}
    strange = []
    for row in answers:
        path = PurePath(row["path"]).relative_to(folder).as_posix()
        named = re.search(values.names, path)
        when = day_of(named["date"]) if named else None
        if named is None or when is None:
            strange.append(path)
            continue
        part = found.setdefault(when, {}).setdefault(named["part"], Part())
        part.photos.append(path)
        if row["error"] or row["abstain"] or row["foreign"]:
            part.unsure.append(path)
        if not row["error"]:
            part.defects += [_defect(path, box, values.mm_per_pixel) for box in row["boxes"]]
    return {when: dict(sorted(parts.items())) for when, parts in sorted(found.items())}, strange


def _defect(photo: str, box: Mapping[str, Any], scale: float) -> Defect:
    left, top, right, bottom = (box[name] for name in ("x1", "y1", "x2", "y2"))
    shortest, longest = sorted((scale * (right - left), scale * (bottom - top)))
    return Defect(
        photo=photo,
        kind=box["label"],
        probability=box["probability"],
        edges=(left, top, right, bottom),
        longest_mm=longest,
        shortest_mm=shortest,
    )
