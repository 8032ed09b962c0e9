"""What a file that holds images inside gives, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data.sources.item import plain
from sightline.errors import DataError
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Picture(NamedTuple):
    """An image inside of a file."""

    data: bytes | None
    """As of a file of its own; None where the row holds none."""
    label: str | None
    split: str | None = None
    group: str | None = None
    several: bool = False
    """The label is the text of a set."""
    objects: dict[str, list[Any]] | None = None
    """Boxes (left, top, width, height, pixels) and categories, as many, where the set tells these instead of labels."""


@dataclass(frozen=True)
class Opened:
    """A file, and how it is read."""

    how: str
    """Which of its parts are images and labels."""
    pictures: Iterator[Picture]
    are_boxes: bool = False


def broken(file: Path, error: Exception) -> DataError:
    """That a file cannot be read, and what helps."""
    what = visible(" ".join(str(error).split()))[:200] or type(error).__name__
    return DataError(f"{file} cannot be read: {what}; download or write it again")


def class_of(value: Any, names: Sequence[str], where: str) -> str | None:
    """The class that a value tells, a number as its name where there are `names`; None where nobody has said it.

    Raises DataError where it is none.
    """
    if value is None or value != value:  # noqa: PLR0124 — how a missing number is told
        return None
    if isinstance(value, bytes):
        value = value.decode(errors="backslashreplace")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool | str) or not isinstance(value, int | float):
        return plain(str(value))
    if isinstance(value, float):
        raise DataError(f"{where}: {value:g} is the name or the number of no class")
    if not names:
        return str(value)
    if value == -1:
        return None  # as Hugging Face marks what is held back
    if not 0 <= value < len(names):
        raise DataError(f"{where}: there is no class {value} among {len(names)}")
    return plain(names[value])
