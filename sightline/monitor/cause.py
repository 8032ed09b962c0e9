"""What has shifted: how often the classes come, what their images look like, or both; and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.monitor.outcome import Cause, Moved
from sightline.monitor.prevalence import LEVEL, OF_TASK, SHARE, each_p
from sightline.monitor.shift import BOXES, SOFTMAX, STATISTICS, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.reference import Reference
    from sightline.monitor.outcome import Kind
    from sightline.monitor.prevalence import Prevalence
    from sightline.monitor.scores import Scores
    from sightline.monitor.window import Window

    Floats = NDArray[np.floating]

FAR = 0.05
"""Share of the reference's images that lie so far out that such a one of the window is called unlike it."""
FEWEST = 10
"""Images of a camera below which nothing is said of it."""
NEARER = 0.03
"""Mean difference of distribution functions that the classes' new shares must take away to count beside others."""


def explain(reference: Reference, scores: Scores, window: Window) -> Cause:
    """What the window (N images) shows against the reference."""
    made = scores.of_images(reference)
    rows = reference.apart
    line, values = made[rows], window.scores
    tested = compare(line, values, scores.groups)
    kind = told_apart(reference, scores, window.probabilities, values) if tested.p < LEVEL else None
    moved = {
        wanted: [
            Moved(name=name, p=_times(p, len(scores.names)), before=float(before), now=float(now))
            for name, group, p, before, now in zip(
                scores.names, scores.groups, tested.columns, line.mean(axis=0), values.mean(axis=0), strict=True
            )
            if group == wanted
        ]
        for wanted in (STATISTICS, BOXES)
    }
    far = scores.unlike(values) > np.quantile(scores.unlike(line, own=1), 1 - FAR)
    return Cause(
        kind=kind,
        images=len(window),
        groups=tested.groups,
        statistics=_shown(moved[STATISTICS]),
        boxes=_shown(moved[BOXES]),
        classes=_classes(reference, of_task(reference), window.probabilities) if kind in {"prevalence", "both"} else (),
        cameras=_places(window.camera, far),
        sites=_places(window.site, far),
    )


def told_apart(reference: Reference, scores: Scores, probabilities: Floats, values: Floats) -> Kind | None:
    """Whether a shift of the window, with these probabilities (N, C) and scores (N, K), is one of the classes' shares.

    The reference's classes are made as frequent as the window's are estimated to be. Where nothing differs then, only
    prevalence has shifted. Where something does, the images look different; and the answers to such images mislead the
    estimate, so that prevalence counts as shifted besides only where its weights bring the features and the pixels,
    which they were not made from, nearer to the window.
    """
    of = of_task(reference)
    rows = reference.apart
    rows = rows[of.known(reference)[rows]]
    if not len(rows):
        # Classes that the version does not know have no share in its answers.
        return "covariate"
    made, (shares, now) = scores.of_images(reference)[rows], of.shares(reference, probabilities)
    before = compare(made, values, scores.groups)
    after = compare(made, values, scores.groups, of.weights(reference, now)[rows])
    p = of.p(*_called(reference, of, probabilities))
    # The answers come otherwise, beyond chance, and by enough to matter.
    changed = p < LEVEL and of.distance(shares, now) > SHARE
    if after.p >= LEVEL:
        return "prevalence" if changed else None
    others = ~np.isin(scores.groups, (SOFTMAX, BOXES))
    nearer = float((before.distances - after.distances)[others].mean())
    return "both" if changed and nearer > NEARER else "covariate"


def of_task(reference: Reference) -> Prevalence:
    """What prevalence is for the reference's version."""
    return OF_TASK[reference.head.is_exclusive]


def _classes(reference: Reference, of: Prevalence, probabilities: Floats) -> tuple[Moved, ...]:
    answers = _called(reference, of, probabilities)
    before, after = of.shares(reference, probabilities)
    names = reference.known
    return _shown(
        [
            Moved(name=name, p=_times(p, len(names)), before=float(share), now=float(then))
            for name, p, share, then in zip(names, each_p(*answers), before, after, strict=True)
        ]
    )


def _called(reference: Reference, of: Prevalence, probabilities: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The classes that answers name, before and now."""
    before = reference.probabilities[reference.apart]
    return of.called(reference, before), of.called(reference, probabilities)


def _places(names: NDArray[np.str_], far: NDArray[np.bool_]) -> tuple[Moved, ...]:
    from scipy.stats import binom

    known = [name for name in np.unique(names).tolist() if name and (names == name).sum() >= FEWEST]
    found = []
    for name in known:
        its = far[names == name]
        p = _times(float(binom.sf(int(its.sum()) - 1, len(its), FAR)), len(known))
        found.append(Moved(name=name, p=p, before=FAR, now=float(its.mean())))
    return _shown(found)


def _times(p: float, tests: int) -> float:
    return min(1.0, p * tests)


def _shown(moved: list[Moved]) -> tuple[Moved, ...]:
    return tuple(sorted((one for one in moved if one.p < LEVEL), key=lambda one: one.p))
