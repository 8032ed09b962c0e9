"""Numbers in words, as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`, `1,000 classes`."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"
