"""The rule about slices: blocks where the candidate is shown to do worse than the champion on a part of the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.evaluate import compare
from sightline.evaluate.paired import paired
from sightline.heads.known import ONE
from sightline.registry import rules
from sightline.registry.blessing import NO_CHAMPION, NOT_APPLICABLE, SLICES, Blessing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.evaluate.metrics import BoolArray, Figures, IntArray
    from sightline.heads.protocol import Head
    from sightline.registry.blessing import Bound

FAMILY = 0.01
"""Chance that any slice is taken for harmed where none is."""
MOST_NAMES = 3


def check_slices(
    candidate: Figures,
    champion: Figures | None,
    parts: Mapping[str, BoolArray],
    expected: Sequence[str],
    tested: BoolArray,
    groups: IntArray,
    bound: Bound,
    head: Head = ONE,
) -> Blessing:
    """Whether harm is shown on any of the `parts` (members (N,) by name): sign-flip by group, Holm over all.

    The images may be more than those of the release, which `tested` (N,) tells. A slice of the `expected` names without
    test images is missing, and blocks: nobody knows how the model does there. Slices in which even harm to every group
    could not be shown are named.
    """
    missing = [name for name in expected if name not in parts or not (parts[name] & tested).any()]
    if missing:
        said = (
            f"no test image for {', '.join(missing[:5])}: make a release that has some (`sightline data release NAME`)"
        )
        return Blessing(name=SLICES, verdict="missing", sentence=said, figures={"missing": missing}, digests=bound)
    if champion is None:
        rows = [{"name": name, **_told(candidate[members])} for name, members in parts.items()]
        said = f"{NO_CHAMPION}; {len(rows)} slices are told"
        return rules.blessed(SLICES, NOT_APPLICABLE, said, {"slices": rows}, bound)
    rows = [_slice(name, members, candidate, champion, groups) for name, members in parts.items()]
    able = compare.attainable([row["least"] for row in rows], FAMILY)
    asked = [row for row, is_able in zip(rows, able, strict=True) if is_able]
    fallen = compare.holm([row["p"] for row in asked], FAMILY)
    harmed = [row for row, is_fallen in zip(asked, fallen, strict=True) if is_fallen]
    unknown = [row for row in rows if 0.5 ** row["groups"] > FAMILY / max(1, len(asked))]
    figures: dict[str, Any] = {"slices": rows, "family": FAMILY, "asked": len(asked)}
    short = f"; too few images to tell: {_named(unknown)}" if unknown else ""
    if harmed:
        said = "; ".join(
            f"{row['name']} is worse: {head.told(row['accuracy'], row['images'])}, the champion "
            f"{row['champion']:.1%} (p = {row['p']:.2g})"
            for row in harmed
        )
        return rules.blessed(SLICES, "failed", said + short, figures, bound)
    return rules.blessed(SLICES, "passed", f"no harm shown on {len(rows)} slices{short}", figures, bound)


def _told(right: Figures) -> dict[str, Any]:
    return {"images": len(right), "accuracy": float(right.mean())}


def _slice(name: str, members: BoolArray, candidate: Figures, champion: Figures, groups: IntArray) -> dict[str, Any]:
    pair = paired(champion[members], candidate[members], groups[members])
    told = {"name": name, **_told(candidate[members]), "champion": pair.other}
    return told | {"groups": len(pair.sums), "p": pair.harm, "least": pair.least}


def _named(rows: Sequence[dict[str, Any]]) -> str:
    named = ", ".join(row["name"] for row in rows[:MOST_NAMES])
    return f"{named} and {len(rows) - MOST_NAMES} more" if len(rows) > MOST_NAMES else named
