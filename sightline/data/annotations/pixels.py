"""Images with boxes as training takes them: letterboxed, in memory, with their targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from sightline.data.loader import Images
from sightline.heads.labels import DETECT
from sightline.heads.targets import CLASS, CROWD, DIFFICULT, OBJECT, packed
from sightline.images.letterbox import letterbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sightline.data.annotations.described import Box
    from sightline.data.annotations.table import Annotations, Image
    from sightline.images.boxes import Floats
    from sightline.images.placement import Placement


def located(
    found: Annotations, folder: Path, size: int, wanted: Callable[[Image], bool]
) -> tuple[Images, list[Placement], list[Floats]]:
    """The usable images that are `wanted`, in squares of `size` pixels.

    Beside them how each lies in its square, and its boxes (k, 6) in pixels of the image: what answers are held against
    once they are `back` there. Raises UnreadableImage where the pixels of one are damaged.
    """
    classes = found.classes
    pixels, placements, truth, inside = [], [], [], []
    for image, boxes in found.each():
        if not wanted(image):
            continue
        square, place = letterbox((folder / image.path).read_bytes(), size)
        pixels.append(square)
        placements.append(place)
        truth.append(_rows(boxes, classes))
        inside.append(moved(truth[-1], place.into))
    shown = torch.from_numpy(np.stack(pixels)) if pixels else torch.empty(0, size, size, 3, dtype=torch.uint8)
    return Images(shown.permute(0, 3, 1, 2), torch.from_numpy(packed(inside)), classes, task=DETECT), placements, truth


def moved(rows: Floats, how: Callable[[Floats], Floats]) -> Floats:
    """Boxes or answers (k, 6) with their edges where `how` puts them."""
    return np.concatenate([how(rows[:, :CLASS]), rows[:, CLASS:]], axis=1)


def _rows(boxes: Sequence[Box], classes: tuple[str, ...]) -> Floats:
    kinds = [CROWD if box.crowd else DIFFICULT if box.difficult else OBJECT for box in boxes]
    rows = [(*box.edges, classes.index(box.label), kind) for box, kind in zip(boxes, kinds, strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, CLASS + 2)
