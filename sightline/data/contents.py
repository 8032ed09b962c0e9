"""What lies in a raw folder: what its layout says of each file, and what reading the file tells."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import pandas as pd

from sightline.data.annotations import arriving
from sightline.data.annotations import read as read_boxes
from sightline.data.files import cache, thumbnails
from sightline.data.files.facts import AGAIN, BESIDE, EMPTY, Facts, Limits, unread
from sightline.data.files.statistics import THUMBNAIL
from sightline.data.files.workers import read_all
from sightline.data.manifest import COLUMNS, OK, QUARANTINED
from sightline.data.sources import item, scan
from sightline.digests import code_digest, digest_of
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.images.reading import libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sightline.params import Ingest

BATCH = 8192
"""Rows that are Python objects at a time; the others are columns already, a tenth as large."""
LAYOUT = ("path", "label", "split", "group", "reason")


def read_files(layout: pd.DataFrame, folder: Path, params: Ingest, known: Path) -> pd.DataFrame:
    """One row per file of `layout`, without roles; files that the cache `known` has unchanged are not read.

    Beside the manifest's columns there is THUMBNAIL, the number of the one by which `alike` finds near duplicates, and
    what the traits of the set are made of.
    """
    limits = Limits(
        params.max_megapixels * 1e6, params.max_megabytes * 1e6, params.max_seconds, params.max_memory * 1e6
    )
    # What was refused for want of a library is read once that is there.
    key = digest_of([limits, code_digest("sightline.data.files.facts"), sorted(libraries())])
    before, shelf = cache.load(known, key), thumbnails.beside(known)
    if before is None or not thumbnails.is_whole(shelf) or _lacks(shelf, before[THUMBNAIL]):
        before = None
        shelf.unlink(missing_ok=True)
    with thumbnails.adding(shelf) as add:
        facts = _facts(layout, folder, limits, before, add)
    if thumbnails.is_wasteful(shelf, facts[THUMBNAIL]):
        # First, so that a run killed in between leaves no facts with numbers of the old file.
        known.unlink(missing_ok=True)
        facts[THUMBNAIL] = thumbnails.squeeze(shelf, facts[THUMBNAIL])
    thumbnails.sign(shelf)
    again = facts.pop(AGAIN) | (layout["stamp"] == cache.NEVER)
    cache.save(facts.assign(path=layout["path"], stamp=layout["stamp"])[~again], known, key)
    rows = facts.drop(columns="reason").join(layout[list(LAYOUT)])
    rows["reason"] = rows["reason"].fillna(facts["reason"])
    rows["status"] = rows["reason"].isna().map({True: OK, False: QUARANTINED})
    return rows.reindex(columns=[*COLUMNS, THUMBNAIL, *BESIDE]).astype(COLUMNS)


def _lacks(shelf: Path, numbers: pd.Series) -> bool:
    return bool(thumbnails.count(shelf) <= numbers.fillna(-1).max())


def read_layout(folder: Path, task: str = CLASSIFY) -> pd.DataFrame:
    """What the layout of `folder` says of each file, and the stamp by which a change is seen.

    Raises DataError where the folder is missing or holds no images, or labels of another kind than the task's.
    """
    found = arriving.items(read_boxes(folder)) if LABELS[task].are_boxes else scan(folder)
    return layout_of(folder, found, task)


def layout_of(folder: Path, found: Iterable[item.Item], task: str) -> pd.DataFrame:
    """What the items `found` in `folder` say, a row each; raises as `read_layout`."""
    where = str(folder)
    lines = (
        (one.path, one.label, one.split, one.group, one.reason, one.closed, cache.stamp(where, one.path))
        for one in item.checked(found, task)
    )
    return _columns(lines, {**dict.fromkeys(LAYOUT, "string"), "closed": "bool", "stamp": "string"})


def _facts(
    layout: pd.DataFrame, folder: Path, limits: Limits, known: pd.DataFrame | None, add: Callable[[bytes], int]
) -> pd.DataFrame:
    """The facts of each row of `layout`, and AGAIN: from `known` where path and stamp are the same, else read.

    `add` takes the thumbnails, and says their numbers.
    """
    types = {**{name: (COLUMNS | BESIDE).get(name, "Int64") for name in EMPTY}, AGAIN: "bool"}
    closed, fresh = layout.index[layout["closed"]], layout.index[~layout["closed"]]
    parts = []
    if known is not None:
        found = layout[["path", "stamp"]].merge(known, on=["path", "stamp"], how="left")
        old = found["sha256"].notna() & ~layout["closed"]
        parts = [found.loc[old].assign(**{AGAIN: False})[list(types)].astype(types)]
        fresh = layout.index[~old & ~layout["closed"]]

    def numbered(facts: Facts) -> Facts:
        thumbnail = facts[THUMBNAIL]
        return {**facts, THUMBNAIL: None if thumbnail is None else add(thumbnail)}

    read = (
        (fresh[number], numbered(one))
        for numbers, facts in read_all(str(folder), layout.loc[fresh, "path"], limits)
        for number, one in zip(numbers, facts, strict=True)
    )
    unseen = ((number, {**unread(layout["path"][number], "closed"), AGAIN: True}) for number in closed)
    lines = ((number, *(one.get(name, False) for name in types)) for number, one in chain(read, unseen))
    parts.append(_columns(lines, {"row": "int64", **types}).set_index("row"))
    return pd.concat(parts).sort_index()


def _columns(lines: Iterable[tuple[Any, ...]], types: dict[str, str]) -> pd.DataFrame:
    """A table of `lines`, of which few exist as Python objects at a time."""
    rest = iter(lines)
    batches = iter(lambda: list(islice(rest, BATCH)), [])
    tables = [pd.DataFrame(batch, columns=list(types)).astype(types) for batch in batches]
    return pd.concat(tables or [pd.DataFrame(columns=list(types)).astype(types)], ignore_index=True)
