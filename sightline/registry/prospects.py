"""What the gate will be able to tell of the next candidate, said before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.evaluate import compare, power
from sightline.evaluate.abstention import fewest_images, most_shown
from sightline.registry.blessing import OVERALL
from sightline.registry.opening import open_ledger
from sightline.registry.wealth import following
from sightline.words import counted

if TYPE_CHECKING:
    from sightline.evaluate.release import Release
    from sightline.params import Gate
    from sightline.project import Paths
    from sightline.registry.ledger import Ledger


def told(paths: Paths, testing: Release, limits: Gate) -> str:
    """What this release can show of a candidate that is better, and how many more labelled images would help."""
    asked, disagreement = _next(paths, limits)
    count = len(testing.images)
    wanted = _more(paths, compare.images_needed(disagreement, asked, gain=power.GAINS[1]), count)
    more = f", about {wanted:,} more labelled ones in all" if wanted else ""
    return f"release {testing.name}: {power.sentence(count, disagreement, asked)}{more}"


def shown(paths: Paths, images: int, limits: Gate, gain: float) -> tuple[float, int]:
    """The chance that so many test images show that `gain`; how many more labelled images would in half of cases."""
    asked, disagreement = _next(paths, limits)
    needed = compare.images_needed(disagreement, asked, gain=gain)
    return compare.power(images, disagreement, asked, gain), _more(paths, needed, images)


def _next(paths: Paths, limits: Gate) -> tuple[float, float]:
    """The p at which the next comparison is won, and the share of images on which its two models may differ."""
    model = f"{paths.params.project.name}-classifier"
    ledger = open_ledger(paths)
    try:
        return following(ledger, model, limits.alpha), _disagreement(ledger, model)
    finally:
        ledger.close()


def _more(paths: Paths, needed: int, count: int) -> int:
    """Labelled images of any role that bring the test images from `count` to `needed`."""
    share = paths.params.datasets["target"].roles.test
    return max(0, round((needed - count) / share)) if share else 0


def unpromised(paths: Paths, wanted_accuracy: float) -> str:
    """That the calibration images are too few to say when to abstain, and how many would do; empty where they do."""
    rows = manifest.read(paths.manifest("target"))
    count = int(((rows["status"] == manifest.OK) & (rows["role"] == "calib")).sum())
    needed = fewest_images(wanted_accuracy)
    if count >= needed:
        return ""
    most = f"so many show {most_shown(count):.1%} at most, " if count else ""
    return (
        f"abstention: {wanted_accuracy:g} right answers cannot be promised with {counted(count, 'calibration image')}: "
        f"{most}{needed:,} are needed, or a lower evaluate.wanted_accuracy"
    )


def _disagreement(ledger: Ledger, model: str) -> float:
    """Share of images on which the last candidate and its champion differed; a typical one where none is known."""
    for entry in reversed(ledger.history(model)):
        for one in entry.evidence.get("blessings", ()):
            figures = one["figures"] if one["name"] == OVERALL else {}
            if "gained" in figures and figures["images"]:
                return float((figures["gained"] + figures["lost"]) / figures["images"])
    return power.TYPICAL
