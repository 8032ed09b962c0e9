"""Which images are like others without being copies: parts in one jig, frames of one scene."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.data.duplicates.crops import blurred, slopes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.data.duplicates.hashing import Candidates
    from sightline.data.duplicates.turns import Ints

SAMPLE = 512
"""Images, drawn from all, that each candidate is compared with: what is common to many of a set is seen in them."""
LIKE = 0.6
"""Least correlation of the slopes of two small thumbnails that show the same kind of thing."""
FEWEST, MOST = 4, 20
"""Others that it takes to tell what is common, and that are looked at."""
DOZENS = 24
"""More images than this are no copies of one picture."""
CHUNK = 1024
"""Images compared with the sample at once."""


class Around:
    """The images around those that may be copies."""

    def __init__(self, thumbnails: NDArray[np.uint8], found: Candidates) -> None:
        """`thumbnails` (N, S, S) are the halved ones of all images, `found` the pairs that may be copies."""
        self._thumbnails = thumbnails
        self.crowd = components(len(thumbnails), np.stack([found.first, found.second], axis=1)[found.turn == 0])
        """(N,) number of the set of images that each is linked with, as it lies."""
        self.size = np.bincount(self.crowd, minlength=1)[self.crowd]
        """(N,) how many images that set has."""
        self._sample = np.sort(np.random.default_rng(0).permutation(len(thumbnails))[:SAMPLE])
        asked = np.unique(np.concatenate([found.first, found.second]))
        starts = range(0, len(asked), CHUNK)
        self._others = {image: others for at in starts for image, others in self._of(asked[at : at + CHUNK])}

    def others(self, first: int, second: int) -> list[int]:
        """Images that are like `first`, most like it first; none where all that is like it may be its copy."""
        found = [other for other in self._others[first] if other != second][:MOST]
        return found if len(found) >= FEWEST else []

    def _of(self, asked: Ints) -> list[tuple[int, list[int]]]:
        mine, sampled = self._slopes(asked), self._slopes(self._sample)
        likeness = mine @ sampled.T
        found = []
        for row, image in enumerate(asked.tolist()):
            if self.size[image] > DOZENS or self.size[image] * 2 > len(self._thumbnails):
                # So many are no copies of one picture.
                members = np.flatnonzero(self.crowd == self.crowd[image])
                members = members[:: -(-len(members) // SAMPLE)]
                members = members[members != image]
                like = self._slopes(members) @ mine[row]
            else:
                outside = self.crowd[self._sample] != self.crowd[image]
                members, like = self._sample[outside], likeness[row, outside]
            order = np.argsort(-like, kind="stable")[: MOST + 1]
            found.append((image, members[order[like[order] >= LIKE]].tolist()))
        return found

    def _slopes(self, images: Ints) -> NDArray[np.float32]:
        """Slopes of the thumbnails of M images, of length 1."""
        seen = slopes(blurred(self._thumbnails[images].astype(np.float32), 1.0))
        seen -= seen.mean(1, keepdims=True)
        result: NDArray[np.float32] = seen / np.maximum(np.linalg.norm(seen, axis=1, keepdims=True), 1e-6)
        return result


def components(count: int, links: Ints) -> Ints:
    """(N,) number of the set of linked ones that each of `count` belongs to; `links` (M, 2) are pairs."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
