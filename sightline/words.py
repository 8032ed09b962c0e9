"""Texts for people: numbers in words, and names of strangers without what would act on a terminal or a spreadsheet."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`, `1,000 classes`."""
    plural = noun + ("es" if noun.endswith(("s", "x")) else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def with_verb(number: int, one: str, several: str) -> str:
    """`1 looks`, `2 look`, `1,000 are`: the number before the form of the verb that agrees with it."""
    return f"{number:,} {one if number == 1 else several}"


def tally(numbers: Mapping[str, int], most: int = 20) -> str:
    """`2 classes: cat 120, dog 80`: the numbers of images by class, of that many classes at most."""
    named = ", ".join(f"{visible(name)} {number:,}" for name, number in sorted(numbers.items())[:most])
    more = f" and {len(numbers) - most:,} more" if len(numbers) > most else ""
    return f"{counted(len(numbers), 'class')}{': ' if numbers else ''}{named}{more}"


def brief(text: str, most: int) -> str:
    """The text in that many words at most: as many of its clauses as fit and how many more there are, else cut."""
    if len(text.split()) <= most:
        return text
    clauses = text.split("; ")
    for kept in range(len(clauses) - 1, 0, -1):
        said = f"{'; '.join(clauses[:kept])}; {len(clauses) - kept} more"
        if len(said.split()) <= most:
            return said
    return f"{' '.join(text.split()[:most])} …".replace(" …", "…")


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean epochs?)` for a sentence, where one of the `known` names is like `name`; else nothing."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def visible(text: str, *, lines: bool = False) -> str:
    r"""`text` with what a terminal obeys or does not show (`\x1b`, `\u202e`, line ends) spelled out.

    Line ends and tabs stay where `lines`.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        one if one.isprintable() or one in kept else one.encode("unicode_escape").decode("ascii") for one in text
    )


FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What a spreadsheet takes for the beginning of a formula, or for another cell; in full width too."""


def to_cell(value: str) -> str:
    """A text as a cell of a CSV file: one that a spreadsheet would execute gets an apostrophe in front."""
    return f"'{value}" if _acts(value) else value


def from_cell(cell: str) -> str:
    """The text that `to_cell` made the cell of."""
    return cell[1:] if cell.startswith("'") and _acts(cell) else cell


def _acts(value: str) -> bool:
    # Apostrophes in front count for nothing, so that each is told from the one that was put there.
    bare = value.lstrip("'")
    return not FORMULA.isdisjoint((bare[:1], bare.lstrip()[:1]))
