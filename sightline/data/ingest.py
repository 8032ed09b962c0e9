"""Raw folder → manifest and quarantine list."""

from __future__ import annotations

from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from sightline.data import cache, manifest, split
from sightline.data.facts import AGAIN, EMPTY, Facts, Limits, unread
from sightline.data.manifest import COLUMNS, OK, QUARANTINED
from sightline.data.reading import EXTENSIONS
from sightline.data.sources import scan
from sightline.data.workers import read_all
from sightline.lineage import code_digest, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sightline.config import Dataset, Ingest
    from sightline.project import Paths

BATCH = 8192
"""Rows that are Python objects at a time; the others are columns already, a tenth as large."""
LAYOUT = ("path", "label", "split", "group", "reason")


def ingest(paths: Paths, use: str) -> pd.DataFrame:
    """Read what is new in the raw folder of data set `use`, write its manifest and quarantine list, return the rows.

    Raises DataError where the folder is missing or holds no images.
    """
    params = paths.params
    dataset = params.datasets[use]
    target = paths.manifest(use)
    previous = manifest.read(target) if target.is_file() else None
    found = read_folder(paths.raw(use), params.ingest, paths.cache(use))
    rows = decide(found, dataset, previous)
    manifest.write(rows, target)
    left_out = rows.loc[rows["status"] == QUARANTINED, ["path", "label", "reason"]]
    left_out.to_csv(paths.quarantine(use), index=False, lineterminator="\n")
    return rows


def decide(rows: pd.DataFrame, dataset: Dataset, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Quarantine contradictions, form groups, give roles and shards; known images keep their order, role and shard."""
    rows = _in_order(rows, previous)
    rows = _quarantine_contradictions(rows)
    # Near-duplicates, as pairs of positions in `rows`, would go to assign_roles from here.
    rows = split.assign_roles(rows, dataset.roles, previous)
    rows = split.hold_back(rows, dataset.train_per_class)
    rows["shard"] = split.assign_shards(rows)
    return rows


def misnamed(rows: pd.DataFrame) -> pd.Series:
    """Which files have the extension of another format than that of their content; one without extension has not."""
    told = [_belies(path, kind) for path, kind in zip(rows["path"], rows["format"], strict=True)]
    return pd.Series(told, index=rows.index, dtype=bool)


def _belies(path: str, kind: str | None) -> bool:
    # MPO is a JPEG with further pictures behind the first.
    allowed = None if pd.isna(kind) else EXTENSIONS.get("JPEG" if kind == "MPO" else str(kind))
    suffix = PurePosixPath(path).suffix.lower()
    return bool(allowed and suffix) and suffix not in (allowed or ())


def _in_order(rows: pd.DataFrame, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Rows that stood in the previous manifest first, in its order and with their shards; new ones behind, by path."""
    rows = rows.sort_values("path", kind="stable").reset_index(drop=True)
    rows["shard"] = pd.array([pd.NA] * len(rows), dtype="Int64")
    if previous is None:
        return rows
    keys = pd.MultiIndex.from_frame(previous[["path", "sha256"]])
    place = pd.Series(range(len(previous)), index=keys)
    position = place.reindex(pd.MultiIndex.from_frame(rows[["path", "sha256"]])).to_numpy()
    order = pd.Series(position).sort_values(kind="stable", na_position="last").index
    known = ~pd.isna(position)
    rows.loc[known, "shard"] = previous["shard"].to_numpy()[position[known].astype(int)]
    return rows.loc[order].reset_index(drop=True)


def _quarantine_contradictions(rows: pd.DataFrame) -> pd.DataFrame:
    """The same file under two labels teaches nothing: all of its copies leave."""
    usable = rows[rows["status"] == OK]
    copies = usable[usable["sha256"].duplicated(keep=False)]
    names = copies.groupby("sha256")["label"].unique()
    torn = names[names.map(len) > 1].map(lambda found: ", ".join(sorted(found)))
    bad = copies.index[copies["sha256"].isin(torn.index)]
    rows.loc[bad, "status"] = QUARANTINED
    told = "contradictory: the same image is labelled " + rows.loc[bad, "sha256"].map(torn).astype("string")
    rows.loc[bad, "reason"] = told
    return rows


def read_folder(folder: Path, params: Ingest, known: Path) -> pd.DataFrame:
    """One row per labelled file of `folder`, without roles; files that the cache `known` has unchanged are not read.

    Raises DataError where the folder is missing or holds no images.
    """
    limits = Limits(
        params.max_megapixels * 1e6, params.max_megabytes * 1e6, params.max_seconds, params.max_memory * 1e6
    )
    key = digest_of([limits, code_digest("sightline.data.facts")])
    layout = _layout(folder)
    facts = _facts(layout, folder, limits, cache.load(known, key))
    cache.save(facts[facts["stamp"] != cache.NEVER], known, key)
    rows = layout[list(LAYOUT)].merge(facts.drop(columns="stamp"), on="path", suffixes=("", "_of_file"))
    rows["reason"] = rows["reason"].fillna(rows.pop("reason_of_file"))
    rows["status"] = rows["reason"].isna().map({True: OK, False: QUARANTINED})
    return rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def _layout(folder: Path) -> pd.DataFrame:
    """What the layout of `folder` says of each file, and the stamp by which a change is seen."""
    where = str(folder)
    lines = (
        (item.path, item.label, item.split, item.group, item.reason, item.closed, cache.stamp(where, item.path))
        for item in scan(folder)
    )
    return _columns(lines, {**dict.fromkeys(LAYOUT, "string"), "closed": "bool", "stamp": "string"})


def _facts(layout: pd.DataFrame, folder: Path, limits: Limits, known: pd.DataFrame | None) -> pd.DataFrame:
    """The facts of each file by path: from `known` where its stamp is the same, else read."""
    if known is None:
        known = _of_facts([])
    known = known.merge(layout.loc[~layout["closed"], ["path", "stamp"]], on=["path", "stamp"])
    fresh = layout[~layout["path"].isin(known["path"]) & ~layout["closed"]]
    read = (
        {**one, "path": path, "stamp": cache.NEVER if AGAIN in one else stamp}
        for numbers, facts in read_all(str(folder), fresh["path"], limits)
        for path, stamp, one in zip(fresh["path"].iloc[numbers], fresh["stamp"].iloc[numbers], facts, strict=True)
    )
    closed = layout.loc[layout["closed"], "path"]
    unseen = ({**unread(path, "closed"), "path": path, "stamp": cache.NEVER} for path in closed)
    return pd.concat([known, _of_facts(read), _of_facts(unseen)], ignore_index=True)


def _of_facts(facts: Iterable[Facts]) -> pd.DataFrame:
    types = {**{name: COLUMNS[name] for name in ("path", *EMPTY)}, "stamp": "string"}
    return _columns((tuple(one[name] for name in types) for one in facts), types)


def _columns(lines: Iterable[tuple[Any, ...]], types: dict[str, str]) -> pd.DataFrame:
    """A table of `lines`, of which few exist as Python objects at a time."""
    rest = iter(lines)
    batches = iter(lambda: list(islice(rest, BATCH)), [])
    tables = [pd.DataFrame(batch, columns=list(types)).astype(types) for batch in batches]
    return pd.concat(tables or [pd.DataFrame(columns=list(types)).astype(types)], ignore_index=True)
