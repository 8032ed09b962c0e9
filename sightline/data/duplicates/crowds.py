"""Groups that are too large, or of too many labels, to be copies of one picture: there the search is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from sightline.data.duplicates.around import DOZENS, components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.data.duplicates.turns import Ints

IN_NUMBER = 3
"""Pictures of each of two labels: with fewer, a label may be wrong."""
FEWEST = 2 * IN_NUMBER
"""Fewer pictures than this that are alike and no copies are not told."""
NONE = pd.DataFrame({"first": [], "second": []}, dtype="string")
"""No pairs of images."""


class Near(NamedTuple):
    """Pairs of pictures, by their digests `first` and `second`."""

    copies: pd.DataFrame = NONE
    """Copies of one another."""
    turned: pd.DataFrame = NONE
    """Copies if one of them is turned."""
    siblings: pd.DataFrame = NONE
    """Alike in what they share with others, and no copies."""
    equal: pd.DataFrame = NONE
    """Of the same pixels under other bytes, each with the first that has them."""


def doubted(near: Near, rows: pd.DataFrame) -> Near:
    """Take for copies what can be copies of one picture, in whatever turn; `rows` have digest and label.

    Of two labels turned ones are none: a turn makes a 9 of a 6, and left of right. Groups that are too large for
    copies, or of too many labels, are siblings. What has the same pixels is one picture, however often it is there.
    """
    label = rows.drop_duplicates("sha256").set_index("sha256")["label"]
    one, other = (near.turned[end].map(label) for end in ("first", "second"))
    apart = one.ne(other).fillna(value=False).astype(bool)
    copies = pd.concat([near.equal, near.copies, near.turned[~apart]], ignore_index=True).astype("string")
    if copies.empty:
        return Near(siblings=near.siblings)
    places, digests = _places(copies)
    group = components(len(digests), places)
    shown = pd.Series(digests, digests)
    shown[near.equal["second"].to_numpy(dtype=object)] = near.equal["first"].to_numpy(dtype=object)
    pictures = pd.DataFrame({"group": group, "label": label.reindex(digests).array, "shown": shown.array})
    number = pictures.drop_duplicates().value_counts(["group", "label"])
    many = pictures.groupby("group")["shown"].nunique() > DOZENS
    torn = (number >= IN_NUMBER).groupby("group").sum().reindex(many.index, fill_value=0) > 1
    out = (many | torn).to_numpy()[group[places[:, 0]]] & (np.arange(len(copies)) >= len(near.equal))
    siblings = pd.concat([near.siblings, copies[out]], ignore_index=True).astype("string")
    return Near(copies[~out].reset_index(drop=True), siblings=siblings)


def crowds(near: Near) -> pd.Series:
    """Digest → the smallest one of its crowd, for pictures among at least FEWEST siblings."""
    if near.siblings.empty:
        return pd.Series(dtype="string")
    places, digests = _places(near.siblings)
    named = pd.DataFrame({"digest": digests, "crowd": components(len(digests), places)})
    named = named[named.groupby("crowd")["digest"].transform("size") >= FEWEST]
    return pd.Series(named.groupby("crowd")["digest"].transform("min").to_numpy(), index=named["digest"].to_numpy())


def _places(pairs: pd.DataFrame) -> tuple[Ints, NDArray[np.object_]]:
    """The pairs (M, 2) as places among the pictures that they name, and these."""
    numbers, names = pd.factorize(pairs.to_numpy(dtype=object).ravel())
    return numbers.reshape(-1, 2).astype(np.int64), np.asarray(names, dtype=object)
