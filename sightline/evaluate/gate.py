"""The gate: may this candidate become champion? A figure for each reason, and one sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate.compare import mcnemar_better

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.config import Gate


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the gate says."""

    promote: bool
    sentence: str
    figures: dict[str, Any]


def first(figures: dict[str, Any], limits: Gate) -> Decision:
    """Whether a candidate with these evaluation `figures` may be the first champion: absolute floors alone."""
    accuracy, majority = figures["accuracy"], majority_share(figures)
    floor = max(limits.min_accuracy, majority + limits.min_gain_over_majority)
    told = {"rule": "floors", "accuracy": accuracy, "majority": majority, "floor": floor}
    said = f"right in {accuracy:.1%} of {figures['release']['images']} test images"
    if accuracy >= floor:
        return Decision(promote=True, sentence=f"first champion: {said}, the floor is {floor:.1%}", figures=told)
    return Decision(promote=False, sentence=f"no champion yet: {said}, below the floor of {floor:.1%}", figures=told)


def later(
    candidate_right: NDArray[np.bool_], champion_right: NDArray[np.bool_], champion: str, limits: Gate
) -> Decision:
    """Whether a candidate beats the `champion` on the same test images: exact one-sided McNemar test."""
    p = mcnemar_better(champion_right, candidate_right)
    gained = int((candidate_right & ~champion_right).sum())
    lost = int((champion_right & ~candidate_right).sum())
    told = {
        "rule": "better",
        "p": p,
        "alpha": limits.alpha,
        "gained": gained,
        "lost": lost,
        "accuracy": float(np.mean(candidate_right)),
        "champion_accuracy": float(np.mean(champion_right)),
        "images": len(candidate_right),
    }
    compared = (
        f"of {len(candidate_right)} test images it gets {gained} right that champion version {champion} gets wrong, "
        f"and {lost} wrong that the champion gets right (p = {p:.3g})"
    )
    if p <= limits.alpha:
        return Decision(promote=True, sentence=f"better than the champion: {compared}", figures=told)
    return Decision(
        promote=False, sentence=f"not shown to be better: {compared}; p ≤ {limits.alpha:g} is asked", figures=told
    )


def majority_share(figures: dict[str, Any]) -> float:
    """Share of the test images that the answer "always the most frequent class" gets right."""
    counts = [row["support"] for row in figures["per_class"].values()]
    return float(max(counts) / sum(counts))
