"""The file of a test release: written once, and sealed, so that nobody scores on a part of it unawares."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sightline import stored
from sightline.errors import Damaged, DataError
from sightline.files import write_atomically
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths

NAMED = "--set evaluate.release=NAME"
"""How run, evaluate and promote are told which release is meant."""
BEFORE = ("name", "images", "new", "paths")
"""What it said before it was sealed."""


def names(paths: Paths) -> set[str]:
    """Of every release of the project."""
    return {path.stem for path in folder(paths).glob("*.json")}


def folder(paths: Paths) -> Path:
    """Where they lie."""
    return paths.root / "data" / "releases"


def check(paths: Paths, name: str) -> None:
    """Raise DataError where there are releases and none has that `name`: a slip of the pen makes no new one."""
    known = names(paths)
    if known and name not in known:
        there = ", ".join(sorted(known))
        raise DataError(
            f"evaluate.release = {name!r}{suggestion(name, known)}: the test releases are {there}; a new one, of the "
            f"present test images, is made by `sightline data release {name}`"
        )


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
        f"{why}: a test release is fixed for ever. Bring its file back (`git checkout -- data/releases`), or make "
        f"another (`sightline data release NAME`) and name it: {NAMED}"
    )


def write(path: Path, values: Mapping[str, Any]) -> None:
    """Fix a release."""
    write_atomically(path, stored.seal(values))
