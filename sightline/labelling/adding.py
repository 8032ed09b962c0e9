"""Captured images on their way into the raw folder: where they go there, and what its table says of them then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.adding import longer, place
from sightline.data.labels.given import CAPTURED
from sightline.data.sources import tables
from sightline.data.sources.label_sets import SEVERAL
from sightline.heads.labels import LABELS
from sightline.images.reading import EXTENSIONS, open_image
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths

SMALL = "only small pictures or none were kept of them: with capture.keep: images, answers from then on can join it"


def files(paths: Paths, images: Mapping[str, tuple[str, bytes]]) -> tuple[dict[Path, bytes], str]:
    """The files to be written for `images`, digest → label and file; or why the raw folder cannot take any.

    Labels come from data/labels, by content, whatever the folder says; a table has to list each image all the same.
    """
    below, unable = place(paths, "target")
    if unable:
        return {}, unable
    raw = paths.raw("target")
    named = {digest: f"{below}{CAPTURED}/{digest}{_suffix(data)}" for digest, (_, data) in images.items()}
    found = {raw / named[digest]: data for digest, (_, data) in images.items()}
    labels = LABELS[paths.params.task_of("target")]
    if images and not labels.are_boxes and (table := tables.find(raw)):
        several = {SEVERAL: True} if labels.are_sets else {}
        lines = [{"path": named[digest], "label": label, **several} for digest, (label, _) in images.items()]
        found[table] = longer(table, lines)
    return found, ""


def sentence(missing: int, unable: str) -> str:
    """That so many images did not join the data set, and why."""
    return f"{counted(missing, 'image')} did not join the data set: {unable or SMALL}"


def _suffix(data: bytes) -> str:
    return EXTENSIONS[str(open_image(data).format)][0]
