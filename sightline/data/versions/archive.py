"""Versions of the past, out of `dvc.lock`, git and DVC's store: their manifests and their images.

The version of a data set is the DVC digest of its manifest folder.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import yamls
from sightline.data.files.facts import read_bytes
from sightline.data.manifest import COLUMNS
from sightline.data.versions import remote
from sightline.data.versions.dvc import is_unmerged, opened, put_back
from sightline.digests import dvc_digest, git
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from sightline.project import Paths

LOCK = "dvc.lock"
ELSEWHERE = (
    "the project's manifest is of another version than `dvc.lock` names, as after `git switch`: `dvc checkout` brings "
    "that version's images"
)
NEEDED = ["path", "sha256", "label", "role", "status", "reason", "bytes"]
"""Columns that every manifest has had, whatever release of Sightline wrote it."""


@dataclass(frozen=True)
class Version:
    """One version of a data set."""

    use: str
    digest: str
    """Of the manifest folder, as DVC gives it."""
    raw: str | None
    """DVC digest of the raw folder; None where DVC does not hold the images."""


def current(paths: Paths, use: str) -> Version:
    """The version that was ingested last.

    Raises DataError where there is none.
    """
    found = locked(paths, use)
    if found is None:
        paths.raw(use)  # raises where the project has no such data set at all
        raise DataError(f"data set {use} has no version yet: run `sightline run`, or `dvc repro`, to make one")
    return found


def locked(paths: Paths, use: str) -> Version | None:
    """The version that `dvc.lock` names, if it names one.

    Raises DataError where it is damaged.
    """
    lock = paths.root / LOCK
    try:
        return _locked(lock.read_text(encoding="utf-8"), use) if lock.is_file() else None
    except (ValueError, KeyError, TypeError, AttributeError, LookupError) as error:
        raise _damaged(paths, error) from None


def is_here(paths: Paths, version: Version) -> bool:
    """Whether the project's manifest is that of `version`: `git switch` changes `dvc.lock` alone."""
    return dvc_digest(paths.manifest(version.use).parent) == version.digest


def at_revision(paths: Paths, use: str, revision: str) -> Version | None:
    """The version that a git revision holds; None where there is no such revision or no data set in it."""
    text = git(paths.root, "show", f"{revision}:./{LOCK}").decode()
    return _locked(text, use) if text else None


def commits(paths: Paths) -> dict[str, str]:
    """Digest → short id of the first commit whose `dvc.lock` names it."""
    text = git(paths.root, "log", "--reverse", "--format=commit %h", "--patch", "--unified=0", "--", LOCK).decode()
    first: dict[str, str] = {}
    commit = ""
    for line in text.splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif digest := re.match(r"\+\s+md5: (\S+)", line):
            first.setdefault(digest[1], commit)
    return first


def rows(paths: Paths, version: Version) -> pd.DataFrame:
    """The manifest of a version, columns NEEDED, from DVC's cache or else its remote.

    Raises DataError where neither has it.
    """
    import pandas as pd

    table = pd.read_parquet(member(paths, version.digest, "manifest.parquet"), columns=NEEDED)
    return table.astype({name: COLUMNS[name] for name in NEEDED})


def member(paths: Paths, folder: str, name: str) -> Path:
    """The file `name` of a folder under DVC with that digest, from DVC's cache or else its remote.

    Raises DataError where neither has it.
    """
    with opened(paths.root) as repo:
        return fetched(repo, _listing(repo, folder)[name])


def restore(paths: Paths, folder: str, place: Path) -> None:
    """Write the folder that DVC knows by the digest `folder` to `place`, every file checked against its own digest.

    The project's own folders are not touched. Raises DataError where DVC's store lacks a file or holds a changed one.
    """
    with opened(paths.root) as repo:
        for name, digest in _listing(repo, folder).items():
            file = place / name
            if not file.resolve().is_relative_to(place.resolve()):
                raise DataError(f"{name} of {folder} leads out of the folder: this version was not made by DVC")
            write_atomically(file, fetched(repo, digest).read_bytes())


def _listing(repo: Any, folder: str) -> dict[str, str]:
    """Path → digest of each file of a folder."""
    return {one["relpath"]: one["md5"] for one in json.loads(fetched(repo, folder).read_bytes())}


def pictures(paths: Paths, version: Version, wanted: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """Path → bytes of those of the `wanted` (path, sha256) that the raw folder or DVC's cache still holds."""
    found = {}
    missing = {}
    # A data set of the past may be none of the project's today.
    folder = paths.raw(version.use) if version.use in paths.params.datasets else None
    for path, sha256 in wanted:
        data = _held(folder, path) if folder else b""
        if hashlib.sha256(data).hexdigest() == sha256:
            found[path] = data
        else:
            missing[path] = sha256
    if missing and version.raw:
        with opened(paths.root) as repo:
            found |= _from_cache(repo, version.raw, missing)
    return found


def _held(folder: Path, path: str) -> bytes:
    """Its bytes; none where it is not there."""
    try:
        return read_bytes(folder, path)
    except (OSError, UnreadableImage):
        return b""


def _from_cache(repo: Any, raw: str, wanted: dict[str, str]) -> dict[str, bytes]:
    """Out of the cache alone: a remote would have to send the whole folder."""
    place = repo.cache.local.oid_to_path
    listing = Path(place(raw))
    if not is_whole(listing, raw):
        return {}
    entries = {one["relpath"]: one["md5"] for one in json.loads(listing.read_text(encoding="utf-8"))}
    files = {path: Path(place(entries[path])) for path in wanted if path in entries}
    found = {path: file.read_bytes() for path, file in files.items() if file.is_file()}
    return {path: data for path, data in found.items() if hashlib.sha256(data).hexdigest() == wanted[path]}


def fetched(repo: Any, digest: str) -> Path:
    """The file of the cache that holds `digest`, pulled from the remote where it is missing or damaged."""
    from dvc_data.hashfile.hash_info import HashInfo

    path = Path(repo.cache.local.oid_to_path(digest))
    if not is_whole(path, digest):
        # DVC pulls what is not there.
        path.unlink(missing_ok=True)
        if (trouble := remote.trouble(repo)) is not None:
            raise _gone(digest, trouble)
        try:
            repo.cloud.pull([HashInfo("md5", digest)])
        except Exception as error:  # noqa: BLE001 — every kind of store fails in words of its own
            raise _gone(digest, remote.failed(repo, _line(error))) from None
    if not is_whole(path, digest):
        raise _gone(digest, "the remote does not hold it either")
    return path


def is_whole(path: Path, digest: str) -> bool:
    """Whether a file of the cache is there and holds what its name says."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return found == digest.removesuffix(".dir")


def is_whole_run(path: Path) -> bool:
    """Whether DVC's record of a stage that ran is as it was written: its name is the digest of what it says.

    Sizes and numbers of files are no part of that digest, and decide nothing.
    """
    from dvc.utils import dict_sha256

    try:
        said = yamls.read(path)
    except yamls.Unreadable:
        return False
    digest: str = dict_sha256(said, exclude=["size", "nfiles"])
    return digest == path.name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _gone(digest: str, why: str) -> DataError:
    return DataError(
        f"{digest} is not in DVC's cache, or damaged there, and {why}. "
        "Versions stay comparable where they were pushed (`dvc push`) and not removed by `dvc gc`"
    )


def outputs(paths: Paths) -> dict[str, str]:
    """Folder → digest of everything that the stages in `dvc.lock` made and DVC looks after.

    Raises DataError where it is damaged.
    """
    try:
        stages = _stages((paths.root / LOCK).read_text(encoding="utf-8"))
        return {one["path"]: one["md5"] for stage in stages.values() for one in stage.get("outs", ()) if _is_dir(one)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(paths, error) from None


def _damaged(paths: Paths, error: Exception) -> DataError:
    lock = paths.root / LOCK
    anew = "" if is_unmerged(lock) else ", or remove it: the next run writes it anew"
    return DataError(f"{lock} is damaged ({_line(error)}): {put_back(paths.root, lock)}{anew}")


def _is_dir(out: dict[str, str]) -> bool:
    return out["md5"].endswith(".dir") and not out["path"].endswith("external")


def _locked(text: str, use: str) -> Version | None:
    stage = _stages(text).get(f"ingest@{use}")
    if stage is None:
        return None
    raw = [dep.get("md5") for dep in stage.get("deps", ())]
    return Version(use, stage["outs"][0]["md5"], raw[0] if raw else None)


def _stages(text: str) -> dict[str, Any]:
    found = yamls.parse(text)
    stages: dict[str, Any] = {} if found is None else found.get("stages", {})
    return stages
