"""What an image looks like in a few numbers: how bright, how sharp, how much there is to see, and a perceptual hash.

Every number is made of integers, or rounded: the same pixels give the same numbers on every machine.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Window = tuple[float, float, float, float]

COLUMNS: dict[str, str] = {
    "phash": "string",  # 63 bits as 16 hexadecimal digits: signs of the lowest frequencies, the lowest bit first
    "brightness": "Float64",  # mean grey level, 0 black … 1 white
    "contrast": "Float64",  # standard deviation of the grey levels, 0 … 0.5
    "dark_end": "Float64",  # grey level that 5 % of the pixels do not exceed
    "bright_end": "Float64",  # grey level that 95 % of the pixels do not exceed
    "entropy": "Float64",  # bits per pixel of the histogram of grey levels, 0 … 8
    "sharpness": "Float64",  # spread of the second differences of the grey levels over their spread
    "camera": "string",  # maker and model by EXIF; null where the file does not say
    "taken": "string",  # when, by EXIF and the camera's clock: YYYY-MM-DD HH:MM:SS
}
"""Column of the manifest → pandas type."""
THUMBNAIL = "thumbnail"
"""Key of the thumbnail's bytes among the statistics: what near duplicates are found by; too large for the manifest."""
SIDE = 32
"""Height and width of the thumbnail, pixels."""
HASHED = SIDE // 2
"""Height and width of what the hash is made of, pixels."""
ROUGH = 5
"""Images of which both sides are so many times that of the thumbnail are halved before it is made."""
FREQUENCIES = 8
"""Cosines each way whose signs make the hash."""
LARGEST = 256
"""Longer sides than this are reduced first, pixels: sharpness compares only at like sizes."""
FAINT = 1.0
"""Below this spread, in grey levels, what varies is noise."""
WHOLE = ((0.0, 1.0, 0.0, 1.0),)
"""The one window that is the whole image: top, bottom, left and right."""
_LEVELS = np.arange(256)
_POWERS = _LEVELS ** np.arange(3)[:, None]
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
"""How EXIF writes a time."""


def statistics(image: Image.Image) -> dict[str, Any]:
    """Take the numbers of COLUMNS and the THUMBNAIL (bytes: SIDE rows of SIDE levels) of a decoded grey image."""
    grey = reduced(image)
    # In two steps, which is faster: halved first where enough is left.
    small = grey.reduce(2) if min(grey.size) >= ROUGH * SIDE else grey
    thumbnail, histogram = np.asarray(shrink(small, SIDE)), np.array(grey.histogram())
    return {
        "phash": f"{int(hashes(half(thumbnail[None]), WHOLE)[0, 0]):016x}",
        **_levels(histogram),
        "sharpness": _sharpness(np.asarray(grey), _spread(histogram)),
        **_origin(image),
        THUMBNAIL: thumbnail.tobytes(),
    }


def reduced(grey: Image.Image) -> Image.Image:
    """The grey image with its sides divided by the smallest whole number that leaves none above LARGEST."""
    return grey.reduce(max(1, -(-max(grey.size) // LARGEST)))


def shrink(grey: Image.Image, side: int, box: tuple[float, float, float, float] | None = None) -> Image.Image:
    """Shrink the grey image, or its window `box` (left, top, right, bottom, pixels), to a square of `side` pixels.

    Bicubic with antialiasing: a copy at half the size shrinks to nearly the same pixels, which a box filter misses.
    """
    return grey.resize((side, side), Image.Resampling.BICUBIC, box=box)


def cosines(low: float, high: float) -> NDArray[np.float64]:
    """Make the lowest cosines over the window `low` … `high` (shares of the side): (FREQUENCIES, HASHED).

    Whole numbers, so that sums of products with grey levels are exact in whatever order a machine adds them.
    """
    points = (np.arange(512) + 0.5) / 512
    waves = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * points)
    result: NDArray[np.float64] = np.round(
        waves @ interpolate(np.array([low, high]), points, HASHED) * (1024 / len(points))
    )
    return result


def half(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Thumbnails (N, SIDE, SIDE) at half the size, (N, HASHED, HASHED)."""
    fours = thumbnails.reshape(-1, HASHED, 2, HASHED, 2).sum((2, 4), dtype=np.uint16)
    halves: NDArray[np.uint8] = ((fours + 2) // 4).astype(np.uint8)
    return halves


def interpolate(ends: NDArray[np.float64], points: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Make the matrices (…, P, side) that read a line of pixels at P `points` (0 … 1) of its window.

    `ends` (…, 2): where the window begins and ends, shares of the side.
    """
    low, high = ends[..., :1], ends[..., 1:]
    position = np.clip((low + points * (high - low)) * side - 0.5, 0, side - 1)
    # Linear: a pixel counts the less the further away it lies, and not at all beyond its neighbours.
    matrices: NDArray[np.float64] = np.maximum(
        0, 1 - np.abs(position[..., None] - np.arange(side, dtype=position.dtype))
    )
    return matrices


def hashes(thumbnails: NDArray[np.uint8], windows: tuple[Window, ...]) -> NDArray[np.uint64]:
    """Signs of the lowest frequencies in W windows of N halved thumbnails, (N, W): 63 bits, the lowest frequency first.

    A window is its top, bottom, left and right, shares of the side.
    """
    waves, places = _waves(windows)
    coefficients = waves @ thumbnails.astype(np.float64) @ waves.T
    bits = np.zeros((len(thumbnails), len(windows), 64), dtype=bool)
    bits[..., :-1] = coefficients.reshape(len(thumbnails), -1)[:, places] > 0
    packed: NDArray[np.uint64] = np.packbits(bits, axis=-1, bitorder="little").view("<u8")[..., 0]
    return packed


@cache
def _waves(windows: tuple[Window, ...]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The cosines over every edge that the windows have, and where each window's coefficients lie, (W, 63).

    Windows share edges, so that few sums serve all of them.
    """
    edges = sorted({pair for top, bottom, left, right in windows for pair in ((top, bottom), (left, right))})
    down, across = np.mgrid[:FREQUENCIES, :FREQUENCIES].reshape(2, -1)[:, by_frequency()]
    width = len(edges) * FREQUENCIES
    places = [
        (edges.index((top, bottom)) * FREQUENCIES + down) * width + edges.index((left, right)) * FREQUENCIES + across
        for top, bottom, left, right in windows
    ]
    return np.concatenate([cosines(*edge) for edge in edges]), np.array(places)


@cache
def by_frequency() -> NDArray[np.intp]:
    """Places of the coefficients by rising frequency, without the mean."""
    down, across = np.mgrid[:FREQUENCIES, :FREQUENCIES]
    return np.lexsort((down.ravel(), np.maximum(down, across).ravel(), (down + across).ravel()))[1:]


def _levels(histogram: NDArray[np.int_]) -> dict[str, float]:
    total = histogram.sum()
    below = np.cumsum(histogram)
    shares = histogram[histogram > 0] / total
    return {
        "brightness": _share((histogram @ _LEVELS) / total),
        "contrast": _share(_spread(histogram)),
        "dark_end": _share(np.searchsorted(below, 0.05 * total)),
        "bright_end": _share(np.searchsorted(below, 0.95 * total)),
        "entropy": round(float(-(shares @ np.log2(shares))) + 0.0, 4),
    }


def _spread(histogram: NDArray[np.int_]) -> float:
    """Standard deviation of the grey levels, from whole numbers."""
    total, first, second = map(int, _POWERS @ histogram)
    return math.sqrt(total * second - first * first) / total


def _share(level: Any) -> float:
    return round(float(level) / 255, 4)


def _sharpness(grey: NDArray[np.uint8], spread: float) -> float:
    """0 where nothing varies; noise of one grey level in a blank image is no sharpness."""
    if min(grey.shape) < 3 or spread < FAINT:  # noqa: PLR2004 — a second difference spans three pixels
        return 0.0
    wide = grey.astype(np.int16)
    inner = 4 * wide[1:-1, 1:-1]
    for neighbours in (wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]):
        inner -= neighbours
    # Whole numbers far below 2⁵³: exact in whatever order they are added.
    line = inner.ravel().astype(np.float64)
    first, second = int(line.sum()), int(line @ line)
    return round(math.sqrt(inner.size * second - first * first) / inner.size / spread, 4)


def _origin(image: Image.Image) -> dict[str, str | None]:
    """Camera and time; None where the file does not say, or says it in a way that nobody can read."""
    if "exif" not in image.info:
        return {"camera": None, "taken": None}
    try:
        exif = image.getexif()
        names = [_text(exif.get(tag)) for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
        when = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
        match = _TIME.fullmatch(_text(when))
    except Exception:  # noqa: BLE001 — Pillow raises what it likes on damaged EXIF; the picture is fine all the same
        return {"camera": None, "taken": None}
    taken = "{}-{}-{} {}".format(*match.groups()) if match else None
    return {"camera": " ".join(name for name in names if name) or None, "taken": taken}


def _text(value: Any) -> str:
    return "" if value is None else str(value).replace("\0", "").strip()
