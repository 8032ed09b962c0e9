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
SIDE = 16
"""Height and width of the thumbnail, pixels."""
FREQUENCIES = 8
"""Cosines each way whose signs make the hash."""
LARGEST = 256
"""Longer sides than this are reduced first, pixels: sharpness compares only at like sizes."""
FAINT = 1.0
"""Below this spread, in grey levels, what varies is noise."""
_LEVELS = np.arange(256)
_TIME = re.compile(r"(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)")
"""How EXIF writes a time."""


def statistics(image: Image.Image) -> dict[str, Any]:
    """Take the numbers of COLUMNS and the THUMBNAIL (bytes: SIDE rows of SIDE grey levels) of a decoded image."""
    grey = image.convert("L")
    grey = grey.reduce(max(1, -(-max(grey.size) // LARGEST)))
    thumbnail, histogram = np.asarray(shrink(grey, SIDE)), np.array(grey.histogram())
    return {
        "phash": f"{int(pack(signs(thumbnail[None], whole()))[0]):016x}",
        **_levels(histogram),
        "sharpness": _sharpness(np.asarray(grey), _spread(histogram)),
        **_origin(image),
        THUMBNAIL: thumbnail.tobytes(),
    }


def shrink(grey: Image.Image, side: int, box: tuple[float, float, float, float] | None = None) -> Image.Image:
    """Shrink the grey image, or its window `box` (left, top, right, bottom, pixels), to a square of `side` pixels.

    Bicubic with antialiasing: a copy at half the size shrinks to nearly the same pixels, which a box filter misses.
    """
    return grey.resize((side, side), Image.Resampling.BICUBIC, box=box)


@cache
def cosines(low: float, high: float) -> NDArray[np.float64]:
    """Make the lowest cosines over the window `low` … `high` (shares of the side): (FREQUENCIES, SIDE), whole numbers.

    Whole numbers, so that sums of products with grey levels are exact in whatever order a machine adds them.
    """
    points = (np.arange(512) + 0.5) / 512
    waves = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * points)
    result: NDArray[np.float64] = np.round(waves @ interpolate(low, high, points, SIDE) * (1024 / len(points)))
    return result


def interpolate(low: float, high: float, points: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Make the matrix (P, side) that reads a line of pixels at P `points` (0 … 1) of its window `low` … `high`."""
    position = np.clip((low + points * (high - low)) * side - 0.5, 0, side - 1)
    left = np.minimum(position.astype(int), side - 2)
    matrix = np.zeros((len(points), side))
    rows = np.arange(len(points))
    matrix[rows, left] = left + 1 - position
    matrix[rows, left + 1] = position - left
    return matrix


def signs(thumbnails: NDArray[np.uint8], windows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Signs of the coefficients of N thumbnails in W windows, (N, W, 63), by rising frequency.

    `windows` (W, 2, FREQUENCIES, SIDE): cosines down and across, as `cosines` gives them.
    """
    down, across = windows[:, 0], windows[:, 1]
    coefficients = down @ thumbnails[:, None].astype(np.float64) @ across.transpose(0, 2, 1)
    return coefficients.reshape(*coefficients.shape[:2], FREQUENCIES**2)[:, :, _by_frequency()] > 0


def pack(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Bits (…, 63) as one number each, the first bit lowest."""
    powers = np.left_shift(np.uint64(1), np.arange(bits.shape[-1], dtype=np.uint64))
    packed: NDArray[np.uint64] = np.where(bits, powers, np.uint64(0)).sum(-1, dtype=np.uint64).ravel()
    return packed


@cache
def whole() -> NDArray[np.float64]:
    """Give the one window that is the whole image, for `signs`."""
    return np.stack([cosines(0.0, 1.0)] * 2)[None]


@cache
def _by_frequency() -> NDArray[np.intp]:
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
    total, first, second = (int(histogram @ power) for power in (_LEVELS**0, _LEVELS, _LEVELS**2))
    return math.sqrt(total * second - first * first) / total


def _share(level: Any) -> float:
    return round(float(level) / 255, 4)


def _sharpness(grey: NDArray[np.uint8], spread: float) -> float:
    """0 where nothing varies; noise of one grey level in a blank image is no sharpness."""
    if min(grey.shape) < 3 or spread < FAINT:  # noqa: PLR2004 — a second difference spans three pixels
        return 0.0
    wide = grey.astype(np.int32)
    inner = 4 * wide[1:-1, 1:-1] - wide[:-2, 1:-1] - wide[2:, 1:-1] - wide[1:-1, :-2] - wide[1:-1, 2:]
    first, second = int(inner.sum()), int((inner * inner).sum())
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
