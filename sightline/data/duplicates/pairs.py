"""Which images are near duplicates of one another: found once, remembered, and told in the column `alike`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline import stored
from sightline.data.duplicates import search
from sightline.data.files import thumbnails
from sightline.data.files.facts import SIDE as DECODED
from sightline.data.files.facts import read_bytes
from sightline.data.files.statistics import THUMBNAIL, reduced
from sightline.data.manifest import OK
from sightline.digests import code_digest
from sightline.files import replacing
from sightline.images.reading import inspect

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.search import Ints
    from sightline.params import Ingest


NONE = pd.DataFrame({"first": [], "second": []}, dtype="string")
"""No pairs of near duplicates."""


def find(rows: pd.DataFrame, folder: Path, limits: Ingest, cache: Path, shelf: Path) -> pd.DataFrame:
    """Digests `first` and `second` of each pair of near duplicates among the usable rows.

    Pairs that `cache` knows are not looked for again. `shelf` holds the thumbnails, by the number in each row; `folder`
    the images, of which only candidates are read.
    """
    usable = rows[rows["status"] == OK].drop_duplicates("sha256").sort_values("sha256")
    digests, paths = usable["sha256"].to_numpy(dtype=object), usable["path"].to_numpy(dtype=object)
    pairs, seen = _known(cache, digests)

    def load(index: int) -> Image.Image:
        return reduced(inspect(read_bytes(folder, paths[index]), DECODED, limits.max_megapixels * 1e6, grey=True)[1])

    if not seen.all():
        held, numbers = thumbnails.mapped(shelf), usable[THUMBNAIL].to_numpy(dtype=np.int64)
        fresh = search.find(lambda indices: held[numbers[indices]], ~seen, load)
        pairs = np.concatenate([pairs, fresh])
        _remember(cache, digests, pairs)
    return pd.DataFrame({"first": digests[pairs[:, 0]], "second": digests[pairs[:, 1]]}, dtype="string")


def positions(rows: pd.DataFrame, near: pd.DataFrame) -> Ints:
    """Positions (M, 2) in `rows` of the pairs `near` whose images are there; of copies the first usable one."""
    if near.empty:
        return np.zeros((0, 2), dtype=np.int64)
    place = pd.Series(np.arange(len(rows)), index=rows["sha256"].to_numpy(dtype=object))
    place = place.iloc[np.argsort((rows["status"] != OK).to_numpy(), kind="stable")]
    place = place[~place.index.duplicated()]
    found = near.apply(lambda column: column.map(place)).dropna().sort_values(["first", "second"])
    return np.asarray(found, dtype=np.int64)


def names(rows: pd.DataFrame, pairs: Ints) -> pd.Series:
    """The column `alike`: of images that `pairs` (positions in `rows`) link, the smallest digest; else null.

    An image that is not in use links no others; it has the smallest name of those that it resembles, of another side
    first.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    numbers, digests = pd.factorize(rows["sha256"].to_numpy(dtype=object), sort=True)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    linking = (rows["status"] == OK).to_numpy()[both]
    one, other = numbers[both[linking[:, 1]]].T
    free = linking[linking[:, 1], 0]
    links = coo_array((np.ones(free.sum(), dtype=np.int8), (one[free], other[free])), shape=(len(digests),) * 2)
    _, component = connected_components(links, directed=False)
    # Digests are sorted, so the first of a component is the smallest.
    name = digests[np.unique(component, return_index=True)[1][component]]
    sides = rows["role"].fillna(rows["split"]).fillna("").to_numpy(dtype=object)[both[linking[:, 1]]]
    hosts = pd.DataFrame({"guest": digests[one], "same": sides[:, 0] == sides[:, 1], "name": name[other]})[~free]
    guests = hosts.sort_values(["guest", "same", "name"]).drop_duplicates("guest").set_index("guest")["name"]
    known = {**dict(zip(digests[other], name[other], strict=True)), **guests}
    return rows["sha256"].map(known).astype("string")


def _known(cache: Path, digests: NDArray[np.object_]) -> tuple[Ints, NDArray[np.bool_]]:
    """Read the pairs among `digests` that were found before, and which of these were there then."""
    if not stored.is_whole(cache):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(len(digests), dtype=bool)
    kept = pd.read_parquet(cache)
    if kept["first"].iloc[0] != code_digest(search.__name__):
        return np.zeros((0, 2), dtype=np.int64), np.zeros(len(digests), dtype=bool)
    place = pd.Series(np.arange(len(digests)), index=digests)
    ends = kept.iloc[1:].apply(lambda column: column.map(place)).dropna().astype(np.int64).to_numpy()
    itself = ends[:, 0] == ends[:, 1]
    seen = np.zeros(len(digests), dtype=bool)
    seen[ends[itself, 0]] = True
    return ends[~itself], seen


def _remember(cache: Path, digests: NDArray[np.object_], pairs: Ints) -> None:
    """Keep the pairs, and each digest paired with itself; the first row is the code that judged."""
    code = code_digest(search.__name__)
    first, second = (np.concatenate([[code], digests, digests[pairs[:, side]]]) for side in (0, 1))
    with replacing(cache) as scratch:
        pd.DataFrame({"first": first, "second": second}).to_parquet(scratch, index=False)
    stored.sign(cache)
