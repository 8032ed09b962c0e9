"""The rule about newly labelled images: better on the new part, and no harm shown on the old one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate import compare
from sightline.evaluate.paired import group_sums, paired, sign_flip
from sightline.registry.blessing import FRESH, NO_CHAMPION, NOT_APPLICABLE, Blessing
from sightline.registry.rules import BETTER, HARM, POWER, blessed

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, Figures, IntArray
    from sightline.evaluate.paired import Paired
    from sightline.params import Gate
    from sightline.registry.blessing import Bound
    from sightline.registry.rules import Rule, Word

GAIN = 0.05
"""A new part that would not show this gain in half of cases is not judged by itself."""


def check_fresh(
    candidate: Figures,
    champion: Figures | None,
    new: BoolArray,
    groups: IntArray,
    rule: Rule,
    limits: Gate,
    bound: Bound,
) -> Blessing:
    """By rule `better`: better on the `new` images (N,), and harm shown on neither part; one-sided at .05 each.

    Where `gate.new_traffic` says what share of the answers is asked for images like the new ones, the differences
    weighted by it must be better too. Rule `no_worse` asks that no harm is shown.
    """
    if champion is None:
        return blessed(FRESH, NOT_APPLICABLE, NO_CHAMPION, {}, bound)
    if not new.any() or new.all():
        return blessed(FRESH, NOT_APPLICABLE, "this release has no newly labelled part", {}, bound)
    parts = {
        "new": paired(champion[new], candidate[new], groups[new]),
        "old": paired(champion[~new], candidate[~new], groups[~new]),
    }
    figures: dict[str, Any] = {name: _figures(pair) for name, pair in parts.items()}
    for name, pair in parts.items():
        if pair.harm <= HARM:
            said = f"worse on the {name} part: {_points(pair)} (p = {pair.harm:.2g})"
            return blessed(FRESH, "failed", said, figures, bound)
    old = parts["old"]
    hidden = f"on {old.images:,} old {_points(old)}, a loss of {_loss(figures['old']['low'])} could hide"
    if limits.new_traffic is not None:
        p = _weighted(candidate, champion, new, groups, limits.new_traffic)
        figures["weighted"] = {"share": limits.new_traffic, "p": p}
        if rule == BETTER and p > HARM:
            said = f"not shown to be better with {limits.new_traffic:.0%} new traffic (p = {p:.2g}); {hidden}"
            return blessed(FRESH, "insufficient", said, figures, bound)
    verdict, words = _on_new(parts["new"], rule)
    return blessed(FRESH, verdict, f"{words}; {hidden}", figures, bound)


def _on_new(pair: Paired, rule: Rule) -> tuple[Word, str]:
    """`not applicable` where the new images are too few to be judged by themselves: they count among all images."""
    told = f"on {pair.images:,} new images {_points(pair)}"
    if rule != BETTER:
        return "passed", f"{told}, no harm shown"
    if pair.better <= HARM:
        return "passed", f"better {told} (p = {pair.better:.2g})"
    if compare.power(pair.independent, pair.disagreement, HARM, GAIN) < POWER:
        return NOT_APPLICABLE, f"{told}: too few to judge by themselves"
    told = f"not shown to be better {told} (p = {pair.better:.2g})"
    return ("failed" if compare.power(pair.independent, pair.disagreement, HARM) >= POWER else "insufficient"), told


def _weighted(candidate: Figures, champion: Figures, new: BoolArray, groups: IntArray, share: float) -> float:
    """One-sided p of "not better": each part counts by its share of the traffic, whatever its images."""
    weights = np.where(new, share / new.sum(), (1 - share) / (~new).sum())
    return sign_flip(group_sums((candidate.astype(float) - champion) * weights, groups))


def _points(pair: Paired) -> str:
    return f"{100 * pair.difference:+.1f} points"


def _loss(low: float) -> str:
    """The largest loss that is not ruled out at .05, where `low` is the lower end."""
    return f"{100 * max(0.0, -low):.1f}"


def _figures(pair: Paired) -> dict[str, Any]:
    low, high = compare.interval(pair, HARM)
    counts = {"images": pair.images, "groups": len(pair.sums), "gained": pair.gained, "lost": pair.lost}
    return counts | {"p": pair.better, "harm": pair.harm, "low": low, "high": high}
