"""The page about what differs between two versions of a data set: one HTML file with thumbnails inside."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from sightline.data.versions import archive
from sightline.data.versions.diff import ADDED, KINDS, RELABELLED, REMOVED, RENAMED, ROLE, STATUS, UNLABELLED
from sightline.files import write_atomically
from sightline.images.reading import UnreadableImage, open_image, to_rgb
from sightline.names import plain
from sightline.report.rendering import SMALL_SIDE, data_address, templates
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from sightline.data.versions.archive import Version
    from sightline.project import Paths

SHOWN = 60
"""Images of one kind of change that have a thumbnail; the others are counted."""
SIDE = 112
"""Longest side of a thumbnail, pixels."""
TITLES = {
    ADDED: "Added",
    REMOVED: "Removed",
    RENAMED: "Renamed",
    RELABELLED: "Relabelled",
    ROLE: "Another role",
    STATUS: "Another status",
}


def write_changes(
    paths: Paths, old: Version, new: Version, names: tuple[str, str], changes: pd.DataFrame, words: Sequence[str]
) -> Path:
    """Write the page about the `changes` (columns `diff.CHANGE`) from `old` to `new` below `reports/`; its path."""
    sections = []
    for kind in KINDS:
        part = changes[changes["kind"] == kind]
        if len(part):
            first = part.head(SHOWN)
            images = _images(paths, old if kind == REMOVED else new, first)
            title = f"{TITLES[kind]}: {counted(len(part), 'image')}"
            sections.append({"title": title, "images": images, "more": len(part) - len(first)})
    title = f"{paths.params.project.name}, {new.use} data: {names[0]} → {names[1]}"
    html = templates().get_template("diff.html.j2").render(title=title, words=words, sections=sections)
    path = paths.reports / f"data-{new.use}-{plain(names[0])}-{plain(names[1])}.html"
    write_atomically(path, html)
    return path


def _images(paths: Paths, version: Version, part: pd.DataFrame) -> list[dict[str, Any]]:
    wanted = list(zip(part["path"].astype(str), part["sha256"].astype(str), strict=True))
    found = archive.pictures(paths, version, wanted)
    was, now = part["was"].fillna(""), part["now"].fillna("")
    return [
        {"path": path, "change": _change(kind, before, after), **_thumbnail(found.get(path, b""))}
        for (path, _), kind, before, after in zip(wanted, part["kind"], was, now, strict=True)
    ]


def _change(kind: str, was: str, now: str) -> str:
    if kind == RENAMED:
        return f"was {was}"
    if kind in {ADDED, REMOVED}:
        return was or now or UNLABELLED
    return f"{was or UNLABELLED} → {now or UNLABELLED}"


def _thumbnail(data: bytes) -> dict[str, Any]:
    """Address of a thumbnail, empty where the bytes are no image; whether it is `small` (shown pixel by pixel)."""
    try:
        image = open_image(data)
        image.draft(None, (SIDE, SIDE))
        pixels = to_rgb(image)
    except UnreadableImage:
        return {"src": "", "small": False}
    small = max(pixels.size) <= SMALL_SIDE
    pixels.thumbnail((SIDE, SIDE))
    buffer = BytesIO()
    pixels.save(buffer, "PNG" if small else "WEBP", quality=80)
    return {"src": data_address(buffer.getvalue(), "png" if small else "webp"), "small": small}
