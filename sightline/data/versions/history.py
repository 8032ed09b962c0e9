"""The log of a data set, a line for each version: when it was ingested, by whom, and what changed. Git keeps it."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sightline.data.manifest import OK
from sightline.data.versions import archive, diff, dvc, external
from sightline.data.versions.code import write_code_digests
from sightline.data.versions.warm import one_process
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.words import counted

if TYPE_CHECKING:
    from sightline.data.versions.archive import Version
    from sightline.data.versions.dvc import Reproduced
    from sightline.project import Paths

NOW = "now"
MERGED = "*.jsonl merge=union\n"
"""What git is told of the logs: where two branches have versions, the lines of both stay."""
SHORT = 8
"""Digits of a digest that people see."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """One line of the log."""

    version: str
    """DVC digest of the manifest folder."""
    previous: str | None
    """The version before; the same one where something was only noted about it."""
    raw: str | None
    """DVC digest of the raw folder."""
    at: str
    """UTC, ISO 8601."""
    by: str
    """User name."""
    images: int
    """Files that the manifest lists."""
    usable: int
    """Those that training and evaluation use."""
    bytes: int
    classes: int
    roles: dict[str, int]
    """Usable images of each role."""
    what: tuple[str, ...]
    """What changed, in words."""


def ingest(paths: Paths, use: str, *notes: str) -> Reproduced:
    """Bring the raw folder under DVC as it is now, reproduce the stage `ingest`, and log a new version.

    `notes` say where the change came from. Raises DataError where the folder or the stage fails.
    """
    write_code_digests(paths)
    if not external.is_external(paths, use):
        dvc.track_raw(paths, use)
    with one_process():
        done = dvc.reproduce(paths, "ingest", use)
    record(paths, use, *notes)
    return done


def record(paths: Paths, use: str, *notes: str) -> Revision | None:
    """Log the present version with `notes`; nothing where it is the last one logged and there is nothing to note."""
    entry = _next(paths, use, read(paths, use), notes)
    if entry is not None:
        path = paths.history(use)
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        attributes = path.with_name(".gitattributes")
        if not attributes.is_file():
            write_atomically(attributes, MERGED)
        write_atomically(path, f"{before}{json.dumps(asdict(entry), ensure_ascii=False)}\n")
    return entry


def read(paths: Paths, use: str) -> list[Revision]:
    """All entries, the oldest first.

    Raises DataError where a line is damaged.
    """
    path = paths.history(use)
    if not path.is_file():
        return []
    try:
        # Other signs that Python takes for line ends may stand in a class's name.
        values = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return [Revision(**{**value, "what": tuple(value["what"])}) for value in values]
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): {dvc.put_back(paths.root, path)}") from None


def log(paths: Paths, use: str) -> list[dict[str, Any]]:
    """The entries with the `commit` that first holds each version (None: none yet) and whether it is the one of `now`.

    A version that `dvc repro` made by hand stands at the end, although it is logged by the next run only.
    Raises DataError where the data set has no version.
    """
    entries = read(paths, use)
    pending = _next(paths, use, entries, ())
    held = archive.commits(paths)
    shown = [*entries, pending] if pending else entries
    return [{**asdict(one), "commit": held.get(one.version), NOW: one is shown[-1]} for one in shown]


def find(paths: Paths, use: str, name: str) -> Version:
    """The version that `name` means: `now`, the first digits of a version in the log, or a git revision.

    Raises DataError where it means none, or several.
    """
    if name == NOW:
        return archive.current(paths, use)
    known = {one.version: one.raw for one in read(paths, use)}
    fitting = [version for version in known if version.startswith(name)]
    if len(fitting) == 1:
        return archive.Version(use, fitting[0], known[fitting[0]])
    if fitting:
        raise DataError(f"{name} fits {len(fitting)} versions of {use}: {', '.join(fitting)}; give more digits")
    found = archive.at_revision(paths, use, name)
    if found is None:
        versions_known = ", ".join(version[:SHORT] for version in known) or "none yet"
        raise DataError(
            f"{name} is no version of {use} (its log has {versions_known}), not {NOW!r}, and no git revision with a "
            f"{archive.LOCK} that holds {use}"
        )
    return found


def _next(paths: Paths, use: str, entries: list[Revision], notes: tuple[str, ...]) -> Revision | None:
    version = archive.current(paths, use)
    last = entries[-1] if entries else None
    is_new = last is None or last.version != version.digest
    if not is_new and not notes:
        return None
    rows = archive.rows(paths, version)
    usable = rows[rows["status"] == OK]
    return Revision(
        version=version.digest,
        previous=last.version if last else None,
        raw=version.raw,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=getpass.getuser(),
        images=len(rows),
        usable=len(usable),
        bytes=int(rows["bytes"].sum()),
        classes=len(diff.classes(rows, paths.params.task_of(use))),
        roles={str(role): int(count) for role, count in usable["role"].value_counts().sort_index().items()},
        what=(*notes, *(_changes(paths, use, last, rows) if is_new else ())),
    )


def _changes(paths: Paths, use: str, last: Revision | None, rows: Any) -> tuple[str, ...]:
    task = paths.params.task_of(use)
    if last is None:
        return (f"first version: {counted(len(rows), 'image')}, {counted(len(diff.classes(rows, task)), 'class')}",)
    try:
        before = archive.rows(paths, archive.Version(use, last.version, last.raw))
    except DataError:
        return (f"what changed is unknown: {last.version[:SHORT]} is no longer in DVC's store",)
    return diff.words(diff.compare(before, rows), before, rows, task)
