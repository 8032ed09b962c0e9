"""How often the classes come in a window, by its answers; and the reference's images weighted to come as often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.reference import Reference

    Floats = NDArray[np.floating]

LEVEL = 0.05
"""p, corrected, below which something is said to have moved."""
SHARE = 0.05
"""Of the images that must have changed class for the prevalence to have shifted."""
HELD = 0.3
"""How strongly the shares are held to those before, in images⁻½: where few tell, they tell little."""
LEAST = 1e-4
"""Pull of the tilts to 0, so that a class that no image shows, or each, has one."""


class Prevalence(Protocol):
    """What a task means by it; classes are those of the version, C."""

    def known(self, reference: Reference) -> NDArray[np.bool_]:
        """(M,) which images of the reference show no class that the version does not know."""
        ...

    def shares(self, reference: Reference, probabilities: Floats) -> tuple[Floats, Floats]:
        """(C,) share of the reference's images that show each class, and of a window's with these probabilities."""
        ...

    def weights(self, reference: Reference, now: Floats) -> Floats:
        """(M,) of the reference's images, by which classes come in the shares `now` (C,)."""
        ...

    def called(self, reference: Reference, probabilities: Floats) -> NDArray[np.bool_]:
        """(N, C) the classes that an answer of the reference's version names."""
        ...

    def p(self, before: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
        """That the answers `before` and `now` differ by chance alone."""
        ...

    def distance(self, before: Floats, now: Floats) -> float:
        """Least share of the images that must have changed class between the shares (C,)."""
        ...


class OneEach:
    """Each image shows one class: the shares sum to 1."""

    def known(self, reference: Reference) -> NDArray[np.bool_]:
        """By the class."""
        found: NDArray[np.bool_] = reference.labels < reference.probabilities.shape[1]
        return found

    def shares(self, reference: Reference, probabilities: Floats) -> tuple[Floats, Floats]:
        """By `class_weights`."""
        before = self._before(reference)
        return before, class_weights(reference, probabilities) * before

    def weights(self, reference: Reference, now: Floats) -> Floats:
        """Those of its class."""
        before, unknown = self._before(reference), len(reference.classes) - reference.probabilities.shape[1]
        times = np.divide(now, before, out=np.zeros(len(before)), where=before > 0)
        found: Floats = np.append(times, np.zeros(unknown))[reference.labels]
        return found

    def _before(self, reference: Reference) -> Floats:
        labels = reference.labels[self.known(reference)]
        found: Floats = np.bincount(labels, minlength=reference.probabilities.shape[1]) / len(reference.labels)
        return found

    def called(self, reference: Reference, probabilities: Floats) -> NDArray[np.bool_]:  # noqa: ARG002
        """The likeliest."""
        found: NDArray[np.bool_] = np.arange(probabilities.shape[1]) == probabilities.argmax(axis=1)[:, None]
        return found

    def p(self, before: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
        """Of all classes at once."""
        from scipy.stats import chi2_contingency

        counts = np.stack([before.sum(axis=0), now.sum(axis=0)])
        counts = counts[:, counts.sum(axis=0) > 0]
        if counts.shape[1] < 2:  # noqa: PLR2004 — one class alone cannot change
            return 1.0
        return float(chi2_contingency(counts).pvalue)

    def distance(self, before: Floats, now: Floats) -> float:
        """Of what one class gives, another takes."""
        return float(np.abs(now / now.sum() - before / before.sum()).sum() / 2)


class Sets:
    """An image shows any number of classes: each has a share of its own."""

    def known(self, reference: Reference) -> NDArray[np.bool_]:
        """By every class."""
        return np.asarray(~reference.labels[:, reference.probabilities.shape[1] :].any(axis=1))

    def shares(self, reference: Reference, probabilities: Floats) -> tuple[Floats, Floats]:
        """As of two classes each: there or not, each with the mean probability that the reference gives it."""
        there = reference.labels[:, : probabilities.shape[1]].astype(np.float64)
        seen, made = there.sum(axis=0), reference.probabilities.astype(np.float64)
        with_it = (made * there).sum(axis=0) / np.maximum(seen, 1)
        without = (made * (1 - there)).sum(axis=0) / np.maximum(len(there) - seen, 1)
        apart, now = with_it - without, probabilities.mean(axis=0, dtype=np.float64)
        before, held = seen / len(there), HELD * (len(there) ** -0.5 + len(probabilities) ** -0.5)
        found = (apart * (now - without) + held**2 * before) / (apart**2 + held**2)
        return before, np.where((seen > 0) & (seen < len(there)), np.clip(found, 0, 1), before)

    def weights(self, reference: Reference, now: Floats) -> Floats:
        """The evenest that do (entropy balancing, Hainmueller 2012): what comes together before still does."""
        from scipy.optimize import minimize

        there = reference.labels[:, : reference.probabilities.shape[1]].astype(np.float64)
        away = there - np.clip(now, 1 / len(there), 1 - 1 / len(there))

        def loss(tilt: Floats) -> tuple[float, Floats]:
            powers = away @ tilt
            top = powers.max()
            shares = np.exp(powers - top)
            total = shares.sum()
            return top + np.log(total) + LEAST * tilt @ tilt, away.T @ shares / total + 2 * LEAST * tilt

        tilt = minimize(loss, np.zeros(there.shape[1]), jac=True, method="L-BFGS-B").x
        powers = away @ tilt
        found: Floats = np.exp(powers - powers.max())
        return found

    def called(self, reference: Reference, probabilities: Floats) -> NDArray[np.bool_]:
        """Those that reach their threshold; where it is not known, that are likelier there than not."""
        found: NDArray[np.bool_] = probabilities >= (0.5 if reference.thresholds is None else reference.thresholds)
        return found

    def p(self, before: NDArray[np.bool_], now: NDArray[np.bool_]) -> float:
        """Of the class that differs most, corrected for their number."""
        return float(min(1.0, each_p(before, now).min() * before.shape[1]))

    def distance(self, before: Floats, now: Floats) -> float:
        """Of the class that moved most: which others moved with it, nobody knows."""
        return float(np.abs(now - before).max())


def each_p(before: NDArray[np.bool_], now: NDArray[np.bool_]) -> Floats:
    """(C,) of each class, that answers (M, C) before and (N, C) now name it as often (Fisher)."""
    from scipy.stats import fisher_exact

    tables = [
        [[int(one[:, place].sum()), int((~one[:, place]).sum())] for one in (before, now)]
        for place in range(before.shape[1])
    ]
    return np.array([float(fisher_exact(table).pvalue) for table in tables])


def class_weights(reference: Reference, probabilities: Floats) -> Floats:
    """How many times as often each class (C,) comes in a window as in the reference (BBSE, Lipton et al. 2018).

    From the mean probabilities of the window (N, C) and those of the reference's classes, held towards 1 where few
    images tell (as in RLLS, Azizzadenesheli et al. 2019). One class for each image.
    """
    from scipy.optimize import nnls

    known = probabilities.shape[1]
    inside = reference.labels < known
    labels, before = reference.labels[inside], reference.probabilities[inside].astype(np.float64)
    truth = np.eye(known)[labels]
    joint = before.T @ truth / len(labels)
    now = probabilities.mean(axis=0, dtype=np.float64)
    held = HELD * (1 / np.sqrt(len(labels)) + 1 / np.sqrt(len(probabilities)))
    system = np.concatenate([joint, held / np.sqrt(known) * np.eye(known) * truth.mean(axis=0) * known])
    wanted = np.concatenate([now, held / np.sqrt(known) * truth.mean(axis=0) * known])
    weights, _ = nnls(system, wanted)
    shares = truth.mean(axis=0)
    return np.asarray(weights / max(float(weights @ shares), 1e-9))


OF_TASK: dict[bool, Prevalence] = {True: OneEach(), False: Sets()}
"""Whether each image shows exactly one class → how often classes come."""
