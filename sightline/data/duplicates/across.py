"""Pictures of one data set that another holds too, as copies or near copies."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from sightline import stored
from sightline.data.duplicates import search
from sightline.data.files import thumbnails
from sightline.data.files.facts import SIDE as DECODED
from sightline.data.files.statistics import SIDE, THUMBNAIL, reduced, statistics
from sightline.digests import code_digest, digest_of
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.images.reading import inspect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Read = Callable[[str, str], bytes | None]


@dataclass(frozen=True)
class Album:
    """Images of a data set, by their digests and as they look."""

    digests: NDArray[np.object_]
    """(N,) SHA-256 of each."""
    paths: NDArray[np.object_]
    look: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    """Thumbnails (M, SIDE, SIDE) of M positions."""
    load: Callable[[int], Image.Image]
    """The grey image at a position."""


def album(rows: pd.DataFrame, facts: Path, read: Read) -> Album:
    """The images of `rows` (`path`, `sha256`), each once; thumbnails that the cache `facts` lacks are made.

    `read` gives the bytes of a path that has a SHA-256. Raises DataError where one is neither known nor there.
    """
    rows = rows.drop_duplicates("sha256")
    digests, paths = rows["sha256"].to_numpy(dtype=object), rows["path"].to_numpy(dtype=object)
    shelf, numbers = thumbnails.mapped(thumbnails.beside(facts)), _numbers(facts, digests)

    def load(place: int) -> Image.Image:
        data = read(paths[place], digests[place])
        if data is None:
            raise DataError(
                f"{paths[place]} is no longer there to be compared: bring it back, or its version with `dvc fetch`"
            )
        return inspect(data, DECODED, grey=True)[1]

    made = {place: statistics(load(place))[THUMBNAIL] for place in np.flatnonzero(numbers < 0).tolist()}

    def look(places: NDArray[np.int64]) -> NDArray[np.uint8]:
        known = numbers[places]
        found = shelf[np.maximum(known, 0)] if len(shelf) else np.zeros((len(places), SIDE, SIDE), dtype=np.uint8)
        for row in np.flatnonzero(known < 0).tolist():
            found[row] = np.frombuffer(made[int(places[row])], dtype=np.uint8).reshape(SIDE, SIDE)
        return found

    return Album(digests, paths, look, lambda place: reduced(load(place)))


def shared(one: Album, other: Album, kept: Path) -> list[tuple[int, int]]:
    """Positions (in `one`, in `other`) of pictures that both hold, sorted; remembered below the folder `kept`."""
    key = digest_of([code_digest(__name__), one.digests.tolist(), other.digests.tolist()])
    memory = kept / f"{key[:16]}.parquet"
    if stored.is_whole(memory):
        return [(int(first), int(second)) for first, second in pd.read_parquet(memory).to_numpy()]
    pairs = sorted({*_copies(one, other), *_near(one, other)})
    write_atomically(memory, pd.DataFrame(pairs, columns=["one", "other"], dtype="int64").to_parquet(index=False))
    stored.sign(memory)
    return pairs


def _copies(one: Album, other: Album) -> list[tuple[int, int]]:
    place = {digest: number for number, digest in enumerate(one.digests)}
    return [(place[digest], number) for number, digest in enumerate(other.digests) if digest in place]


def _near(one: Album, other: Album) -> list[tuple[int, int]]:
    border, count = len(one.digests), len(one.digests) + len(other.digests)

    def look(places: NDArray[np.int64]) -> NDArray[np.uint8]:
        first = places < border
        found = np.empty((len(places), SIDE, SIDE), dtype=np.uint8)
        found[first], found[~first] = one.look(places[first]), other.look(places[~first] - border)
        return found

    def load(place: int) -> Image.Image:
        return one.load(place) if place < border else other.load(place - border)

    found = search.find(look, np.arange(count) >= border, load)
    pairs = np.concatenate([found.copies, found.turned])
    return [(first, second - border) for first, second in pairs.tolist() if first < border <= second]


def _numbers(facts: Path, digests: NDArray[np.object_]) -> NDArray[np.int64]:
    """(N,) number of each image's thumbnail on the shelf, -1 where there is none."""
    if not stored.is_whole(facts) or not thumbnails.is_whole(thumbnails.beside(facts)):
        return np.full(len(digests), -1, dtype=np.int64)
    known = pd.read_parquet(facts, columns=["sha256", THUMBNAIL]).dropna().drop_duplicates("sha256")
    number_of = dict(zip(known["sha256"], known[THUMBNAIL].astype(int), strict=True))
    return np.array([number_of.get(digest, -1) for digest in digests], dtype=np.int64)


def picture(data: bytes, side: int) -> bytes:
    """A small PNG of an image file."""
    buffer = BytesIO()
    with Image.open(BytesIO(data)) as image:
        small = image.convert("RGB")
        small.thumbnail((side, side))
        small.save(buffer, "PNG")
    return buffer.getvalue()
