"""Numbers in words, as people write them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 image`, `2 images`, `1,000 classes`."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


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
