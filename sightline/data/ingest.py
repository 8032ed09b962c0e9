"""Raw folder → manifest and quarantine list."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sightline import stored
from sightline.data import contents, manifest, traits
from sightline.data.annotations import arriving
from sightline.data.annotations import files as annotated_by
from sightline.data.annotations import read as read_boxes
from sightline.data.annotations.table import BOXES
from sightline.data.duplicates import crowds, pairs
from sightline.data.files import cache, thumbnails
from sightline.data.files.facts import BESIDE
from sightline.data.files.statistics import THUMBNAIL
from sightline.data.labels import given
from sightline.data.manifest import HELD_BACK, OK, QUARANTINED
from sightline.data.roles import groups, split
from sightline.data.sources import overlooked, scan
from sightline.data.versions import archive
from sightline.digests import code_digest, digest_of, dvc_digest, file_digest
from sightline.errors import Damaged
from sightline.files import replacing, write_atomically
from sightline.heads.labels import CLASSIFY, LABELS, noted
from sightline.images.reading import libraries
from sightline.words import counted, tally, to_cell

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.heads.labels import Labels
    from sightline.params import Dataset, Validate
    from sightline.project import Paths

NO_NEAR = crowds.Near()


def ingest(paths: Paths, use: str) -> pd.DataFrame:
    """Read what is new in the raw folder of data set `use`, write its manifest and quarantine list, return the rows.

    Raises DataError where the folder is missing or holds no images.
    """
    params, task = paths.params, paths.params.task_of(use)
    folder, target = paths.raw(use), paths.manifest(use)
    last = _last(paths, use)
    previous = _previous(paths, use, last)
    found = read_boxes(folder) if LABELS[task].are_boxes else None
    layout = contents.layout_of(folder, arriving.items(found) if found else scan(folder), task)
    boxes = found.boxes if found else None
    if previous is not None and last.get("inputs") == _inputs(paths, use, layout, boxes):
        return previous
    read = contents.read_files(layout, folder, params.ingest, paths.cache(use))
    labelled = _quarantine_beyond(given.apply(read, paths.labels(use)), params.validate)
    near = pairs.find(labelled, folder, params.ingest, paths.near(use), thumbnails.beside(paths.cache(use)))
    rows = decide(labelled.drop(columns=[THUMBNAIL, *BESIDE]), params.datasets[use], previous, near, task)
    traits.write(traits.of(labelled), paths.traits(use))
    manifest.write(rows, target)
    write_boxes(boxes if boxes is None else given.drawn(boxes, labelled, paths.labels(use)), paths.boxes(use))
    left_out = rows.loc[rows["status"] == QUARANTINED, ["path", "label", "reason"]].map(to_cell, na_action="ignore")
    write_atomically(paths.quarantine(use), left_out.to_csv(index=False, lineterminator="\n"))
    # A file that must be read again next time is not in the cache.
    whole = cache.rows(paths.cache(use)) == len(layout)
    _remember(paths, use, _inputs(paths, use, layout, boxes) if whole else "")
    return rows


def write_boxes(boxes: pd.DataFrame | None, path: Path) -> None:
    """Write the table of boxes beside the manifest: all that there are, with what became of each; or have none."""
    if boxes is None:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as scratch:
        boxes[list(BOXES)].to_parquet(scratch, index=False, engine="pyarrow", compression="zstd")


def told(rows: pd.DataFrame, task: str = CLASSIFY) -> str:
    """How many usable images there are of each class, and how many files are left out, and why in a word."""
    left_out = rows["reason"].str.startswith(manifest.LEFT_OUT).fillna(value=False)
    usable, refused = rows[(rows["status"] != QUARANTINED) & ~left_out], rows[rows["status"] == QUARANTINED]
    waiting = int(refused["reason"].str.startswith(manifest.NO_LABEL).fillna(value=False).sum())
    each = LABELS[task].each(usable["label"])
    numbers = {str(name): int(number) for name, number in each.value_counts().items()}
    parts = [f"{counted(len(usable), 'image')} of {tally(numbers)}"]
    if left_out.any():
        parts.append(f"{left_out.sum():,} left out for what the test or validation images show")
    if waiting:
        parts.append(f"{waiting:,} without a label")
    if len(refused) > waiting:
        parts.append(f"{len(refused) - waiting:,} in quarantine")
    return "; ".join(parts)


def left_aside(folder: Path, rows: pd.DataFrame, task: str = CLASSIFY) -> list[str]:
    """What else lies in a raw folder, and is not read."""
    told = annotated_by(folder) if LABELS[task].are_boxes else []
    return overlooked.sentences(folder, [*rows["path"], *told])


def _remember(paths: Paths, use: str, inputs: str) -> None:
    """Note what was ingested, and what came of it."""
    note = paths.ingested(use)
    places = (paths.manifest(use), paths.quarantine(use), paths.traits(use), paths.boxes(use))
    made = [os.path.relpath(path, note.parent) for path in places if path.is_file()]
    stored.write(note, made, inputs=inputs)


def _last(paths: Paths, use: str) -> dict[str, Any]:
    """What was noted of the last ingestion, where manifest and quarantine list stand as it left them; else nothing."""
    note = paths.ingested(use)
    with suppress(Damaged):
        said = stored.unseal(note, needed=[stored.FILES])
        stored.check(note.parent, said[stored.FILES])
        return said
    return {}


def _previous(paths: Paths, use: str, last: dict[str, Any]) -> pd.DataFrame | None:
    """The manifest before this one, of which images keep role and shard; None where there is none.

    Where it was changed by other hands, the version of `dvc.lock` comes back from DVC's store. Raises DataError where
    that lacks it: roles that were given once must not be given anew.
    """
    target = paths.manifest(use)
    if not target.is_file():
        return None
    if not last:
        version = archive.locked(paths, use)
        if version is None:
            # It was never finished, and comes out the same again.
            return None
        if dvc_digest(target.parent) != version.digest:
            archive.restore(paths, version.digest, target.parent)
    return manifest.read(target)


def _inputs(paths: Paths, use: str, layout: pd.DataFrame, boxes: pd.DataFrame | None) -> str:
    """Digest of all that decides the manifest, with the manifest itself; for the files' bytes stand their stamps.

    Where it is what it was, ingesting would write the same manifest once more.
    """
    params = paths.params
    files = [paths.manifest(use), paths.quarantine(use), paths.traits(use), paths.labels(use)]
    known = [file_digest(path) if path.is_file() else None for path in files]
    tables = [layout] if boxes is None else [layout, boxes]
    if boxes is not None:
        known.append(file_digest(paths.boxes(use)) if paths.boxes(use).is_file() else None)
    hashes = b"".join(pd.util.hash_pandas_object(one, index=False).to_numpy().tobytes() for one in tables)
    rows = hashlib.sha256(hashes).hexdigest()
    limits = params.validate
    beyond = [limits.min_side, limits.max_side, limits.modes]
    readers = sorted(libraries())
    said = [params.datasets[use], *noted(params.task_of(use)).values()]
    return digest_of([rows, known, *said, params.ingest, beyond, readers, code_digest(__name__)])


def decide(
    rows: pd.DataFrame,
    dataset: Dataset,
    previous: pd.DataFrame | None,
    near: crowds.Near = NO_NEAR,
    task: str = CLASSIFY,
) -> pd.DataFrame:
    """Settle what copies are labelled, form groups, give roles and shards; known images keep order, role and shard.

    `near` holds the pairs of near duplicates and siblings, as `pairs.find` gives them.
    """
    labels = LABELS[task]
    rows = _in_order(rows.assign(label=labels.normal(rows["label"])), previous)
    rows, again = _settle_copies(rows, labels)
    rows = groups.by_path(rows, dataset.group)
    near = crowds.doubted(near, rows)
    together = np.concatenate([pairs.positions(rows, near.copies), groups.bursts(rows, dataset.group)])
    rows = split.assign_roles(rows, dataset.roles, previous, together, labels)
    # Last, because what bridges two groups is no part of either.
    rows["alike"] = pairs.names(rows, near)
    rows = split.hold_back(_leave_out(rows, again), dataset.train_per_class, labels)
    rows["shard"] = split.assign_shards(rows)
    return rows


def _in_order(rows: pd.DataFrame, previous: pd.DataFrame | None) -> pd.DataFrame:
    """Rows that stood in the previous manifest first, in its order and with their shards; new ones behind, by path."""
    rows = rows.sort_values("path", kind="stable").reset_index(drop=True)
    rows["shard"] = pd.array([pd.NA] * len(rows), dtype="Int64")
    if previous is None:
        return rows
    place = manifest.places(rows, previous)
    known = place >= 0
    rows.loc[known, "shard"] = previous["shard"].to_numpy()[place[known]]
    order = np.argsort(np.where(known, place, len(previous)), kind="stable")
    return rows.iloc[order].reset_index(drop=True)


def _quarantine_beyond(rows: pd.DataFrame, limits: Validate) -> pd.DataFrame:
    """Images of a size or a colour mode that is not accepted leave: the others can be trained on without them."""
    sides = rows[["width", "height"]]
    sized = sides.min(axis=1).ge(limits.min_side) & sides.max(axis=1).le(limits.max_side)
    told = sides["width"].astype("string") + " x " + sides["height"].astype("string")
    small = f" pixels: the sides must have {limits.min_side} to {limits.max_side} (validate.min_side, max_side)"
    modes = "colour mode " + rows["mode"] + " is not in validate.modes"
    for wrong, reason in ((~sized, told + small), (~rows["mode"].isin(limits.modes), modes)):
        bad = wrong.fillna(value=False).astype(bool) & (rows["status"] == OK)
        rows.loc[bad, "status"], rows.loc[bad, "reason"] = QUARANTINED, reason[bad]
    return rows


def _settle_copies(rows: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, pd.Index[int]]:
    """The same file under several labels: they leave where these contradict one another, else all get what they say.

    Beside the rows the positions of those that then say nothing that another one does not.
    """
    usable = rows[rows["status"] == OK]
    copies = usable[usable["sha256"].duplicated(keep=False)]
    names = copies.groupby("sha256")["label"].unique()
    several = names[names.map(len) > 1]
    agreed = several.map(labels.agreed)
    torn = several[agreed.isna()].map(lambda found: ", ".join(sorted(map(labels.shown, found))))
    bad = copies.index[copies["sha256"].isin(torn.index)]
    rows.loc[bad, "status"] = QUARANTINED
    reasons = "contradictory: the same image is labelled " + rows.loc[bad, "sha256"].map(torn).astype("string")
    rows.loc[bad, "reason"] = reasons
    united = copies[copies["sha256"].isin(several.index.difference(torn.index))]
    rows.loc[united.index, "label"] = united["sha256"].map(agreed).astype("string")
    return rows, united.index[united["sha256"].duplicated()]


def _leave_out(rows: pd.DataFrame, again: pd.Index[int]) -> pd.DataFrame:
    """Further copies of a picture whose first one has the labels of all: they would count double."""
    out = again[rows.loc[again, "status"] == OK]
    rows.loc[out, "status"], rows.loc[out, "reason"] = HELD_BACK, "a copy: another one has the labels of all"
    return rows
