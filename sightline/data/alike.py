"""The manifest's column `alike`: which images are near duplicates of one another, found once and remembered."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.data import neardup, statistics
from sightline.data.manifest import OK
from sightline.data.reading import inspect
from sightline.data.statistics import SIDE, THUMBNAIL

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from sightline.config import Ingest
    from sightline.data.neardup import Ints


def mark(rows: pd.DataFrame, folder: Path, limits: Ingest, cache: Path) -> pd.DataFrame:
    """Fill `alike` of the usable rows and take all thumbnails away; pairs that `cache` knows are not looked for again.

    `folder` holds the images, which only candidates are read from again.
    """
    thumbnails = rows[THUMBNAIL]
    rows = rows.drop(columns=THUMBNAIL)
    usable = rows[rows["status"] == OK].drop_duplicates("sha256").sort_values("sha256")
    digests, paths = usable["sha256"].to_numpy(), usable["path"].to_numpy()
    known, seen = _known(cache, digests)

    def load(index: int) -> Image.Image:
        data = (folder / paths[index]).read_bytes()
        return inspect(data, limits.max_megapixels * 1e6)[1].convert("L")

    if not seen.all():
        raw = b"".join(thumbnails[usable.index])
        pairs = neardup.find(np.frombuffer(raw, dtype=np.uint8).reshape(-1, SIDE, SIDE), ~seen, load)
        known = np.concatenate([known, pairs])
        _remember(cache, digests, known)
    rows["alike"] = rows["sha256"].map(_smallest(digests, known)).where(rows["status"] == OK).astype("string")
    return rows


def _smallest(digests: NDArray[np.object_], pairs: Ints) -> dict[str, str]:
    """Find the smallest digest of the images that each near duplicate is linked with; `digests` are sorted."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=np.int8)
    links = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(len(digests), len(digests)))
    _, component = connected_components(links, directed=False)
    _, first = np.unique(component, return_index=True)
    return {digests[member]: digests[first[component[member]]] for member in np.unique(pairs)}


def _known(cache: Path, digests: NDArray[np.object_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Read the pairs among `digests` that were found before, and which of these were there then."""
    if not cache.is_file():
        return np.zeros((0, 2), dtype=np.int64), np.zeros(len(digests), dtype=bool)
    kept = pd.read_parquet(cache)
    if kept["first"].iloc[0] != _code():
        return np.zeros((0, 2), dtype=np.int64), np.zeros(len(digests), dtype=bool)
    place = pd.Series(np.arange(len(digests)), index=digests)
    ends = kept.iloc[1:].apply(lambda column: column.map(place)).dropna().astype(np.int64).to_numpy()
    itself = ends[:, 0] == ends[:, 1]
    seen = np.zeros(len(digests), dtype=bool)
    seen[ends[itself, 0]] = True
    return ends[~itself], seen


def _remember(cache: Path, digests: NDArray[np.object_], pairs: Ints) -> None:
    """Keep the pairs, and each digest paired with itself; the first row is the code that judged."""
    first, second = (np.concatenate([[_code()], digests, digests[pairs[:, side]]]) for side in (0, 1))
    cache.parent.mkdir(parents=True, exist_ok=True)
    scratch = cache.with_suffix(".tmp")
    pd.DataFrame({"first": first, "second": second}).to_parquet(scratch, index=False)
    scratch.replace(cache)


def _code() -> str:
    sources = (neardup.__file__, statistics.__file__)
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()
