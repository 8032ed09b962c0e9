"""Numbers as people write them."""

from __future__ import annotations

import pytest

from sightline.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [(0, "image", "0 images"), (1, "class", "1 class"), (2, "class", "2 classes"), (1500, "image", "1,500 images")],
)
def test_number_and_noun_agree(number: int, noun: str, said: str) -> None:
    """One of a thing, several of them, and none; thousands are set apart."""
    assert counted(number, noun) == said
