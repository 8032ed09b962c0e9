"""Numbers as people write them."""

from __future__ import annotations

import pytest

from sightline.words import brief, counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [(0, "image", "0 images"), (1, "class", "1 class"), (2, "class", "2 classes"), (1500, "image", "1,500 images")],
)
def test_number_and_noun_agree(number: int, noun: str, said: str) -> None:
    """One of a thing, several of them, and none; thousands are set apart."""
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one two; three", "one two; three"),
        ("one two; three four; five six", "one two; 2 more"),
        ("one two three four five six", "one two three four five…"),
    ],
)
def test_long_text_keeps_the_clauses_that_fit(text: str, said: str) -> None:
    """Of five words at most: whole clauses with the number of the others, or the first words."""
    assert brief(text, 5) == said
