"""The rule about robustness: blocks what is shown to answer corrupted images far worse than the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.known import ONE
from sightline.registry.blessing import NO_CHAMPION, NOT_APPLICABLE, ROBUSTNESS, Blessing
from sightline.registry.rules import blessed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.evaluate.metrics import Figures, FloatArray, IntArray
    from sightline.heads.protocol import Head
    from sightline.params import Gate
    from sightline.registry.blessing import Bound

ALPHA = 0.01
"""p from which on harm beyond the margin counts as shown."""
WEAK = 0.5
"""A corruption that leaves less than this share of the right answers is a weakness to be told."""
PLAIN = {
    "gaussian_noise": "noise",
    "defocus_blur": "blur",
    "brightness": "raised brightness",
    "contrast": "lowered contrast",
    "jpeg_compression": "strong JPEG compression",
}


def check_robustness(
    candidate: Mapping[str, Figures],
    champion: Mapping[str, Figures] | None,
    clean: Figures,
    groups: IntArray,
    limits: Gate,
    bound: Bound,
    head: Head = ONE,
) -> Blessing:
    """Whether the mean accuracy over the corruptions is not shown to fall by more than `gate.robust_margin`.

    Right answers (N,) by corruption of the same images; `clean` (N,): whether the candidate is right on them as they
    are; `groups` (N,): images of one number are no independent evidence.
    """
    own = {name: float(right.mean()) for name, right in candidate.items()}
    mean, weak = float(np.mean(list(own.values()))), _weakness(own, float(clean.mean()), head)
    figures: dict[str, Any] = {"candidate": own, "clean": float(clean.mean()), "images": len(clean)}
    if champion is None:
        said = f"{NO_CHAMPION}: {head.said(mean)} under {len(own)} corruptions, {clean.mean():.1%} without"
        return blessed(ROBUSTNESS, NOT_APPLICABLE, said, figures, bound, warning=weak)
    other = {name: float(champion[name].mean()) for name in own}
    differences = np.mean([candidate[name].astype(float) - champion[name] for name in own], axis=0)
    difference, p = float(differences.mean()), harm_p(differences, groups, limits.robust_margin)
    figures |= {"champion": other, "difference": difference, "margin": limits.robust_margin, "p": p}
    shown = "shown" if p <= ALPHA else "not shown"
    said = (
        f"under {len(own)} corruptions {head.said(mean)}, {100 * difference:+.1f} points; "
        f"a loss above {100 * limits.robust_margin:g} is {shown} (p = {p:.2g})"
    )
    return blessed(ROBUSTNESS, "failed" if p <= ALPHA else "passed", said, figures, bound, warning=weak)


def harm_p(differences: FloatArray, groups: IntArray, margin: float) -> float:
    """One-sided p of "the mean of `differences` (N,) is -`margin` or more", by groups (N,): Student's t on their sums.

    Never below what as many fair coins give that all fall one way: equal differences in few groups prove little.
    """
    from scipy.stats import ttest_1samp

    sums = np.bincount(np.unique(groups, return_inverse=True)[1], weights=differences + margin)
    if (sums == sums[0]).all():
        p = 0.0 if sums[0] < 0 else 1.0
    else:
        p = float(ttest_1samp(sums, 0, alternative="less").pvalue)
    return max(p, 0.5 ** len(sums))


def _weakness(accuracies: Mapping[str, float], clean: float, head: Head) -> str:
    """The corruptions that leave few right answers, in plain words; nothing where there are none."""
    weak = [(share, PLAIN.get(name, name)) for name, share in accuracies.items() if share < WEAK * clean]
    if not weak:
        return ""
    (first, under), *others = weak
    return ", ".join(
        [f"weak: {head.said(first)} under {under}", *(f"{share:.1%} under {one}" for share, one in others)]
    )
