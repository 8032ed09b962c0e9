"""Data sets that need no download: handwritten digits, printed glyphs, and images made by formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.embedded import characters, fractals
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

DIGITS, GLYPHS = "embedded:digits", "embedded:glyphs"


def check(name: str) -> None:
    """Raise DataError where there is no embedded data set of this name."""
    if name not in {DIGITS, GLYPHS} and not fractals.is_named(name):
        known = f"{DIGITS}, {GLYPHS}, {fractals.NAME} and {fractals.NAME}:CLASSESxIMAGES"
        raise DataError(f"{name}: there is no such embedded data set; known are {known}")


def write(name: str, folder: Path) -> int:
    """Write the embedded data set `name` to `folder`/CLASS/NNNN.png and return the number of images.

    The same versions of the libraries give the same bytes. Raises DataError for an unknown name.
    """
    check(name)
    if fractals.is_named(name):
        return fractals.write(name, folder)
    count = 0
    for label, number, image in (characters.digits if name == DIGITS else characters.glyphs)():
        path = folder / label / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Stored, not deflated: as small on disk (one block), quicker, and the bytes do not hang on the zlib in use.
        image.save(path, compress_level=0)
        count += 1
    return count
