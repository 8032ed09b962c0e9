"""What a test release can show of a better candidate, and how many images would show more."""

from __future__ import annotations

from sightline.evaluate import compare

GAINS = (0.01, 0.02, 0.03, 0.05)
"""Gains of accuracy that people ask about."""
TYPICAL = 0.06
"""Share of images on which exactly one of two successive models is right, where none is known yet."""


def chances(images: int, disagreement: float, level: float) -> dict[float, float]:
    """Gain → share of truly so much better candidates that so many independent images show at p ≤ `level`."""
    return {gain: compare.power(images, disagreement, level, gain) for gain in GAINS}


def sentence(images: int, disagreement: float, level: float) -> str:
    """The chances in words, and the images that would show a gain of two points in half of cases."""
    found = chances(images, disagreement, level)
    gains = ", ".join(f"{100 * gain:g}" for gain in found)
    shares = ", ".join(f"{share:.0%}" for share in found.values())
    needed = compare.images_needed(disagreement, level, gain=GAINS[1])
    more = f"; {needed:,} would show 2 points in half of cases" if needed > images else ""
    return f"{images:,} test images show a gain of {gains} points in {shares} of cases{more}"
