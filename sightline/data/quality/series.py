"""Finding: images taken in series (a track, a burst, a strip) that no group holds together.

In a series, neighbours by name resemble each other. Where the order of names says nothing, an image is as often more
like its neighbour as like any other image of its class: in half of the cases. No threshold of likeness is needed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sightline.data.quality.finding import LOOK, Finding, enough, usable
from sightline.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.params import Validate

LEAST = 30
"""Fewer pairs of neighbours than this tell nothing."""
SURE = 4.0
"""Standard errors by which the share of like neighbours must exceed one half."""
SEEN = ["brightness", "contrast", "entropy", "sharpness"]
"""What neighbours are compared by, beside the perceptual hash."""
NUMBER = re.compile(r"(\d+)")


def ungrouped(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images without a group of their own origin whose neighbours by name are alike."""
    images = usable(rows)
    images = images[images["group"].str.startswith("sha256:") & images["label"].notna() & images["phash"].notna()]
    images = enough(images)
    share, pairs = max((_neighbours(images, key) for key in (_by_name, _by_last_number)), key=lambda found: found[0])
    if len(pairs) < LEAST or share < max(limits.ungrouped, 0.5 + SURE * 0.5 / np.sqrt(len(pairs))):
        return None
    roles = images["role"].fillna("").to_numpy()[pairs]
    apart = int((roles[:, 0] != roles[:, 1]).sum())
    sentence = (
        f"{share:.0%} of the images resemble the next file of their class more than another one of it (50% by chance): "
        "they look taken in series, such as frames of a track or shots of one object, but have no group. "
        f"Such neighbours lie in different roles, which makes scores too good: {counted(apart, 'pair')}. "
        "Name the group of each image in labels.csv, so that a series stays in one role."
    )
    shown = images["path"].to_numpy()[pairs[:: -(-len(pairs) // LOOK)]]
    return Finding("ungrouped", "Images that look grouped", sentence, len(pairs), tuple(map(tuple, shown.tolist())))


def _neighbours(images: pd.DataFrame, key: Any) -> tuple[float, NDArray[np.intp]]:
    """Share of the images that are more like the next of their class, by `key`, than like another; and the pairs.

    The pairs (N, 2) are positions in `images`.
    """
    names = pd.DataFrame({"label": images["label"].to_numpy(), "key": [key(path) for path in images["path"]]})
    order = names.sort_values(["label", "key"], kind="stable").index.to_numpy()
    label = pd.factorize(names["label"].to_numpy()[order])[0]
    counts = np.bincount(label)
    size: NDArray[np.intp] = counts[label]
    first = (np.cumsum(counts) - counts)[label]
    here = np.flatnonzero((label[1:] == label[:-1]) & (size[:-1] > 2))  # noqa: PLR2004 — itself, the next, another
    if not len(here):
        return 0.0, np.zeros((0, 2), dtype=np.intp)
    # Another one of the class: neither the image itself nor the next, the same on every machine.
    skip = 2 + np.random.default_rng(0).integers(0, size[here] - 2)
    other = first[here] + (here - first[here] + skip) % size[here]
    ranks = images[SEEN].astype(float).groupby(images["label"]).rank(pct=True).to_numpy()[order]
    bits = np.array([int(text, 16) for text in images["phash"]], dtype=np.uint64)[order]

    def distance(there: NDArray[np.intp]) -> NDArray[np.float64]:
        looks: NDArray[np.float64] = np.abs(ranks[here] - ranks[there]).sum(1)
        looks += 2 * np.bitwise_count(bits[here] ^ bits[there]) / 63
        return looks

    near, far = distance(here + 1), distance(other)
    share = float((near < far).mean() + (near == far).mean() / 2)
    return share, np.stack([order[here], order[here + 1]], axis=1)


def _by_name(path: str) -> str:
    """Pad the numbers of the path, so that 10 comes after 9."""
    return NUMBER.sub(lambda found: found[0].zfill(12), path)


def _by_last_number(path: str) -> str:
    """Take the last number of the file name, such as a camera's counter behind a random prefix."""
    numbers: list[str] = NUMBER.findall(path.rpartition("/")[2])
    return numbers[-1].zfill(24) if numbers else path
