"""Roles by hash of the group: the same images get the same roles on every machine, and keep them when the set grows.

Where the hash leaves a class without images in a role, as it does with classes of a few groups, groups move there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.data.manifest import HELD_BACK, OK, QUARANTINED, places
from sightline.data.roles import bridges
from sightline.data.roles.spread import point_of, spread
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.params import ROLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.heads.labels import Labels
    from sightline.params import Fractions

SHARD_ROWS = 1024
NO_PAIRS = np.empty((0, 2), dtype=np.int64)
ONE = LABELS[CLASSIFY]


def assign_roles(
    rows: pd.DataFrame,
    fractions: Fractions,
    previous: pd.DataFrame | None,
    near: NDArray[np.int64] = NO_PAIRS,
    labels: Labels = ONE,
) -> pd.DataFrame:
    """Fill `group` and `role` of one data set, and take out the usable images that would join two sides.

    One group are: images of one given group, identical files, and the pairs `near` (positions in `rows`, shape (n, 2)).
    Where the origin gives the splits, a given test set stays whole: what shows the same on a lesser side is held back.
    A new image that would join two sides which were drawn is quarantined as a bridge.
    `previous` is the manifest before: an image that had a role keeps it, even while it is in quarantine. The name of a
    group is the smallest of its given names and digests, so that it does not depend on the order.
    """
    rows = rows.copy()
    usable = (rows["status"] == OK).to_numpy()
    rows["role"] = _known_roles(rows, previous)
    names = rows["group"].where(rows["group"].notna(), "sha256:" + rows["sha256"]).astype("string")
    codes, unique_names = pd.factorize(names, sort=True)
    links = bridges.Links(codes, pd.factorize(rows["sha256"])[0], near)
    sets = _connected(links, usable)
    settled = _settled(rows, previous)
    found = bridges.find(rows, sets, links, settled)
    if found:
        for kind, status in ((bridges.Bridge.LESSER, HELD_BACK), (bridges.Bridge.NEW, QUARANTINED)):
            out = [row for row, (bridge, _) in found.items() if bridge is kind]
            rows.loc[out, "status"] = status
            rows.loc[out, "reason"] = [found[row][1] for row in out]
        # A role that it had is kept, as in quarantine.
        rows.loc[[row for row in found if not settled[row]], "role"] = pd.NA
        usable[list(found)] = False
        sets = _connected(links, usable)
    lowest = np.full(sets.max(initial=0) + 1, len(unique_names))
    np.minimum.at(lowest, sets, codes)
    rows["group"] = pd.Series(unique_names[lowest[sets]], dtype="string")
    return _draw(rows, fractions, labels)


def _known_roles(rows: pd.DataFrame, previous: pd.DataFrame | None) -> pd.Series:
    if previous is None:
        return pd.Series(pd.NA, index=rows.index, dtype="string")
    known = previous.dropna(subset=["role"]).drop_duplicates("sha256").set_index("sha256")["role"]
    return rows["sha256"].map(known).astype("string")


def _settled(rows: pd.DataFrame, previous: pd.DataFrame | None) -> NDArray[np.bool_]:
    """Which rows stood in the previous manifest with a role: their side is fixed."""
    if previous is None:
        return np.zeros(len(rows), dtype=bool)
    place = places(rows, previous)
    return np.asarray((place >= 0) & previous["role"].notna().to_numpy()[place])


def _connected(links: bridges.Links, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number of each row's set of connected rows; a row that is not usable connects nothing and is a set of its own."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(usable)
    who = np.flatnonzero(usable)
    first_group, first_digest = count, count + links.groups.max(initial=0) + 1
    near = first_digest + links.digests[links.near]
    files = first_digest + links.digests[who]
    near = near[np.isin(near, files).all(axis=1)]
    starts = np.concatenate([who, who, near[:, 0]])
    ends = np.concatenate([first_group + links.groups[who], files, near[:, 1]])
    size = first_digest + links.digests.max(initial=0) + 1
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return np.unique(component[:count], return_inverse=True)[1].astype(np.int64)


def _draw(rows: pd.DataFrame, fractions: Fractions, labels: Labels) -> pd.DataFrame:
    """Give a role to each usable row that has none: that of its group, or a drawn one."""
    usable = rows["status"] == OK
    given = set(rows.loc[usable, "split"].dropna())
    groups = rows[usable].groupby("group", sort=True).agg(side=("role", "first"), split=("split", "first"))
    new = groups[groups["side"].isna()]
    splits = [None if pd.isna(split) else str(split) for split in new["split"]]
    drawn = [role_of(str(group), split, given, fractions) for group, split in zip(new.index, splits, strict=True)]
    side = groups["side"].astype("string")
    side.loc[new.index] = np.array(drawn, dtype=object)
    roles = {split: _open(split, given, fractions) for split in set(splits)}
    open_to = {str(group): roles[split] for group, split in zip(new.index, splits, strict=True)}
    each = labels.each(rows.loc[usable, "label"])
    images = pd.DataFrame({"label": each, "group": rows["group"].reindex(each.index)})
    for group, role in spread(images, side, open_to).items():
        side[group] = role
    fresh = usable & rows["role"].isna()
    rows.loc[fresh, "role"] = rows.loc[fresh, "group"].map(side)
    return rows


def role_of(group: str, split: str | None, given: set[str], fractions: Fractions) -> str:
    """Role of a new group: the first share that its hash falls into."""
    shares = shares_of(split, given, fractions)
    point = point_of(group) * sum(shares.values())
    for role, share in shares.items():
        point -= share
        if point < 0:
            return role
    return next(role for role, share in reversed(shares.items()) if share)


def _open(split: str | None, given: set[str], fractions: Fractions) -> frozenset[str]:
    return frozenset(role for role, share in shares_of(split, given, fractions).items() if share)


def shares_of(split: str | None, given: set[str], fractions: Fractions) -> dict[str, float]:
    """Roles that a new group may take: a given split is kept; roles that the origin does not give are cut from it."""
    shares = {role: float(getattr(fractions, role)) for role in ROLES}
    if split == "test" or (split == "val" and "test" in given and not shares["calib"]):
        return {split: 1.0}
    if split == "val":
        return {role: shares[role] for role in ("val", "calib")}
    if split == "train":
        taken = given - {"train"} | ({"calib"} if "val" in given else set())
        return {role: share for role, share in shares.items() if role not in taken}
    return shares


def hold_back(rows: pd.DataFrame, train_per_class: int | None, labels: Labels = ONE) -> pd.DataFrame:
    """Mark all but `train_per_class` training images of each class as held back, by rank of their digests."""
    if train_per_class is None:
        return rows
    rows = rows.copy()
    train = rows[(rows["status"] == OK) & (rows["role"] == "train")].sort_values("sha256")
    each = labels.each(train["label"])
    # Of several classes an image counts for each, and stays as long as one of them wants it.
    rank = each.groupby(each).cumcount().groupby(level=0).min()
    beyond = rank.index[rank >= train_per_class]
    rows.loc[beyond, "status"] = HELD_BACK
    rows.loc[beyond, "reason"] = f"beyond train_per_class = {train_per_class}"
    return rows


def assign_shards(rows: pd.DataFrame) -> pd.Series:
    """Shard number of each usable row: kept where it has one, else the end of its role's last shard, or the next."""
    shards = rows["shard"].copy()
    for _, members in rows[rows["status"] == OK].groupby("role", sort=True):
        numbered = members["shard"].dropna()
        last = int(numbered.max()) if len(numbered) else 0
        used = int((numbered == last).sum())
        fresh = members.index[members["shard"].isna()]
        shards.loc[fresh] = last + (np.arange(len(fresh)) + used) // SHARD_ROWS
    return shards
