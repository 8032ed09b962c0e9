"""The file of a test release: written once, and sealed, so that nobody scores on a part of it unawares."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sightline import stored
from sightline.errors import Damaged, DataError
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BEFORE = ("name", "images", "new", "paths")
"""What it said before it was sealed."""


def read(path: Path) -> dict[str, Any]:
    """What the file of a release says; one from before releases were sealed is sealed now.

    Raises DataError where it is not as the release was fixed.
    """
    try:
        values = stored.unseal(path, BEFORE)
    except Damaged as error:
        raise _refused(str(error)) from None
    images = set(values.get("images", ()))
    if values.get("name") != path.stem or set(values.get("paths", images)) != images:
        raise _refused(f"{path} was changed since it was written")
    if path.read_text(encoding="utf-8") != stored.seal(values):
        # A project that cannot be written to is read all the same.
        with suppress(OSError):
            write(path, values)
    return values


def _refused(why: str) -> DataError:
    return DataError(
        f"{why}: a test release is fixed for ever. Bring its file back (`git checkout -- data/releases`), or name "
        "another release: --set evaluate.release=NAME"
    )


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Fix a release."""
    write_atomically(path, stored.seal(values))
