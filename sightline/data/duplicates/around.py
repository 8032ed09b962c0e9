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
MEMBER = 0.75
"""The same between an image and what a crowd shows, from which on the image belongs to it."""
FEWEST, MOST = 4, 20
"""Others that it takes to tell what is common, and that are looked at."""
DOZENS = 24
"""More images than this are no copies of one picture."""
CROWD = 10
"""As many as this are not either, where they are most of the set."""
CHUNK = 1024
"""Images compared with the sample at once."""


class Around:
    """The images around those that may be copies."""

    def __init__(self, thumbnails: NDArray[np.uint8], found: Candidates) -> None:
        """`thumbnails` (N, S, S) are the halved ones of all images, `found` the pairs that may be copies."""
        self._thumbnails = thumbnails
        self._linked = components(len(thumbnails), found.ends[found.turn == 0])
        self._sample = np.sort(np.random.default_rng(0).permutation(len(thumbnails))[:SAMPLE])
        self._sampled = self._slopes(self._sample)
        self.crowds = self._grown({one: np.flatnonzero(self._linked == one) for one in self._large()})
        """The members of each crowd, sorted: those that are linked with it, and those that look like it."""
        self._seen = {one: self._of_crowd(members) for one, members in self.crowds.items()}
        self._others: dict[int, list[int]] = {}

    def others(self, first: int, second: int) -> list[int]:
        """Images that are like `first`, most like it first; none where all that is like it may be its copy."""
        if first not in self._others:
            self._others[first] = self._like(first)
        found = [other for other in self._others[first] if other != second][:MOST]
        return found if len(found) >= FEWEST else []

    def _large(self) -> list[int]:
        """Numbers of the sets of linked images that are too many to be copies of one picture."""
        sizes = np.bincount(self._linked, minlength=1)
        large = (sizes > DOZENS) | ((sizes >= CROWD) & (sizes * 2 > len(self._linked)))
        return [int(one) for one in np.flatnonzero(large)]

    def _grown(self, crowds: dict[int, Ints]) -> dict[int, Ints]:
        """The crowds, with the images that look like one of them and that nothing links."""
        if not crowds:
            return {}
        numbers = np.array(list(crowds))
        templates = np.stack([np.median(self._of_crowd(members)[1], axis=0) for members in crowds.values()])
        templates /= np.maximum(np.linalg.norm(templates, axis=1, keepdims=True), 1e-6)
        belongs = np.where(np.isin(self._linked, numbers), self._linked, -1)
        free = np.flatnonzero(belongs < 0)
        for at in range(0, len(free), CHUNK):
            images = free[at : at + CHUNK]
            like = self._slopes(images) @ templates.T
            belongs[images] = np.where(like.max(1) >= MEMBER, numbers[like.argmax(1)], -1)
        self._linked = np.where(belongs >= 0, belongs, self._linked)
        return {int(one): np.flatnonzero(belongs == one) for one in numbers}

    def _of_crowd(self, members: Ints) -> tuple[Ints, NDArray[np.float32]]:
        """Some of the members, and their slopes."""
        some = members[:: -(-len(members) // SAMPLE)]
        return some, self._slopes(some)

    def _like(self, image: int) -> list[int]:
        """Of a crowd its members, of another image those of the sample that nothing links with it: the most alike."""
        mine, crowd = self._slopes(np.array([image]))[0], int(self._linked[image])
        members, seen = self._seen.get(crowd, (self._sample, self._sampled))
        apart = members != image if crowd in self._seen else self._linked[members] != crowd
        like = seen[apart] @ mine
        order = np.argsort(-like, kind="stable")[: MOST + 1]
        found: list[int] = members[apart][order[like[order] >= LIKE]].tolist()
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
