"""Real handwritten digits, and printed glyphs made to look as they do: 32×32, 8-bit grey, bright ink on black.

The digits were binary 32×32 bitmaps whose ink filled the height; each of their 8×8 pixels counts the ink in a 4×4 block
(scikit-learn, "Optical recognition of handwritten digits"). The glyphs go the same way, so that what a backbone learns
from them carries over.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import distribution
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDE = 32
"""Height and width of every written image, pixels."""
BLOCK = 4
"""Height and width of the block that one stored pixel of a digit counts: 8×8 pixels, levels 0 … 16."""
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
GLYPHS_PER_CLASS = 150
PROCESSES = 8
"""Processes that print glyphs, at most: more would take longer to start than they save."""
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
_NODES = (0, 30, 48, 66, 96)  # of the warp's mesh, pixels: the inner ones lie around the ink
_GRID = np.stack(np.meshgrid(_NODES, _NODES), -1) - _CANVAS / 2  # (row, column, xy) of the nodes around the middle
_CELLS = [(left, top, right, bottom) for top, bottom in pairwise(_NODES) for left, right in pairwise(_NODES)]
_WIDTHS = (6, 25)  # of the ink in the bitmap, pixels: as narrow and as wide as that of the digits


def enlarge(levels: np.ndarray) -> Image.Image:
    """8×8 levels (0 … 16) as a 32×32 image; Pillow's bicubic works in integers, alike on every machine."""
    grey = np.round(levels * (255 / BLOCK**2)).astype(np.uint8)
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def digits() -> Iterator[tuple[str, int, Image.Image]]:
    """Label, number and image of each digit."""
    # The table that `load_digits` reads: the package takes ten times as long to import.
    table = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    rows = np.loadtxt(str(table), delimiter=",")
    for number, (*levels, label) in enumerate(rows):
        yield str(int(label)), number, enlarge(np.reshape(levels, (8, 8)))


def glyphs() -> Iterator[tuple[str, int, Image.Image]]:
    """Label, number and image of each glyph."""
    with ProcessPoolExecutor(min(PROCESSES, os.cpu_count() or 1)) as pool:
        for found in pool.map(_glyphs_of, range(len(CHARACTERS))):
            for label, number, levels in found:
                yield label, number, enlarge(levels)


def _glyphs_of(index: int) -> list[tuple[str, int, np.ndarray]]:
    """All glyphs of a character."""
    prints, found = _prints(CHARACTERS[index]), []
    for number in range(GLYPHS_PER_CLASS):
        # Seeded by place: no glyph depends on those before it.
        rng = np.random.default_rng((index, number))
        found.append((CHARACTERS[index], number, _levels(prints[rng.integers(len(prints))], rng)))
    return found


def _prints(character: str) -> list[Image.Image]:
    """The character in every font and weight, blurred a little: a threshold then makes the stroke bolder or finer."""
    from matplotlib import get_data_path

    prints = []
    for name in FONTS:
        font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", _EM)
        for stroke in _strokes(name):
            image = Image.new("L", (_CANVAS, _CANVAS))
            draw = ImageDraw.Draw(image)
            draw.text((_CANVAS / 2, _CANVAS / 2), character, fill=255, font=font, anchor="mm", stroke_width=stroke)
            prints.append(image.filter(ImageFilter.GaussianBlur(1.3)))
    return prints


def _strokes(font: str) -> tuple[float, ...]:
    """Pixels to thicken the font by, towards a pen's stroke: hairlines would break, bold print would fill."""
    if "Bol" in font or font == "cmb10":
        return (0.0,) if font.startswith("DejaVu") else (0.5,)
    return (0.0, 1.0, 2.0) if "Sans" in font or font in {"cmss10", "cmtt10"} else (1.0, 2.0)


def _levels(printed: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """The glyph warped, cropped to its ink, counted in blocks and made noisy: (8, 8) levels 0 … 16."""
    bitmap = _fit(_warp(printed, rng), threshold=rng.uniform(90, 150), stretch=np.exp(rng.uniform(-0.2, 0.2)))
    levels = bitmap.reshape(SIDE // BLOCK, BLOCK, SIDE // BLOCK, BLOCK).sum((1, 3))
    # Paper stays clean, as it is around the digits.
    noisy = np.round(levels + rng.normal(0, 0.7, levels.shape) * (levels > 0))
    return np.asarray(np.clip(noisy, 0, BLOCK**2))


def _fit(image: Image.Image, *, threshold: float, stretch: float) -> np.ndarray:
    """The ink above `threshold`, as high as the bitmap and in its middle: (32, 32) bool."""
    ink = np.asarray(image) > threshold
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    box = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    width = int(np.clip(round(SIDE * stretch * (box[2] - box[0]) / (box[3] - box[1])), *_WIDTHS))
    start = (SIDE - width) // 2
    bitmap = np.zeros((SIDE, SIDE), bool)
    bitmap[:, start : start + width] = (
        np.asarray(image.resize((width, SIDE), Image.Resampling.BILINEAR, box)) > threshold
    )
    return bitmap


def _warp(printed: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rotate and shear the whole, then move the nodes of a mesh: strokes bend as they do under a hand."""
    angle, shear = np.deg2rad(rng.uniform(-12, 12)), rng.uniform(-0.3, 0.3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1, shear], [0, 1]]
    nodes = _GRID @ turn.T + _CANVAS / 2 + np.clip(rng.normal(0, 3, _GRID.shape), -6, 6)
    # Pillow wants each cell's corners from the upper left one counter-clockwise.
    corners = np.concatenate([nodes[:-1, :-1], nodes[1:, :-1], nodes[1:, 1:], nodes[:-1, 1:]], -1).reshape(-1, 8)
    mesh = list(zip(_CELLS, corners.tolist(), strict=True))
    return printed.transform(printed.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)
