"""Images with their answers drawn on them, for people to look through."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

from sightline.errors import ConfigError
from sightline.heads.labels import shown
from sightline.heads.located import told
from sightline.images.outlined import Outline, outline
from sightline.images.reading import inspect, open_image, upright_size
from sightline.names import plain
from sightline.serve.files import doubt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sightline.serve.images import Source

SHORTEST, LONGEST = 320, 1600
"""Pixels of the longer side: smaller images are enlarged, larger ones reduced."""
LETTERS = 0.045
"""Height of the letters, as a share of the picture's width."""
SMALLEST, LARGEST = 13, 40
"""Of the letters, pixels."""
SURE, UNSURE = (22, 101, 52), (146, 64, 14)
"""Colours of the band below: an answer, and one that a person had better give."""
COLOURS = ((37, 99, 235), (190, 24, 93), (21, 128, 61), (180, 83, 9), (109, 40, 217), (15, 118, 110), (185, 28, 28))
"""Of boxes, by class."""
OWN = b"drawn by sightline predict"
"""The comment in each picture: by it the next run knows which ones it may replace."""
STARTS = 256
"""Bytes of a picture in which its comment stands."""


def check_apart(images: Iterable[Source], folder: Path) -> None:
    """Raise ConfigError where a picture in `folder` would have the name of one of the `images`."""
    asked = _files(one.file for one in images)
    for image in images:
        place = _place(folder, image)
        if _files([place]) & asked:
            raise ConfigError(f"--draw {folder}: {place.name} in it is one of the images: name another folder")


def draw(images: Sequence[Source], rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write a JPEG with its answer below into `folder` for each of the `rows` that has one; the files.

    Named as the image is; where several are named alike, or a file is there that was not drawn here, with a number.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []
    taken = _files(one.file for one in images)
    classes = sorted({box["label"] for row in rows for box in row.get("boxes", ())})
    for image, row in zip(images, rows, strict=True):
        if "error" in row:
            continue
        place = _free(_place(folder, image), taken)
        _drawn(image.read(), row, classes).save(place, "JPEG", quality=90, comment=OWN)
        made.append(place)
        taken |= _files([place])
    return made


def _lines(row: dict[str, Any]) -> list[str]:
    """What is written: how many boxes there are, or each class that was asked for with its probability; and doubts."""
    if "boxes" in row:
        return [told(box["label"] for box in row["boxes"]), *([why] if (why := doubt(row)) else [])]
    top = row.get("top") or [row]
    said = [f"{shown(one['label'])}  {100 * one['probability']:.1f} %" for one in top]
    return [*said, *([why] if (why := doubt(row)) else [])]


def _drawn(data: bytes, row: dict[str, Any], classes: Sequence[str]) -> Image.Image:
    _, picture = inspect(data, LONGEST)
    picture = _sized(picture).convert("RGB")
    if row.get("boxes"):
        outline(picture, _outlines(data, row["boxes"], picture, classes), _letters(SMALLEST))
    texts = _lines(row)
    font = _font(texts, picture.width)
    line = sum(font.getmetrics())
    band = Image.new("RGB", (picture.width, picture.height + line * len(texts) + line // 2), _ground(row))
    band.paste(picture, (0, 0))
    pen = ImageDraw.Draw(band)
    for number, text in enumerate(texts):
        pen.text((line // 3, picture.height + line // 4 + number * line), text, fill="white", font=font)
    return band


def _outlines(
    data: bytes, boxes: Sequence[dict[str, Any]], picture: Image.Image, classes: Sequence[str]
) -> list[Outline]:
    """The boxes of an image as they lie in the `picture` of it, the surest on top; a colour for each class."""
    width, height = upright_size(open_image(data))
    across, down = picture.width / width, picture.height / height
    return [
        Outline(
            (box["x1"] * across, box["y1"] * down, box["x2"] * across, box["y2"] * down),
            COLOURS[classes.index(box["label"]) % len(COLOURS)],
            f"{box['label']} {100 * box['probability']:.0f} %",
        )
        for box in reversed(boxes)
    ]


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


def _place(folder: Path, image: Source) -> Path:
    return folder / f"{plain(Path(image.name).stem)}.jpg"


def _free(wanted: Path, taken: set[tuple[int, int]]) -> Path:
    """`wanted`, or with the first number that leaves alone what is `taken` and what was not drawn here."""
    place, number = wanted, 1
    while place.is_symlink() or _files([place]) & taken or not _may_be_replaced(place):
        number += 1
        place = wanted.with_stem(f"{wanted.stem}-{number}")
    return place


def _may_be_replaced(place: Path) -> bool:
    if not place.exists():
        return True
    with suppress(OSError), place.open("rb") as file:
        return OWN in file.read(STARTS)
    return False


def _files(places: Iterable[Path]) -> set[tuple[int, int]]:
    """Those of the places that are there, as the disk knows them, whatever their names."""
    found = set()
    for place in places:
        with suppress(OSError):
            stat = place.stat()
            found.add((stat.st_dev, stat.st_ino))
    return found
