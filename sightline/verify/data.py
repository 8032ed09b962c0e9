"""The data: what DVC says of it, DVC's store, what this machine remembers, and the test releases."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sightline import stored
from sightline.data import shards
from sightline.data.files import thumbnails
from sightline.data.labels.change import UNDO
from sightline.data.validation.verdict import Verdict
from sightline.data.versions import archive, history
from sightline.data.versions.dvc import opened
from sightline.digests import dvc_digest, git
from sightline.errors import Damaged, DataError, SightlineError
from sightline.evaluate import fixed
from sightline.files import write_atomically
from sightline.verify.finding import Finding, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths

ANEW = "the next run makes it anew"
DECODED = re.compile(r"([0-9a-f]{64})?")
"""What made the shards, as it was noted before such notes were sealed: the next run takes it for nothing."""
LOST = "the last import of labels stays; `git log data/labels` tells of all"


def findings(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Everything below `data/` and `.dvc/cache`."""
    # The store first: what is restored comes out of it.
    yield from _store(paths, fix=fix)
    yield from _outputs(paths, fix=fix)
    yield from _caches(paths, fix=fix)
    yield from _releases(paths, fix=fix)
    for use in paths.params.datasets:
        yield _log(paths, use, fix=fix)


def _log(paths: Paths, use: str, *, fix: bool) -> Finding:
    """The log of a data set: lines that were committed stay as they are, whatever follows them."""
    path, trouble = paths.history(use), None
    held = git(paths.root, "show", f"HEAD:./{path.relative_to(paths.root).as_posix()}").splitlines()
    lines = path.read_bytes().splitlines() if path.is_file() else []
    try:
        history.read(paths, use)
        if lines[: len(held)] != held:
            trouble = "it tells of committed versions otherwise than the last commit"
    except DataError as error:
        trouble = str(error)

    def restore() -> str:
        write_atomically(path, b"".join(line + b"\n" for line in [*held, *lines[len(held) :]]))
        history.read(paths, use)
        return "the committed lines came back"

    return settled("log of the data", use, trouble, restore if held else None, fix=fix)


def _outputs(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Manifests, verdicts and shards, against the digests in `dvc.lock`."""
    lock = paths.root / archive.LOCK
    if not lock.is_file():
        return
    try:
        outputs = archive.outputs(paths)
    except DataError as error:
        yield settled("dvc.lock", archive.LOCK, str(error), lambda: _removed(lock), fix=fix)
        return
    yield settled("dvc.lock", archive.LOCK, None, None, fix=fix)
    for place, digest in outputs.items():
        folder = paths.root / place
        if not folder.is_dir():
            trouble: str | None = "it is missing"
        else:
            is_it = dvc_digest(folder) == digest or _is_refused(paths, folder)
            trouble = None if is_it else "it is not the version that `dvc.lock` names"

        def restore(digest: str = digest, folder: Path = folder) -> str:
            archive.restore(paths, digest, folder)
            if dvc_digest(folder) != digest:
                raise DataError(f"{folder} holds files that its version has not: remove them")
            return "it came back out of DVC's store"

        yield settled("version of the data", place, trouble, restore, fix=fix)


def _is_refused(paths: Paths, folder: Path) -> bool:
    """Whether a data set is not fit: its verdict is newer than `dvc.lock`, which holds those that passed alone."""
    verdict = paths.verdict(folder.name)
    if folder != verdict.parent or [one.name for one in folder.iterdir()] != [verdict.name]:
        return False
    try:
        text = verdict.read_text(encoding="utf-8")
        said = Verdict.from_json(text)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return said.passed is False and said.to_json() == text


def _forgotten(path: Path, then: str = ANEW) -> str:
    path.unlink()
    return f"it is gone, and {then}"


def _removed(path: Path) -> str:
    kept = path.with_name(f"{path.name}.damaged")
    path.replace(kept)
    return f"it is now {kept.name}, and {ANEW}"


def _store(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Every object of DVC's cache is named by its digest."""
    folder = paths.root / ".dvc" / "cache" / "files" / "md5"
    twins = cache(lambda: _twins(paths))
    for path in sorted(folder.glob("??/*")):
        name = path.parent.name + path.name
        if archive.is_whole(path, name):
            yield settled("DVC's store", name, None, None, fix=fix)
            continue

        def replace(path: Path = path, name: str = name) -> str:
            twin = twins().get(name)
            if twin is not None:
                path.unlink()
                write_atomically(path, twin.read_bytes())
                return f"it came back from {twin.relative_to(paths.root)}"
            with opened(paths.root) as repo:
                archive.fetched(repo, name)
            return "it came back from the remote"

        yield settled("DVC's store", name, "its content is not what its name says", replace, fix=fix)
    for path in sorted((paths.root / ".dvc" / "cache" / "runs").glob("*/*/*")):
        trouble = None if archive.is_whole_run(path) else "it does not say what its name says"
        yield settled("DVC's record of a stage", path.name[:16], trouble, lambda path=path: _forgotten(path), fix=fix)  # type: ignore[misc]


def _twins(paths: Paths) -> dict[str, Path]:
    """MD5 → file of the project with that content, of all that DVC looks after."""
    parts = ("raw", "manifests", "validation", "shards")
    files = [path for part in parts for path in (paths.root / "data" / part).rglob("*") if path.is_file()]
    return {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(): path for path in files}


def _caches(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """What this machine remembers: all of it can go."""
    folder = paths.root / "data" / "cache"
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or (path.suffix == ".json" and path.with_suffix("").is_file()):
            continue
        trouble = None if _is_whole_cache(path) else "it is not as it was written"

        def forget(path: Path = path) -> str:
            return _forgotten(path, LOST if path.suffix == UNDO else ANEW)

        yield settled("cache", path.relative_to(folder).as_posix(), trouble, forget, fix=fix)


def _is_whole_cache(path: Path) -> bool:
    if path.suffix == ".thumbnails":
        return thumbnails.is_whole(path)
    if path.suffix == ".decoded" and DECODED.fullmatch(path.read_text(encoding="utf-8", errors="replace")):
        return True
    if path.suffix in {".json", ".inputs", ".decoded", UNDO}:
        try:
            told = stored.unseal(path, needed=[shards.BY] if path.suffix == ".decoded" else [])
        except Damaged:
            return False
        # What another data set came of is no note about this one.
        return path.suffix != ".inputs" or {Path(name).parent.name for name in told.get(stored.FILES, ())} == {
            path.stem
        }
    return stored.is_whole(path)


def _releases(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    for path in sorted((paths.root / "data" / "releases").glob("*.json")):
        try:
            fixed.read(path)
        except SightlineError as error:
            yield settled("test release", path.stem, str(error), lambda path=path: _from_git(paths, path), fix=fix)  # type: ignore[misc]
        else:
            yield settled("test release", path.stem, None, None, fix=fix)


def _from_git(paths: Paths, path: Path) -> str:
    """Bring back what the last commit holds of a release, if it is the release."""
    held, damaged = git(paths.root, "show", f"HEAD:./{path.relative_to(paths.root).as_posix()}"), path.read_bytes()
    write_atomically(path, held)
    try:
        fixed.read(path)
    except DataError:
        write_atomically(path, damaged)
        raise DataError("the last commit does not hold it whole") from None
    return "it came back out of git"
