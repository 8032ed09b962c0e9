"""Two data sets that need no download: real handwritten digits, and printed glyphs made to look as they do.

The digits were binary 32×32 bitmaps whose ink filled the height; each of their 8×8 pixels counts the ink in a 4×4 block
(scikit-learn, "Optical recognition of handwritten digits"). The glyphs go the same way, so that what a backbone learns
from them carries over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIDE = 32
"""Height and width of every written image, pixels."""
BLOCK = 4
"""Height and width of the block that one stored pixel of a digit counts: 8×8 pixels, levels 0 … 16."""
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GLYPHS_PER_CLASS = 200
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-BoldOblique", "-Oblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-BoldItalic", "-Italic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "BolIta", "Italic")),
    *("cmb10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
"""Those of matplotlib's fonts that print all of CHARACTERS; the others hold symbols, or old-style digits (cmmi10)."""

_EM = 48  # size of the printed glyph before it is warped, pixels
_CANVAS = 96  # wide enough for every glyph after the largest warp


def write(name: str, folder: Path) -> int:
    """Write the embedded data set `name` to `folder`/CLASS/NNNN.png and return the number of images.

    The images are 32×32, 8-bit grey, bright ink on black; the same versions of the libraries give the same bytes.
    Raises DataError for an unknown name.
    """
    if name not in _SETS:
        raise DataError(f"{name}: there is no such embedded data set; known are {', '.join(_SETS)}")
    count = 0
    for label, number, levels in _SETS[name]():
        path = folder / label / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Stored, not deflated: as small on disk (one block), quicker, and the bytes do not hang on the zlib in use.
        enlarge(levels).save(path, compress_level=0)
        count += 1
    return count


def enlarge(levels: np.ndarray) -> Image.Image:
    """8×8 levels (0 … 16) as a 32×32 image; Pillow's bicubic works in integers, alike on every machine."""
    grey = np.round(levels * (255 / BLOCK**2)).astype(np.uint8)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _digits() -> Iterator[tuple[str, int, np.ndarray]]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (label, levels) in enumerate(zip(digits.target, digits.images, strict=True)):
        yield str(label), number, levels


def _glyphs() -> Iterator[tuple[str, int, np.ndarray]]:
    for index, character in enumerate(CHARACTERS):
        prints = _prints(character)
        for number in range(GLYPHS_PER_CLASS):
            # Seeded by place: no glyph depends on those before it.
            rng = np.random.default_rng((index, number))
            yield character, number, _levels(prints[rng.integers(len(prints))], rng)


def _prints(character: str) -> list[Image.Image]:
    """The character in every font, blurred a little: a threshold then makes the stroke thicker or thinner."""
    from matplotlib import get_data_path

    prints = []
    for name in FONTS:
        font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", _EM)
        image = Image.new("L", (_CANVAS, _CANVAS))
        ImageDraw.Draw(image).text((_CANVAS / 2, _CANVAS / 2), character, fill=255, font=font, anchor="mm")
        prints.append(image.filter(ImageFilter.GaussianBlur(2)))
    return prints


def _levels(a, b):
    raise NotImplementedError


_SETS = {"embedded:glyphs": _glyphs, "embedded:digits": _digits}
