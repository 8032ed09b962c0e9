"""Which files a raw folder holds and what they are labelled: class folders, splits of them, or a labels.csv."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sightline.data.reading import SUFFIXES
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
LABELS = "labels.csv"


@dataclass(frozen=True)
class Item:
    """One file of the raw folder, as the layout describes it."""

    path: str
    """Relative to the folder, with forward slashes."""
    label: str | None
    split: str | None = None
    group: str | None = None
    reason: str | None = None
    """Why the file cannot be used, where the layout already shows it."""


def scan(folder: Path) -> list[Item]:
    """All labelled files below `folder`, sorted by path.

    Raises DataError where the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; name one that holds a folder of images per class")
    table = folder / LABELS
    items = list(_from_csv(folder, table) if table.is_file() else _from_tree(folder))
    if not items:
        raise DataError(
            f"{folder}: no images in class folders; expected {folder.name}/CLASS/IMAGE.jpg, "
            f"{folder.name}/train/CLASS/IMAGE.jpg, or a {LABELS} with the columns path,label"
        )
    return sorted(items, key=lambda item: item.path)


def files(folder: Path) -> Iterator[tuple[str, bool]]:
    """(path relative to `folder`, leaves the folder by a link) of every file that may be an image."""
    inside = folder.resolve()
    for where, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            suffix = PurePosixPath(name).suffix.lower()
            if name.startswith(".") or (suffix and suffix not in SUFFIXES):
                continue
            path = Path(where, name)
            leaves = path.is_symlink() and not path.resolve().is_relative_to(inside)
            yield path.relative_to(folder).as_posix(), leaves


def _from_tree(folder: Path) -> Iterator[Item]:
    """CLASS/… or SPLIT/CLASS/…: the tree has splits when every top folder is named like one and holds folders only."""
    tops = [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    has_splits = bool(tops) and all(
        top.name.lower() in SPLITS and any(sub.is_dir() for sub in top.iterdir()) for top in tops
    )
    for path, leaves in files(folder):
        parts = PurePosixPath(path).parts
        split = SPLITS[parts[0].lower()] if has_splits and len(parts) > 1 else None
        classes = parts[1:-1] if has_splits else parts[:-1]
        if classes:
            yield Item(path, classes[0], split, reason="link that leaves the folder" if leaves else None)
        elif PurePosixPath(path).suffix:
            yield Item(path, None, split, reason="no label: the file lies outside of any class folder")


def _from_csv(folder: Path, table: Path) -> Iterator[Item]:
    """Rows of path,label[,split][,group]; paths are relative to the table."""
    with table.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        missing = {"path", "label"} - set(reader.fieldnames or ())
        if missing:
            raise DataError(
                f"{table}: the column {' and '.join(sorted(missing))} is missing; its first line is {reader.fieldnames}"
            )
        seen: set[str] = set()
        for number, row in enumerate(reader, start=2):
            path = PurePosixPath((row["path"] or "").replace("\\", "/")).as_posix()
            if path in seen:
                raise DataError(f"{table}, line {number}: {path} is listed twice; keep one line per image")
            seen.add(path)
            split = (row.get("split") or "").strip().lower()
            if split and split not in SPLITS:
                raise DataError(f"{table}, line {number}: split {split!r} is none of {', '.join(SPLITS)}")
            yield Item(
                path=path,
                label=(row["label"] or "").strip() or None,
                split=SPLITS.get(split),
                group=(row.get("group") or "").strip() or None,
                reason=_csv_reason(folder, path, row["label"]),
            )


def _csv_reason(folder: Path, path: str, label: str | None) -> str | None:
    if not (label or "").strip():
        return "no label"
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        return "path that leaves the folder"
    return None
