"""Which images are near duplicates of one another: found once, remembered, and told in the column `alike`."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline import stored
from sightline.data.duplicates import crowds, search
from sightline.data.files import thumbnails
from sightline.data.files.facts import SIDE as DECODED
from sightline.data.files.facts import read_bytes
from sightline.data.files.statistics import THUMBNAIL, reduced
from sightline.data.manifest import CROWD, OK
from sightline.digests import code_digest
from sightline.files import replacing
from sightline.images.reading import inspect, open_image, to_rgb

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.crowds import Near
    from sightline.data.duplicates.turns import Ints
    from sightline.params import Ingest

SEEN = "seen"
"""What a row of the cache says of a digest beside itself; of two, it says as which of the `Found` they were found."""


def find(rows: pd.DataFrame, folder: Path, limits: Ingest, cache: Path, shelf: Path) -> Near:
    """Pairs of near duplicates, and of siblings, among the usable rows.

    Pairs that `cache` knows are not looked for again. `shelf` holds the thumbnails, by the number in each row; `folder`
    the images, of which only candidates and what is like them are read.
    """
    usable = rows[rows["status"] == OK].drop_duplicates("sha256").sort_values("sha256")
    digests, paths = usable["sha256"].to_numpy(dtype=object), usable["path"].to_numpy(dtype=object)
    found, seen = _known(cache, digests)

    def load(index: int) -> Image.Image:
        return reduced(inspect(read_bytes(folder, paths[index]), DECODED, limits.max_megapixels * 1e6, grey=True)[1])

    if not seen.all():
        held, numbers = thumbnails.mapped(shelf), usable[THUMBNAIL].to_numpy(dtype=np.int64)
        fresh = search.find(lambda indices: held[numbers[indices]], ~seen, load)
        found = search.Found(*(np.concatenate(both) for both in zip(found, fresh, strict=True)))
        _remember(cache, digests, found)
    copies, turned, siblings = (
        pd.DataFrame({"first": digests[ends[:, 0]], "second": digests[ends[:, 1]]}, dtype="string") for ends in found
    )
    return crowds.Near(copies, turned, siblings, _equal(usable, folder, limits))


def _equal(usable: pd.DataFrame, folder: Path, limits: Ingest) -> pd.DataFrame:
    """Pairs of the same pixels under other bytes: each with the first of them."""
    # Classes may differ in colour alone: grey tells which to look at.
    alike = usable[usable["grey"].notna() & usable["grey"].duplicated(keep=False)]

    def pixels(path: str) -> str:
        image = to_rgb(open_image(read_bytes(folder, path), limits.max_megapixels * 1e6))
        return hashlib.sha256(image.tobytes()).hexdigest()

    shown = alike["grey"] + alike["path"].map(pixels)
    named = pd.DataFrame({"first": alike["sha256"].groupby(shown).transform("first"), "second": alike["sha256"]})
    return named[named["first"] != named["second"]].reset_index(drop=True).astype("string")


def positions(rows: pd.DataFrame, near: pd.DataFrame) -> Ints:
    """Positions (M, 2) in `rows` of the pairs `near` whose images are there; of copies the first usable one."""
    if near.empty:
        return np.zeros((0, 2), dtype=np.int64)
    place = pd.Series(np.arange(len(rows)), index=rows["sha256"].to_numpy(dtype=object))
    place = place.iloc[np.argsort((rows["status"] != OK).to_numpy(), kind="stable")]
    place = place[~place.index.duplicated()]
    found = near.apply(lambda column: column.map(place)).dropna().sort_values(["first", "second"])
    return np.asarray(found, dtype=np.int64)


def names(rows: pd.DataFrame, near: Near) -> pd.Series:
    """The column `alike`: of images that copies link, the smallest digest; of a crowd, CROWD before it; else null.

    An image that is not in use links no others; it has the smallest name of those that it resembles, of another side
    first.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = positions(rows, near.copies)
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
    siblings = (CROWD + crowds.crowds(near)).to_dict()
    known = {**siblings, **dict(zip(digests[other], name[other], strict=True)), **guests}
    return rows["sha256"].map(known).astype("string")


def _known(cache: Path, digests: NDArray[np.object_]) -> tuple[search.Found, NDArray[np.bool_]]:
    """Read the pairs among `digests` that were found before, and which of these were there then."""
    none = np.zeros((0, 2), dtype=np.int64)
    unknown = search.Found(none, none, none), np.zeros(len(digests), dtype=bool)
    if not stored.is_whole(cache):
        return unknown
    kept = pd.read_parquet(cache)
    if kept["first"].iloc[0] != code_digest(search.__name__):
        return unknown
    place = pd.Series(np.arange(len(digests)), index=digests)
    ends = kept.iloc[1:].assign(first=kept["first"].map(place), second=kept["second"].map(place)).dropna()
    pairs, kind = ends[["first", "second"]].astype(np.int64).to_numpy(), ends["kind"].to_numpy()
    seen = np.zeros(len(digests), dtype=bool)
    seen[pairs[kind == SEEN, 0]] = True
    return search.Found(*(pairs[kind == name] for name in search.Found._fields)), seen


def _remember(cache: Path, digests: NDArray[np.object_], found: search.Found) -> None:
    """Keep the pairs, and each digest paired with itself; the first row is the code that judged."""
    code = code_digest(search.__name__)
    everyone = np.arange(len(digests)).repeat(2).reshape(-1, 2)
    parts = {SEEN: everyone, **found._asdict()}
    first, second = (
        np.concatenate([[code], *(digests[pairs[:, side]] for pairs in parts.values())]) for side in (0, 1)
    )
    kind = np.concatenate([[SEEN], *(np.full(len(pairs), kind) for kind, pairs in parts.items())])
    with replacing(cache) as scratch:
        pd.DataFrame({"first": first, "second": second, "kind": kind}).to_parquet(scratch, index=False)
    stored.sign(cache)
