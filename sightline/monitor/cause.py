"""What has shifted: how often the classes come, what their images look like, or both; and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.monitor.outcome import Cause, Moved
from sightline.monitor.shift import SOFTMAX, STATISTICS, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.reference import Reference
    from sightline.monitor.outcome import Kind
    from sightline.monitor.scores import Scores
    from sightline.monitor.window import Window

    Floats = NDArray[np.floating]

LEVEL = 0.05
"""p, corrected, below which something is said to have moved."""
FAR = 0.05
"""Share of the reference's images that lie so far out that such a one of the window is called unlike it."""
FEWEST = 10
"""Images of a camera below which nothing is said of it."""
NEARER = 0.03
"""Mean difference of distribution functions that the classes' new shares must take away to count beside others."""
SHARE = 0.05
"""Of the images that must have changed class for the prevalence to have shifted."""


def explain(reference: Reference, scores: Scores, window: Window) -> Cause:
    """What the window (N images) shows against the reference."""
    made = scores.of_images(reference)
    rows = reference.apart
    line, values = made[rows], window.scores
    tested = compare(line, values, scores.groups)
    weights = class_weights(reference, window.probabilities)
    kind = told_apart(reference, scores, window.probabilities, values) if tested.p < LEVEL else None
    moved = [
        Moved(name=name, p=_times(p, len(scores.names)), before=float(before), now=float(now))
        for name, group, p, before, now in zip(
            scores.names, scores.groups, tested.columns, line.mean(axis=0), values.mean(axis=0), strict=True
        )
        if group == STATISTICS
    ]
    far = scores.unlike(values) > np.quantile(scores.unlike(line, own=1), 1 - FAR)
    return Cause(
        kind=kind,
        images=len(window),
        groups=tested.groups,
        statistics=_shown(moved),
        classes=_classes(reference, window.probabilities, weights) if kind in {"prevalence", "both"} else (),
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
    rows, known = reference.apart, probabilities.shape[1]
    rows = rows[reference.labels[rows] < known]
    made, weights = scores.of_images(reference)[rows], class_weights(reference, probabilities)
    before = compare(made, values, scores.groups)
    after = compare(made, values, scores.groups, weights[reference.labels[rows]])
    changed = _changed(reference, probabilities, weights)
    if after.p >= LEVEL:
        return "prevalence" if changed else None
    others = scores.groups != SOFTMAX
    nearer = float((before.distances - after.distances)[others].mean())
    return "both" if changed and nearer > NEARER else "covariate"


def class_weights(reference: Reference, probabilities: Floats) -> Floats:
    """How many times as often each class (C,) comes in a window as in the reference (BBSE, Lipton et al. 2018).

    From the mean probabilities of the window (N, C) and those of the reference's classes, held towards 1 where few
    images tell (as in RLLS, Azizzadenesheli et al. 2019).
    """
    from scipy.optimize import nnls

    known = probabilities.shape[1]
    inside = reference.labels < known
    labels, before = reference.labels[inside], reference.probabilities[inside].astype(np.float64)
    truth = np.eye(known)[labels]
    joint = before.T @ truth / len(labels)
    now = probabilities.mean(axis=0, dtype=np.float64)
    held = 0.3 * (1 / np.sqrt(len(labels)) + 1 / np.sqrt(len(probabilities)))
    system = np.concatenate([joint, held / np.sqrt(known) * np.eye(known) * truth.mean(axis=0) * known])
    wanted = np.concatenate([now, held / np.sqrt(known) * truth.mean(axis=0) * known])
    weights, _ = nnls(system, wanted)
    shares = truth.mean(axis=0)
    return np.asarray(weights / max(float(weights @ shares), 1e-9))


def _changed(reference: Reference, probabilities: Floats, weights: Floats) -> bool:
    """Whether the classes come otherwise: the answers do, beyond chance, and by enough to matter."""
    from scipy.stats import chi2_contingency

    known = probabilities.shape[1]
    shares = np.bincount(reference.labels[reference.labels < known], minlength=known).astype(np.float64)
    shares /= shares.sum()
    counts = np.stack([np.bincount(one.argmax(axis=1), minlength=known) for one in _answers(reference, probabilities)])
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2:  # noqa: PLR2004 — one class alone cannot change
        return False
    p = float(chi2_contingency(counts).pvalue)
    return p < LEVEL and float(np.abs(weights * shares - shares).sum() / 2) > SHARE


def _answers(reference: Reference, probabilities: Floats) -> tuple[Floats, Floats]:
    return reference.probabilities[reference.apart], probabilities


def _classes(reference: Reference, probabilities: Floats, weights: Floats) -> tuple[Moved, ...]:
    from scipy.stats import fisher_exact

    known = probabilities.shape[1]
    shares = np.bincount(reference.labels[reference.labels < known], minlength=known) / len(reference.labels)
    before, now = (one.argmax(axis=1) for one in _answers(reference, probabilities))
    found = []
    for place, name in enumerate(reference.classes[:known]):
        table = [[int((one == place).sum()), int((one != place).sum())] for one in (before, now)]
        p = _times(float(fisher_exact(table).pvalue), known)
        share = float(shares[place])
        found.append(Moved(name=name, p=p, before=share, now=float(weights[place]) * share))
    return _shown(found)


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
