"""Classes of few groups, which a hash may leave without images in a role: some of their groups move there."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from sightline.params import ROLES, Validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

FEWEST = Validate.min_images_per_class
"""Images of each class in each role, below which nothing is trained unless the user asks for less."""


def point_of(group: str) -> float:
    """A number from 0 to 1 that looks random and is always the same for a group."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8]) / 2**64


def spread(images: pd.DataFrame, side: pd.Series, open_to: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The groups that move and the roles that they move to, so that each class has FEWEST images in each role.

    A class of fewer has an equal part of its images there, rounded down; one with fewer images than there are roles
    stays as it was drawn.

    `images` are the usable ones, a row for each `label` of one with its `group`, `side` the role of each group, and
    `open_to` the groups that may move with the roles that they may take. A group leaves a role only if each of its
    classes keeps as many images there. The role that has the most images of a class gives first, and of its groups the
    one with the lowest hash.
    """
    if not open_to:
        return {}
    roles = images["group"].map(side)
    counts = Counter(dict(images.groupby([images["label"], roles]).size().items()))
    wanted = [role for role in ROLES if any(role in roles for roles in set(open_to.values()))]
    totals = images["label"].value_counts()
    needed = {str(label): min(FEWEST, int(count) // len(wanted)) for label, count in totals.items()}
    short = [label for label in sorted(needed) if any(counts[label, role] < needed[label] for role in wanted)]
    concerned = images[images["group"].isin(images.loc[images["label"].isin(short), "group"])]
    held: dict[str, Counter[str]] = {}
    for label, group in zip(concerned["label"].tolist(), concerned["group"].tolist(), strict=True):
        if group in open_to:
            held.setdefault(group, Counter())[label] += 1
    moved = {group: str(side[group]) for group in sorted(held, key=point_of)}
    drawn = dict(moved)
    for label, role in ((label, role) for label in short for role in wanted):
        while counts[label, role] < needed[label]:
            able = [
                group
                for group, here in moved.items()
                if label in held[group]
                and here != role
                and role in open_to[group]
                and all(
                    counts[other, here] - count >= (needed[other] or FEWEST) for other, count in held[group].items()
                )
            ]
            if not able:
                break
            chosen = max(able, key=lambda group: counts[label, moved[group]])
            for other, count in held[chosen].items():
                counts[other, moved[chosen]] -= count
                counts[other, role] += count
            moved[chosen] = role
    return {group: role for group, role in moved.items() if role != drawn[group]}
