"""Names that become parts of paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline import names

BAD = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "a\\b",
    "/x",
    "a b",
    "a\nb",
    "a\x1b[2J",
    "-rf",
    ".x",
    "x" * 129,
    "a\u202eb",
    "a:b",
    "a@b",
]


@pytest.mark.parametrize("name", BAD)
def test_what_leads_elsewhere_is_no_name(name: str) -> None:
    """Dots, slashes, signs that nobody sees, and what is too long for a file."""
    with pytest.raises(ValueError, match="key = "):
        names.check("key", name)


@pytest.mark.parametrize("name", ["r1", "r1+2", "my-parts_2.1", "猫", "prüfung"])
def test_usual_names_are_names(name: str) -> None:
    """Letters and digits of any script, and what people put between them."""
    names.check("key", name)
    assert names.plain(name) == name


@given(st.text())
def test_any_text_made_plain_stays_in_its_folder(text: str) -> None:
    """It is one part of a path, and short enough for a file system."""
    made = names.plain(text)
    assert Path("/folder", made).parent == Path("/folder", made).resolve().parent == Path("/folder")
    assert len(made.encode()) <= names.LONGEST
