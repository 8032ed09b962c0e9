"""Captured images on their way into the raw folder: where they go there, by the form in which its images lie."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sightline.data.sources import LAYOUTS, classes, tables
from sightline.data.versions import external
from sightline.images.reading import EXTENSIONS, open_image
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths

FOLDER = "captured"
"""Of such images, beside the class folders."""
SMALL = "only small pictures or none were kept of them: with capture.keep: images, answers from then on can join it"


def files(paths: Paths, images: Mapping[str, tuple[str, bytes]]) -> tuple[dict[Path, bytes], str]:
    """The files to be written for `images`, digest → label and file; or why the raw folder cannot take any.

    Labels come from data/labels, by content, whatever the folder says; a table has to list each image all the same.
    """
    raw = paths.raw("target")
    if external.is_external(paths, "target"):
        return {}, f"the images lie in {raw}, which is never changed: put them there yourself, then run `sightline run`"
    layout = next(one for one in LAYOUTS if one.fits(raw))
    below = "" if tables.find(raw) else classes.unsplit(raw) if layout is classes else None
    if below is None:
        return (
            {},
            "a set in tar shards, in ImageNet's own form or split into train and test takes no more images",
        )
    named = {digest: f"{below}{FOLDER}/{digest}{_suffix(data)}" for digest, (_, data) in images.items()}
    found = {raw / named[digest]: data for digest, (_, data) in images.items()}
    if images and (table := tables.find(raw)):
        found[table] = _longer(table, {named[digest]: label for digest, (label, _) in images.items()})
    return found, ""


def sentence(missing: int, unable: str) -> str:
    """That so many images did not join the data set, and why."""
    return f"{counted(missing, 'image')} did not join the data set: {unable or SMALL}"


def _suffix(data: bytes) -> str:
    return EXTENSIONS[str(open_image(data).format)][0]


def _longer(table: Path, lines: Mapping[str, str]) -> bytes:
    """The table with a line for each path, label; one that others wrote in their own way is written in ours."""
    added = [{"path": path, "label": label} for path, label in lines.items()]
    if table.suffix == ".jsonl":
        text = table.read_text(encoding="utf-8-sig")
        text += "" if text.endswith("\n") else "\n"
        return (text + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in added)).encode()
    return tables.as_text([*(row for _, row in tables.rows(table)), *added]).encode()
