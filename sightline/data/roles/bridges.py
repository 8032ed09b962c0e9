"""Images that would join two sides of a split: found by building the sets that belong together one image at a time."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.data.manifest import LEFT_OUT, OK

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

Marks = Mapping[str, str | None]

RANK = {"test": 0, "val": 1, "calib": 1, "train": 2}
"""Which side keeps an image that two of them show: the lower one."""
NOWHERE = 3
"""Rank of an image that has no side yet."""
SIDES = {"test": "test", "val": "validation", "calib": "calibration", "train": "training"}
"""Role or split → its name in a sentence."""

GROUP = "of the group of"


class Bridge(Enum):
    """Why an image would join two sides."""

    LESSER = "it has a side, and shows what a side shows that comes before"
    NEW = "it has none yet, and would join two"


class Links(NamedTuple):
    """What makes rows belong together."""

    groups: NDArray[np.intp]
    """(N,) number of each row's given group."""
    digests: NDArray[np.intp]
    """(N,) number of each row's bytes."""
    near: NDArray[np.int64]
    """(M, 2) rows whose pictures are near copies, whichever of the files with the same bytes they are."""


class Sets:
    """Disjoint sets of nodes (union-find); each set carries marks, such as `role` → the roles of its members."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}
        self._marks: dict[Hashable, dict[str, set[str]]] = {}

    def __contains__(self, node: Hashable) -> bool:
        return node in self._parent

    def join(self, nodes: Iterable[Hashable], marks: Marks, *, always: bool) -> bool:
        """Make one set of all that holds any of `nodes`, and say whether that was done.

        It is not where a mark would then have two values, unless `always`.
        """
        roots = list(dict.fromkeys(self._root(node) for node in nodes))
        merged: dict[str, set[str]] = {name: {value} if value else set() for name, value in marks.items()}
        for root in roots:
            for name, values in self._marks.get(root, {}).items():
                merged[name] |= values
        if not always and any(len(values) > 1 for values in merged.values()):
            return False
        for root in roots:
            self._parent[root] = roots[0]
        self._marks[roots[0]] = merged
        return True

    def _root(self, node: Hashable) -> Hashable:
        while (above := self._parent.get(node, node)) != node:
            self._parent[node] = self._parent.get(above, above)
            node = above
        return node


def find(
    rows: pd.DataFrame, sets: NDArray[np.int64], links: Links, settled: NDArray[np.bool_]
) -> dict[int, tuple[Bridge, str]]:
    """Positions of the rows that join what must stay apart, with the reason in words.

    `sets` (N,) are the sets of connected rows; `settled` are those whose role is known from before.
    """
    usable = rows[rows["status"] == OK]
    sides = usable.groupby(sets[usable.index])[["role", "split"]].nunique().max(axis=1)
    torn = usable.loc[np.isin(sets[usable.index], sides.index[sides > 1]), ["path", "sha256", "group", "role", "split"]]
    torn = torn.astype(object).where(torn.notna(), None)
    near = _neighbours(links, torn.index.to_numpy())
    # A new file with bytes that are known has their role, and is as new as any other all the same.
    rank = {
        row: RANK.get(role or split, NOWHERE) if settled[row] or split else NOWHERE
        for row, role, split in torn[["role", "split"]].itertuples()
    }
    tree, found = Sets(), dict[int, tuple[Bridge, str]]()
    # What is kept for the test comes first, and of one side what has it already: what tears them apart is what is new.
    for row in sorted(rank, key=lambda row: (rank[row], not settled[row], row)):
        mine = torn.loc[row]
        alike = [("digest", other) for other in near.get(links.digests[row], ()) if ("digest", other) in tree]
        nodes = [("row", row), ("group", links.groups[row]), ("digest", links.digests[row]), *alike]
        if tree.join(nodes, {"role": mine["role"], "split": mine["split"]}, always=False):
            continue
        # In equal words whether the sides are given splits or, in the next run, roles: equal data, equal bytes.
        if not settled[row] and not mine["split"]:
            name = mine["group"] or f"sha256:{mine['sha256']}"
            found[row] = Bridge.NEW, f"bridge: it would join images of two sides of a split (its group: {name})"
            continue
        stays = [other for other in rank if other not in found and ("row", other) in tree]
        how, other = _kept_apart(links, row, sorted(stays, key=partial(_order, torn)), near)
        if how == GROUP and not mine["split"]:
            # Two drawn sides that turn out to be one group keep what they have.
            tree.join(nodes, {"role": mine["role"], "split": mine["split"]}, always=True)
            continue
        here, there = (SIDES[torn["split"][one] or torn["role"][one]] for one in (row, other))
        found[row] = Bridge.LESSER, f"{LEFT_OUT} {here}: {how} {torn['path'][other]} ({there})"
    return found


def _order(torn: pd.DataFrame, row: int) -> tuple[bool, int, str]:
    """What is named first: a given split before a role, which the first look does not know yet."""
    side = torn["split"][row] or torn["role"][row]
    return not torn["split"][row], RANK.get(side, NOWHERE), str(torn["path"][row])


def _kept_apart(links: Links, row: int, stays: list[int], near: Mapping[int, set[int]]) -> tuple[str, int]:
    """How `row` resembles one of the rows `stays`, and which that is: the first copy, else the first of its group."""
    mine = links.digests[row]
    for how, is_so in (
        ("a copy of", lambda other: links.digests[other] == mine),
        ("a near copy of", lambda other: links.digests[other] in near.get(mine, ())),
        (GROUP, lambda other: links.groups[other] == links.groups[row]),
    ):
        for other in filter(is_so, stays):
            return how, other
    raise AssertionError(row)


def _neighbours(links: Links, torn: NDArray[np.intp]) -> dict[int, set[int]]:
    """Numbers of the bytes that are near copies of those of the rows `torn`."""
    ends = links.digests[links.near]
    found: dict[int, set[int]] = {}
    for one, other in ends[np.isin(ends[:, 0], links.digests[torn])].tolist():
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return found
