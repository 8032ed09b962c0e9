"""The way back from an import of labels, with the test release that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.labels import change
from sightline.errors import DataError, RegistryError
from sightline.evaluate import fixed, release
from sightline.registry.opening import open_ledger
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from sightline.project import Paths


def undo(paths: Paths, use: str) -> tuple[str, tuple[str, ...]]:
    """Take back the last import on this machine; its note, and what became of the test release.

    A release that it made goes with it where nothing was judged on it. Raises DataError as `change.undo`.
    """
    made = change.release_of(paths, use)
    note = change.undo(paths, use)
    said = []
    if made is not None and _was_judged_on(paths, made):
        said.append(f"test release {made}, which it made, stays: versions were judged on it")
    elif made is not None:
        (fixed.folder(paths) / f"{made}.json").unlink(missing_ok=True)
        said.append(f"test release {made}, which it made, is gone: nothing was judged on it")
    if fixed.names(paths):
        try:
            release.current(paths, paths.params.evaluate.release)
        except DataError as error:
            said.append(f"the next run will be refused: {error}")
    return note, tuple(said)


def _was_judged_on(paths: Paths, name: str) -> bool:
    try:
        ledger = open_ledger(paths)
    except RegistryError:
        # Nobody can say that it was not.
        return True
    try:
        return name in ledger.comparisons.releases(classifier_of(paths.params.project.name))
    finally:
        ledger.close()
