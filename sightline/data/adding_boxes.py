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
from sightline.digests import file_digest

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from sightline.data.annotations import Annotations

DIGITS = 12
"""Of the digest."""


def fresh(found: Annotations, stage: Path, held: Container[str]) -> dict[str, str]:
    """Path of each usable image whose content is not among those `held`, each content once → its name in a raw folder.

    A split that the annotations or folders give becomes its folder.
    """
    names: dict[str, str] = {}
    for image, _ in found.each():
        digest, path = file_digest(stage / image.path), PurePosixPath(image.path)
        name = f"{image.split}/" if image.split else ""
        name += f"{path.stem}-{digest[:DIGITS]}{path.suffix}"
        if digest not in held and name not in names.values():
            names[image.path] = name
    return names


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
