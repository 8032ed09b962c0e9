"""More labelled images for a raw folder: where each goes there, by the form in which its images lie.

They come as a new project's do, from a folder or a table, and make the next version of the data set.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data import adding_boxes, manifest
from sightline.data.annotations import arriving, tells_boxes
from sightline.data.annotations import read as read_boxes
from sightline.data.annotations.table import UNLABELLED
from sightline.data.labels import exchange
from sightline.data.sources import LAYOUTS, arrival, classes, copying, scan, tables
from sightline.data.sources.label_sets import SEVERAL
from sightline.data.versions import archive, external, history
from sightline.digests import file_digest
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.heads.labels import LABELS, names_of
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from sightline.data.sources import Item
    from sightline.project import Paths

KEPT_OUT = ("val", "test")
"""Splits that would be lost as training images."""
FOLDER = "added"
"""Of such images, in a set whose table says what each of them shows."""


@dataclass(frozen=True)
class Added:
    """What came of it."""

    added: int
    """Images that are new."""
    labelled: int
    """Those that the set holds, but which waited for a label."""
    known: int
    """Further files that the set holds already, by content."""
    unlabelled: int
    """Files without a label, which were left out."""
    said: tuple[str, ...]
    """What could not be read, and how a table was read where that is not plain."""
    new_classes: tuple[str, ...]
    """Labels that no image had before: perhaps misspelt."""
    version: str
    """DVC digest of the manifest afterwards."""


def add(paths: Paths, use: str, given: Path) -> Added:
    """Copy the labelled images of `given`, as `init` takes them, into the raw folder, and make the version with them.

    Raises DataError where there are none, or the raw folder takes no more; then, and where the version cannot be made,
    nothing has changed.
    """
    if not given.exists():
        raise DataError(
            f"{given}: there is no such folder or table; name one with more images, as for `sightline init`"
        )
    external.check_folders(paths)
    below, unable = place(paths, use)
    if unable:
        raise DataError(f"{use}: {unable}")
    if not paths.manifest(use).is_file():
        # What the set holds is known by its manifest alone.
        history.ingest(paths, use)
    scratch = paths.cache(use).parent
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="adding-", dir=scratch) as name:
        stage = Path(name, "images")
        if LABELS[paths.params.task_of(use)].are_boxes:
            return _add_boxes(paths, use, given, stage)
        said = arrival.bring(given, stage)
        found = [item for item in scan(stage) if not item.closed and (stage / item.path).is_file()]
        rows = manifest.read(paths.manifest(use))
        fresh, known, waiting, doubts = _parted(paths, use, stage, [item for item in found if item.label], rows)
        if fresh:
            _take(paths, use, stage, below, fresh, f"{counted(len(fresh), 'image')} added from {given}")
        if waiting:
            exchange.put(paths, use, manifest.read(paths.manifest(use)), waiting, given.name, {})
    names, after = LABELS[paths.params.task_of(use)].names, manifest.read(paths.manifest(use))
    before = {name for text in rows["label"].dropna() for name in names(text)}
    now = {name for text in after["label"].dropna() for name in names(text)}
    unread, why = _unread(rows, after)
    return Added(
        added=len(fresh) - unread,
        labelled=len(waiting),
        known=known,
        unlabelled=sum(1 for item in found if not item.label),
        said=(*said, *why, *doubts),
        new_classes=tuple(sorted(now - before)),
        version=archive.current(paths, use).digest,
    )


def _add_boxes(paths: Paths, use: str, given: Path, stage: Path) -> Added:
    is_file = given.is_file() and tells_boxes(given)
    said = arriving.bring(given, stage) if is_file else arrival.bring(given, stage)
    found, rows = read_boxes(stage), manifest.read(paths.manifest(use))
    # An image that waits for its boxes, or has some that cannot be used, is brought with them.
    labelled = rows[rows["label"].notna()]
    held = {one: (path, text) for one, path, text in labelled[["sha256", "path", "label"]].itertuples(index=False)}
    contents = adding_boxes.digests(found, stage)
    names, doubts = adding_boxes.fresh(found, contents, held), adding_boxes.doubts(found, contents, held)
    known = contents.keys() - names.keys()
    new = replace(found, boxes=found.boxes[~found.boxes["path"].isin(known)])
    before = {name for text in rows["label"].dropna() for name in LABELS[paths.params.task_of(use)].names(text)}
    now = {box.label for image, boxes in found.each() if image.path in names for box in boxes}
    folder = adding_boxes.unused(paths.raw(use), FOLDER)
    if names:
        try:
            adding_boxes.write(found, stage, names, folder)
            history.ingest(paths, use, f"{counted(len(names), 'image')} added from {given}")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    unread, why = _unread(rows, manifest.read(paths.manifest(use)))
    return Added(
        added=len(names) - unread,
        labelled=0,
        known=len(known),
        unlabelled=int((found.images["reason"] == UNLABELLED).sum()),
        said=(*said, *why, *doubts, *arriving.refused(new)),
        new_classes=tuple(sorted(now - before)),
        version=archive.current(paths, use).digest,
    )


def _unread(before: pd.DataFrame, after: pd.DataFrame) -> tuple[int, list[str]]:
    """How many of the files that are new cannot be read as images, and that this is so."""
    rows = after[
        ~after["path"].isin(before["path"]) & (after["status"] == manifest.QUARANTINED) & after["width"].isna()
    ]
    if rows.empty:
        return 0, []
    first = f"{visible(rows['path'].iloc[0])}: {rows['reason'].iloc[0]}"
    return len(rows), [f"{counted(len(rows), 'file')} came that cannot be read, in quarantine now; first {first}"]


def _outside(paths: Paths, use: str) -> str:
    """Why a raw folder that lies elsewhere takes nothing; empty where it lies in the project."""
    if not external.is_external(paths, use):
        return ""
    raw = paths.raw(use)
    return f"the images lie in {raw}, which is never changed: put them there yourself, then run `sightline run`"


def place(paths: Paths, use: str) -> tuple[str, str]:
    """The part of the raw folder in which more images may lie, with a slash at its end; or why it takes none."""
    raw = paths.raw(use)
    said = _outside(paths, use)
    if said or LABELS[paths.params.task_of(use)].are_boxes:
        # Annotations say what images with boxes show, wherever these lie.
        return "", said
    layout = next(one for one in LAYOUTS if one.fits(raw))
    below = "" if tables.find(raw) else classes.unsplit(raw) if layout is classes else None
    if below is None:
        said = (
            "a set in tar shards, in ImageNet's own form or split into train and test folders takes no more images this"
        )
        return "", f"{said} way; put them into {raw} yourself"
    return below, ""


def longer(table: Path, lines: Sequence[Mapping[str, Any]]) -> bytes:
    """The table with these lines more; one that others wrote in their own way is written in ours."""
    if table.suffix == ".jsonl":
        text = table.read_text(encoding="utf-8-sig")
        text += "" if text.endswith("\n") else "\n"
        return (text + "".join(json.dumps(_object(row), ensure_ascii=False) + "\n" for row in lines)).encode()
    return tables.as_text([*(row for _, row in tables.rows(table)), *lines]).encode()


def _object(row: Mapping[str, Any]) -> dict[str, Any]:
    """As an object of JSON: a set of labels is a list there."""
    said = {key: value for key, value in row.items() if key != SEVERAL}
    return said | {"label": names_of(row["label"])} if row.get(SEVERAL) else said


class _Parted(NamedTuple):
    """Labelled files by what the set holds of their content."""

    fresh: list[Item]
    """It does not hold it; where it comes under two labels, both, about which the next version decides."""
    known: int
    waiting: dict[str, str]
    """Digest → label of those that wait for one."""
    doubts: list[str]
    """That some have another label there."""


def _parted(paths: Paths, use: str, stage: Path, labelled: Sequence[Item], rows: pd.DataFrame) -> _Parted:
    import pandas as pd

    raw, labels = paths.raw(use), LABELS[paths.params.task_of(use)]
    digests = [file_digest(stage / item.path) for item in labelled]
    alike = rows[rows["sha256"].isin(digests)]
    # A file that somebody has deleted is not there any more, whatever the last version says.
    lines = zip(alike["sha256"], alike["path"], alike["label"], exchange.needs_label(alike), strict=True)
    held = {digest: (path, None if waits else label) for digest, path, label, waits in lines if (raw / path).is_file()}
    spelled = labels.normal(pd.Series([str(item.label) for item in labelled], dtype="string")).tolist()
    fresh: dict[tuple[str, str], Item] = {}
    waiting: dict[str, str] = {}
    other: list[tuple[str, str, str]] = []
    for item, digest, label in zip(labelled, digests, spelled, strict=True):
        if digest not in held:
            fresh.setdefault((digest, label), item)
            continue
        path, before = held[digest]
        before = before or waiting.setdefault(digest, label)
        if before != label:
            other.append((path, before, label))
    doubts = []
    if other:
        path, before, label = other[0]
        doubts.append(
            f"{counted(len(other), 'image')} that the set holds came with another label, too: {path} as "
            f"{labels.shown(before)!r}, which stays, and as {labels.shown(label)!r} (`sightline data label import` "
            "changes labels)"
        )
    return _Parted([*fresh.values()], len(labelled) - len(fresh) - len(waiting), waiting, doubts)


def _take(paths: Paths, use: str, stage: Path, below: str, fresh: Sequence[Item], note: str) -> None:
    """Move the images into the raw folder and make the version that has them, or leave everything as it was."""
    raw = paths.raw(use)
    table = tables.find(raw)
    several = next((item for item in fresh if item.several), None)
    if several and not table:
        raise DataError(f"{several.path} has several labels, and {raw} tells classes by folders: it has one for each")
    bound = next((item for item in fresh if item.group or item.split in KEPT_OUT), None)
    if bound and not table:
        what = f"group {bound.group!r}" if bound.group else f"the split {bound.split!r}"
        raise DataError(
            f"{bound.path} belongs to {what}, and {raw} tells classes by folders alone, where that would be lost: "
            "add them without that column or those folders, and their roles are drawn; or keep the set in a labels.csv "
            "(path,label,split,group), which can tell it"
        )
    made: list[Path] = []
    before = table.read_bytes() if table else b""
    try:
        lines = []
        for item in fresh:
            target = _free(raw / below, FOLDER if table else copying.as_name(str(item.label)), Path(item.path).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(stage / item.path, target)
            made.append(target)
            line = {"path": target.relative_to(raw).as_posix(), "label": item.label}
            more = ("split", "group", SEVERAL)
            lines.append({**line, **{key: value for key in more if (value := getattr(item, key))}})
        if table:
            write_atomically(table, longer(table, lines))
        history.ingest(paths, use, note)
    except BaseException:
        _undo(made, raw)
        if table:
            write_atomically(table, before)
        raise


def _free(folder: Path, label: str, name: str) -> Path:
    """A path that nothing lies at: several folders hold a 0001.jpg."""
    target, number = folder / label / name, 1
    while target.exists():
        number += 1
        target = folder / label / f"{Path(name).stem}-{number}{Path(name).suffix}"
    return target


def _undo(made: Iterable[Path], raw: Path) -> None:
    for path in made:
        path.unlink(missing_ok=True)
        if path.parent != raw and not any(path.parent.iterdir()):
            path.parent.rmdir()
