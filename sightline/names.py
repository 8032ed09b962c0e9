"""Names that become parts of paths: projects, test releases, registered models, pages."""

from __future__ import annotations

LONGEST = 128
"""Bytes of a name: what is put before and behind it must fit the 255 of a file system."""
FORBIDDEN = frozenset("/\\:@%\"'<>|*?")


def check(key: str, name: str) -> None:
    """Raise ValueError where `name`, the value of `key`, is no name: what leads elsewhere, or cannot be seen."""
    if not name or name[0] in ".-" or any(_is_odd(letter) for letter in name):
        raise ValueError(
            f"{key} = {name!r} becomes part of paths: it must not be empty, begin with . or -, nor hold blanks, "
            "control characters, quotes or any of / \\ : @ % < > | * ?"
        )
    if len(name.encode()) > LONGEST:
        raise ValueError(f"{key} = {name[:20]}… has {len(name.encode())} bytes: a name has at most {LONGEST}")


def plain(text: str) -> str:
    """A name made of any text, by which nothing is found elsewhere: part of the path of a page or a record."""
    name = "".join(letter if letter.isalnum() or letter in "-_.+" else "-" for letter in text).lstrip(".-")
    while len(name.encode("utf-8", "replace")) > LONGEST:
        name = name[:-1]
    return name or "-"


def _is_odd(letter: str) -> bool:
    return letter in FORBIDDEN or letter.isspace() or not letter.isprintable()
