"""What differs between two versions of a data set: a table of changes, and the same in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sightline.data.manifest import QUARANTINED
from sightline.heads.labels import CLASSIFY, LABELS, shown
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED, REMOVED, RENAMED, RELABELLED, ROLE, STATUS = "added", "removed", "renamed", "relabelled", "role", "status"
KINDS = (ADDED, REMOVED, RENAMED, RELABELLED, ROLE, STATUS)
CHANGE = ["kind", "path", "sha256", "was", "now"]
"""Columns of the table of changes: `was` and `now` are labels, or paths, roles and states for those kinds."""
FACTS = ["path", "sha256", "label", "role", "status"]
"""Columns of a manifest that are compared."""
NAMED = 5
"""Cases that a sentence names before it counts the others."""
UNLABELLED = "no label"


def compare(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """The changes from the manifest `old` to the manifest `new`, one row each, columns CHANGE, by kind and path.

    An image is its bytes: a file whose content changed is an image removed and another one added.
    """
    pairs = _pair(*_without_equals(old[FACTS], new[FACTS]))
    before, after = pairs.index[pairs["_merge"] == "left_only"], pairs.index[pairs["_merge"] == "right_only"]
    both = pairs[pairs["_merge"] == "both"]
    parts = [
        _changes(ADDED, pairs.loc[after], "path_new", None, "label_new"),
        _changes(REMOVED, pairs.loc[before], "path_old", "label_old", None),
        _changes(RENAMED, both[_differ(both, "path") & ~_differ(both, "label")], "path_new", "path_old", "path_new"),
        _changes(RELABELLED, both[_differ(both, "label")], "path_new", "label_old", "label_new"),
        _changes(ROLE, both[_differ(both, "role") & both[["role_old", "role_new"]].notna().all(axis=1)], "path_new",
                 "role_old", "role_new"),
        _changes(STATUS, both[_differ(both, "status")], "path_new", "status_old", "status_new"),
    ]  # fmt: skip
    return pd.concat([part.sort_values("path") for part in parts], ignore_index=True)


def words(changes: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame, task: str = CLASSIFY) -> tuple[str, ...]:
    """The changes in sentences, at most one for each kind, and one for classes that came or went."""
    return tuple(_sentences(changes, old, new, task)) or ("the same images, labels and roles",)


def classes(rows: pd.DataFrame, task: str = CLASSIFY) -> set[str]:
    """Labels of the images that are not in quarantine."""
    return set(LABELS[task].each(rows.loc[rows["status"] != QUARANTINED, "label"]))


def _sentences(changes: pd.DataFrame, old: pd.DataFrame, new: pd.DataFrame, task: str) -> Iterator[str]:
    said = {
        ADDED: "{n} added ({cases})",
        REMOVED: "{n} removed ({cases})",
        RENAMED: "{n} renamed",
        RELABELLED: "{n} relabelled ({cases})",
        ROLE: "{n} with another role ({cases})",
        STATUS: "{n} with another status ({cases})",
    }
    for kind, sentence in said.items():
        part = changes[changes["kind"] == kind]
        if len(part):
            yield sentence.format(n=counted(len(part), "image"), cases=_cases(kind, part))
    for one, other, what in ((new, old, "new"), (old, new, "lost")):
        names = sorted(classes(one, task) - classes(other, task))
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            yield f"{what} {'class' if len(names) == 1 else 'classes'} {', '.join(names[:NAMED])}{more}"


def _cases(kind: str, part: pd.DataFrame) -> str:
    was, now = (part[name].fillna(UNLABELLED).map(shown) for name in ("was", "now"))
    text = now if kind == ADDED else was if kind == REMOVED else was + " → " + now
    counts = text.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    cases = [f"{name} {count:,}" for name, count in counts.head(NAMED).items()]
    return ", ".join([*cases, f"{len(counts) - NAMED} more"] if len(counts) > NAMED else cases)


def _without_equals(old: pd.DataFrame, new: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Drop the rows that stand in both: of a million images mostly a few have changed. A path stands in a row once."""
    keys = [pd.util.hash_pandas_object(rows, index=False, categorize=False) for rows in (old, new)]
    return old[~keys[0].isin(keys[1]).to_numpy()], new[~keys[1].isin(keys[0]).to_numpy()]


def _pair(old: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Rows of both manifests side by side: by path and content, and what is left by content alone."""
    same = old.merge(new, on=["path", "sha256"])[["path", "sha256"]]
    stays = pd.MultiIndex.from_frame(same)
    parts = []
    for rows in (old, new):
        stay = pd.MultiIndex.from_frame(rows[["path", "sha256"]]).isin(stays)
        # Copies of a picture are told apart by path where it stayed, else by their order; no path begins with //.
        order = "//" + rows[~stay].groupby("sha256").cumcount().astype("string")
        place = rows["path"].where(stay, order)
        parts.append(rows.assign(place=place))
    return parts[0].merge(parts[1], on=["sha256", "place"], how="outer", suffixes=("_old", "_new"), indicator=True)


def _differ(pairs: pd.DataFrame, column: str) -> pd.Series:
    return pairs[f"{column}_old"].fillna("") != pairs[f"{column}_new"].fillna("")


def _changes(kind: str, pairs: pd.DataFrame, path: str, was: str | None, now: str | None) -> pd.DataFrame:
    sides = (pairs[column] if column else None for column in (was, now))
    values = dict(zip(CHANGE, (kind, pairs[path], pairs["sha256"], *sides), strict=True))
    return pd.DataFrame(values, index=pairs.index).astype("string")
