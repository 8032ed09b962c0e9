"""Roles by hash of the group: the same image gets the same role on every machine, and keeps it when the set grows."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.config import ROLES
from sightline.data.manifest import HELD_BACK, OK, QUARANTINED

if TYPE_CHECKING:
    from sightline.config import Fractions

SHARD_ROWS = 1024


def join_groups(rows: pd.DataFrame) -> pd.Series:
    """Group of each row: given groups, identical files and near duplicates that touch one another become one group.

    The name of a joined group is the smallest of its names, so that it does not depend on the order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    names = rows["group"].where(rows["group"].notna(), "sha256:" + rows["sha256"]).astype("string")
    group_ids, group_names = pd.factorize(names)
    digest_ids, digests = pd.factorize(rows["sha256"])
    alike_ids, alike = pd.factorize(rows["alike"].fillna(rows["sha256"]))
    size = len(group_names) + len(digests) + len(alike)
    ends = np.concatenate([len(group_names) + digest_ids, len(group_names) + len(digests) + alike_ids])
    starts = np.concatenate([group_ids, group_ids])
    links = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    return names.groupby(component[group_ids]).transform("min")


def assign_roles(rows: pd.DataFrame, fractions: Fractions, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Fill `role` of the usable rows of one data set; new images that would join two sides are quarantined.

    `previous` is the manifest before: a digest that had a role keeps it.
    """
    rows = rows.copy()
    usable = rows["status"] == OK
    known: dict[str, str] = {}
    if previous is not None:
        roles = previous.dropna(subset=["role"])
        known = dict(zip(roles["sha256"], roles["role"], strict=True))
    rows["role"] = rows["sha256"].map(known).where(usable).astype("string")
    given = set(rows.loc[usable, "split"].dropna())
    groups = rows[usable].groupby("group", sort=True).agg(
        sides=("role", "nunique"), side=("role", "first"), splits=("split", "nunique"), split=("split", "first")
    )
    fresh = usable & rows["role"].isna()
    for column, what in (("sides", "members on both sides of a split"), ("splits", "members in two given splits")):
        torn = fresh & rows["group"].isin(groups.index[groups[column] > 1])
        rows.loc[torn, "status"] = QUARANTINED
        rows.loc[torn, "reason"] = "bridge: its group " + rows.loc[torn, "group"] + f" has {what}"
        fresh &= ~torn
    new = groups[(groups["sides"] == 0) & (groups["splits"] <= 1)]
    splits = [None if pd.isna(split) else str(split) for split in new["split"]]
    drawn = [role_of(str(group), split, given, fractions) for group, split in zip(new.index, splits, strict=True)]
    side = groups["side"].astype("string")
    side.loc[new.index] = drawn
    rows.loc[fresh, "role"] = rows.loc[fresh, "group"].map(side)
    return rows


def role_of(group: str, split: str | None, given: set[str], fractions: Fractions) -> str:
    """Role of a new group: a given split is kept; roles that the origin does not give are cut from train or val."""
    weights = {role: float(getattr(fractions, role)) for role in ROLES}
    if split == "test" or (split == "val" and "test" in given and not weights["calib"]):
        return split
    if split == "val":
        weights = {role: weights[role] for role in ("val", "calib")}
    elif split == "train":
        taken = given - {"train"} | ({"calib"} if "val" in given else set())
        weights = {role: weight for role, weight in weights.items() if role not in taken}
    point = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64 * sum(weights.values())
    for role, weight in weights.items():
        point -= weight
        if point < 0:
            return role
    return next(role for role, weight in reversed(weights.items()) if weight)


def hold_back(rows: pd.DataFrame, train_per_class: int | None) -> pd.DataFrame:
    """Mark all but `train_per_class` training images of each class as held back, by rank of their digests."""
    if train_per_class is None:
        return rows
    rows = rows.copy()
    train = rows[(rows["status"] == OK) & (rows["role"] == "train")]
    rank = train.sort_values("sha256").groupby("label").cumcount()
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
