"""Images with their answers drawn on them, for people to look through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from sightline.heads.labels import shown
from sightline.images.reading import inspect
from sightline.names import plain
from sightline.serve.files import doubt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.serve.images import Source

SHORTEST, LONGEST = 320, 1600
"""Pixels of the longer side: smaller images are enlarged, larger ones reduced."""
LETTERS = 0.045
"""Height of the letters, as a share of the picture's width."""
SMALLEST, LARGEST = 13, 40
"""Of the letters, pixels."""
SURE, UNSURE = (22, 101, 52), (146, 64, 14)
"""Colours of the band below: an answer, and one that a person had better give."""


def draw(images: Sequence[Source], rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write a JPEG with its answer below into `folder` for each of the `rows` that has one; the files.

    Named as the image is; where several are named alike, with a number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    for image, row in zip(images, rows, strict=True):
        if "error" in row:
            continue
        place = _free(folder, plain(Path(image.name).stem), made)
        _drawn(image.read(), row).save(place, "JPEG", quality=90)
        made.append(place)
    return made


def _lines(row: dict[str, Any]) -> list[str]:
    """What is written: each class that was asked for with its probability, and why a person had better look."""
    top = row.get("top") or [row]
    said = [f"{shown(one['label'])}  {100 * one['probability']:.1f} %" for one in top]
    return [*said, *([why] if (why := doubt(row)) else [])]


def _drawn(data: bytes, row: dict[str, Any]) -> Image.Image:
    _, picture = inspect(data, LONGEST)
    picture = _sized(picture)
    texts = _lines(row)
    font = _font(texts, picture.width)
    line = sum(font.getmetrics())
    band = Image.new("RGB", (picture.width, picture.height + line * len(texts) + line // 2), _ground(row))
    band.paste(picture, (0, 0))
    pen = ImageDraw.Draw(band)
    for number, text in enumerate(texts):
        pen.text((line // 3, picture.height + line // 4 + number * line), text, fill="white", font=font)
    return band


def _ground(row: dict[str, Any]) -> tuple[int, int, int]:
    return UNSURE if row.get("abstain") else SURE


def _sized(picture: Image.Image) -> Image.Image:
    longest = max(picture.size)
    factor = max(1.0, SHORTEST / longest) * min(1.0, LONGEST / longest)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def _font(texts: Sequence[str], width: int) -> ImageFont.FreeTypeFont:
    """Letters that the longest line fits in, if they need not be smaller than people read."""
    size = round(min(LARGEST, max(SMALLEST, LETTERS * width)))
    longest = max(_letters(size).getlength(text) for text in texts)
    return _letters(max(SMALLEST, min(size, int(size * (width - size) / max(longest, 1)))))


def _letters(size: int) -> ImageFont.FreeTypeFont:
    # Latin, Greek, Cyrillic and more; Pillow's own has Latin alone.
    from matplotlib import get_data_path

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)


def _free(folder: Path, stem: str, made: Sequence[Path]) -> Path:
    """A file that none of those `made` is."""
    taken, number = set(made), 1
    place = folder / f"{stem}.jpg"
    while place in taken:
        number += 1
        place = folder / f"{stem}-{number}.jpg"
    return place
