"""Raw folder → manifest and quarantine list."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sightline.data import manifest, split
from sightline.data.alike import mark
from sightline.data.manifest import COLUMNS, OK, QUARANTINED
from sightline.data.reading import UnreadableImage, inspect
from sightline.data.sources import Item, scan
from sightline.data.statistics import COLUMNS as STATISTICS
from sightline.data.statistics import THUMBNAIL, statistics

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.config import Dataset, Ingest
    from sightline.project import Paths

POOL_FROM = 256
"""Fewer new files than this are read in one process: starting others would take longer."""
FACTS = ("sha256", "format", "mode", "width", "height", "bytes", "reason", *STATISTICS, THUMBNAIL)
"""What is known of a file once it has been read."""


def ingest(paths: Paths, use: str) -> pd.DataFrame:
    """Read what is new in the raw folder of data set `use`, write its manifest and quarantine list, return the rows.

    Raises DataError where the folder is missing or holds no images.
    """
    params = paths.params
    dataset = params.datasets[use]  # type: ignore[index]
    target = paths.manifest(use)
    previous = manifest.read(target) if target.is_file() else None
    found = read_folder(paths.raw(use), params.ingest, paths.cache(use))
    found = mark(found, paths.raw(use), params.ingest, paths.cache(use).with_suffix(".alike.parquet"))
    rows = decide(found, dataset, previous)
    manifest.write(rows, target)
    left_out = rows.loc[rows["status"] == QUARANTINED, ["path", "label", "reason"]]
    left_out.to_csv(paths.quarantine(use), index=False, lineterminator="\n")
    return rows


def decide(rows: pd.DataFrame, dataset: Dataset, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Quarantine contradictions, form groups, give roles and shards; known images keep their order, role and shard."""
    rows = _in_order(rows, previous)
    rows = _quarantine_contradictions(rows)
    rows["group"] = split.join_groups(rows)
    rows = split.assign_roles(rows, dataset.roles, previous)
    rows = split.hold_back(rows, dataset.train_per_class)
    rows["shard"] = split.assign_shards(rows)
    return rows


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
    labels = usable.groupby("sha256")["label"].transform("nunique")
    torn = usable.index[labels > 1]
    rows.loc[torn, "status"] = QUARANTINED
    names = rows.loc[torn].groupby("sha256")["label"].transform(lambda found: ", ".join(sorted(set(found))))
    rows.loc[torn, "reason"] = "contradictory: the same image is labelled " + names.astype("string")
    return rows


def read_folder(folder: Path, limits: Ingest, cache: Path) -> pd.DataFrame:
    """One row per labelled file of `folder`, without roles but with its thumbnail; files that `cache` knows unchanged are not read again."""
    items = scan(folder)
    known = _load_cache(cache)
    stats = [_stat(folder, item) for item in items]
    fresh = [number for number, item in enumerate(items) if known.get(item.path, (None,))[0] != stats[number]]
    read = dict(zip(fresh, _read_all(folder, [items[number] for number in fresh], limits), strict=True))
    facts = [read[number] if number in read else known[item.path][1] for number, item in enumerate(items)]
    _save_cache(cache, items, stats, facts)
    rows = pd.DataFrame([_row(item, fact) for item, fact in zip(items, facts, strict=True)], columns=[*COLUMNS, THUMBNAIL])
    return rows.astype(COLUMNS)


Facts = dict[str, Any]


def _row(item: Item, facts: Facts) -> Facts:
    reason = item.reason or facts["reason"]
    status = QUARANTINED if reason else OK
    return {**facts, "path": item.path, "label": item.label, "group": item.group, "split": item.split} | {
        "status": status,
        "reason": reason,
    }


def _read_all(folder: Path, items: list[Item], limits: Ingest) -> list[Facts]:
    read = partial(_read_one, str(folder), limits)
    if len(items) < POOL_FROM:
        return [read(item) for item in items]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(read, items, chunksize=64))


def _read_one(folder: str, limits: Ingest, item: Item) -> Facts:
    """Digest and header of one file; the reason where it cannot be used."""
    facts: Facts = dict.fromkeys(FACTS)
    path = os.path.join(folder, item.path)  # noqa: PTH118 — a million files
    if item.reason and "leaves the folder" in item.reason:
        return {**facts, "sha256": hashlib.sha256(item.path.encode()).hexdigest()}
    try:
        size = os.stat(path).st_size  # noqa: PTH116
        if size > limits.max_megabytes * 1e6:
            raise UnreadableImage(f"{size / 1e6:.0f} MB are above the limit of {limits.max_megabytes:g} MB")
        with open(path, "rb") as handle:  # noqa: PTH123
            data = handle.read()
        facts |= {"bytes": size, "sha256": hashlib.sha256(data).hexdigest()}
        header, image = inspect(data, limits.max_megapixels * 1e6)
        facts |= {"format": header.format, "mode": header.mode, "width": header.width, "height": header.height}
        facts |= statistics(image)
    except UnreadableImage as error:
        facts["reason"] = str(error)
    except OSError as error:
        facts["reason"] = f"cannot be read: {error.strerror or error}"
    facts["sha256"] = facts["sha256"] or hashlib.sha256(item.path.encode()).hexdigest()
    return facts


def _stat(folder: Path, item: Item) -> str:
    try:
        stat = os.stat(os.path.join(folder, item.path))  # noqa: PTH116, PTH118
    except OSError:
        return "missing"
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}"


def _load_cache(path: Path) -> dict[str, tuple[str, Facts]]:
    if not path.is_file():
        return {}
    rows = pd.read_parquet(path).astype(object)
    if not {*FACTS} <= {*rows.columns}:  # written by an earlier version
        return {}
    rows = rows.where(rows.notna(), None)
    return {row["path"]: (row.pop("stat"), row) for row in rows.to_dict("records")}


def _save_cache(path: Path, items: list[Item], stats: list[str], facts: list[Facts]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = pd.DataFrame([{**fact, "path": item.path, "stat": stat} for item, stat, fact in zip(items, stats, facts, strict=True)])
    scratch = path.with_suffix(".tmp")
    rows.to_parquet(scratch, index=False)
    scratch.replace(path)
