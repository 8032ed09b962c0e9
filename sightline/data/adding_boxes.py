"""Images with boxes on their way into a raw folder that holds such: a folder of their own, with a COCO JSON.

Whatever form the others have, both are read together. The new files carry a part of their digest in their names: an
annotation that was there before can mean none of them.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sightline.data.annotations import coco
from sightline.data.annotations.conversion import JSON
from sightline.data.annotations.described import Box
from sightline.data.annotations.table import agree
from sightline.digests import file_digest
from sightline.heads import located
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from pathlib import Path

    from sightline.data.annotations import Annotations

DIGITS = 12
"""Of the digest."""


def digests(found: Annotations, stage: Path) -> dict[str, str]:
    """Path of each usable image → digest of its content."""
    return {image.path: file_digest(stage / image.path) for image, _ in found.each()}


def fresh(found: Annotations, contents: Mapping[str, str], held: Container[str]) -> dict[str, str]:
    """Path of each usable image whose content is not among those `held`, each content once → its name in a raw folder.

    A split that the annotations or folders give becomes its folder.
    """
    names: dict[str, str] = {}
    for image, _ in found.each():
        digest, path = contents[image.path], PurePosixPath(image.path)
        name = f"{image.split}/" if image.split else ""
        name += f"{path.stem}-{digest[:DIGITS]}{path.suffix}"
        if digest not in held and name not in names.values():
            names[image.path] = name
    return names


def doubts(found: Annotations, contents: Mapping[str, str], held: Mapping[str, tuple[str, str]]) -> list[str]:
    """That some images have other boxes in the set; `held`: digest → path and label there."""
    other = []
    for image, boxes in found.each():
        path, label = held.get(contents[image.path], ("", ""))
        if label and not agree(tuple(boxes), tuple(map(Box.of, located.read(label)[2]))):
            other.append(path)
    if not other:
        return []
    said = f"{counted(len(other), 'image')} that the set holds came with other boxes, too: {visible(other[0])}, whose"
    return [f"{said} boxes stay (`sightline data label export --all`, then `import`, changes boxes)"]


def write(found: Annotations, stage: Path, names: dict[str, str], folder: Path) -> None:
    """Move these images from the `stage` into the new `folder`, with their boxes beside them."""
    folder.mkdir()
    for path, name in names.items():
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.move(stage / path, folder / name)
    images, boxes = (table[table["path"].isin(names)] for table in (found.images, found.boxes))
    renamed = replace(
        found,
        images=images.assign(path=images["path"].map(names)),
        boxes=boxes.assign(path=boxes["path"].map(names)),
    )
    coco.write(renamed, folder / JSON)


def unused(raw: Path, name: str) -> Path:
    """A folder of that name in the raw folder, or with a number behind it, that is not there yet."""
    folder, number = raw / name, 1
    while folder.exists():
        number += 1
        folder = raw / f"{name}-{number}"
    return folder
