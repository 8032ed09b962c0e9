"""What changed in a raw folder since its last version, before anything is ingested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sightline.data import manifest
from sightline.data.contents import read_layout
from sightline.data.files import cache
from sightline.data.labels import given
from sightline.data.versions import archive, diff, external
from sightline.digests import file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


@dataclass(frozen=True)
class Status:
    """The raw folder beside the last version."""

    version: str | None
    """DVC digest of its manifest; None where there is none yet."""
    changes: int
    """Images that were added, removed, renamed or relabelled."""
    words: tuple[str, ...]
    """The same in sentences."""


def look(paths: Paths, use: str) -> Status:
    """Compare names, labels and contents; a file that this machine knows by its stamp is not read.

    Raises DataError where the folder is missing, or the version's manifest can be had nowhere.
    """
    external.check_folders(paths)
    task = paths.params.task_of(use)
    version = archive.locked(paths, use)
    if version is None:
        new = _present(paths, use, None)
        none = pd.DataFrame(columns=diff.FACTS, dtype="string")
        return Status(None, len(new), diff.words(diff.compare(none, new), none, new, task))
    is_here = archive.is_here(paths, version)
    old = manifest.read(paths.manifest(use)) if is_here else archive.rows(paths, version)
    new = _present(paths, use, old)
    changes = diff.compare(old, new)
    words = diff.words(changes, old, new, task)
    return Status(version.digest, len(changes), words if is_here or changes.empty else (*words, archive.ELSEWHERE))


def _present(paths: Paths, use: str, old: pd.DataFrame | None) -> pd.DataFrame:
    """The files of the raw folder as a manifest would list them; role and status as they were, `ok` of new ones."""
    folder = paths.raw(use)
    layout = read_layout(folder, paths.params.task_of(use))
    known = cache.digests(paths.cache(use))
    rows = layout if known is None else layout.merge(known, on=["path", "stamp"], how="left")
    digests = rows["sha256"] if known is not None else pd.Series(pd.NA, index=rows.index, dtype="string")
    unknown = rows.index[digests.isna() & ~rows["closed"]]
    digests.loc[unknown] = [
        _digest(folder, str(path), str(rows["stamp"][number])) for number, path in rows.loc[unknown, "path"].items()
    ]
    people = {digest: one.label for digest, one in given.read(paths.labels(use)).items()}
    rows = rows.assign(sha256=digests.astype("string"))
    rows["label"] = rows["sha256"].map(people).astype("string").fillna(rows["label"])
    before = old if old is not None else pd.DataFrame(columns=diff.FACTS, dtype="string")
    here = before.drop_duplicates("sha256").set_index("sha256")
    rows["role"] = rows["sha256"].map(here["role"]).astype("string")
    rows["status"] = rows["sha256"].map(here["status"]).astype("string").fillna(manifest.OK)
    return rows[diff.FACTS]


def _digest(folder: Path, path: str, stamp: str) -> str:
    """Of a file; of a member of a tar file, which only ingestion reads, what changes when the file does."""
    place = folder / path
    return file_digest(place) if place.is_file() else f"{path} {stamp}"
