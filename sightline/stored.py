"""What is stored is what is used: digests, written last, by which a reader knows it before use.

A *sealed* document is JSON that holds the digest of all that it says. A *manifest* is a sealed document about the files
beside it: the digest of each, and what they were made from. Whoever reads makes anew what can be made anew where
something is not as it was written, and refuses otherwise.

A file whose size, time of change and inode are as when it was read last is not read again; what this machine knows of
that lies in the project's `data/cache`, which `sightline run --verify` forgets.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.digests import digest_of, file_digest
from sightline.errors import Damaged
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

SEAL, FILES, KEY = "digest", "files", "key"
NOTES = Path("data", "cache", "whole")
"""Where a project notes which files were read and found whole."""
RESULTS = Path(".prefect", "storage")
"""Where it keeps what tasks returned, in Prefect's records."""
BEFORE = ("type", "value")
"""What a task's result said before it was sealed."""


def seal(values: Mapping[str, Any]) -> str:
    """`values` as JSON that holds its own digest."""
    return json.dumps({**values, SEAL: digest_of(values)}, indent=1) + "\n"


def unseal(path: Path, before: Collection[str] = (), needed: Collection[str] = ()) -> dict[str, Any]:
    """What the sealed document at `path` says.

    One that says nothing but what stood in it `before` such documents were sealed counts too. Raises Damaged where it
    is missing or not as it was written, or says nothing of what is `needed`: another document lies in its place.
    """
    try:
        return opened(path.read_bytes(), path, before, needed)
    except FileNotFoundError:
        raise Damaged(f"{path} is missing") from None
    except OSError as error:
        raise Damaged(f"{path} is damaged ({error})") from None


def opened(
    sealed: str | bytes, what: object, before: Collection[str] = (), needed: Collection[str] = ()
) -> dict[str, Any]:
    """What the `sealed` text of `what` says, as `unseal` has it."""
    try:
        values: dict[str, Any] = json.loads(sealed)
        told = values.pop(SEAL, None)
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise Damaged(f"{what} is damaged ({error})") from None
    if told != digest_of(values) and not (told is None and values and values.keys() <= set(before)):
        raise Damaged(f"{what} was changed since it was written")
    if not values.keys() >= set(needed):
        raise Damaged(f"{what} is about something else")
    return values


def keep(path: Path, key: str, values: Mapping[str, Any]) -> None:
    """Write what belongs to `key` as a sealed document that says so."""
    write_atomically(path, seal({KEY: key, **values}))


def kept(path: Path, key: str) -> dict[str, Any]:
    """What `keep` wrote at `path` for `key`.

    One without a key, from before such documents had any, counts too. Raises Damaged as `unseal`, and where it was
    written for another key.
    """
    values = unseal(path)
    if values.pop(KEY, key) != key:
        raise Damaged(f"{path} is about something else")
    return values


def result(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Prefect's record of what a task returned, and what the sealed document in it says.

    Raises Damaged where it is not the record that was stored under that name.
    """
    try:
        record = json.loads(path.read_bytes())
        name, sealed = Path(record["metadata"]["storage_key"]).name, record["result"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Damaged(f"{path} is damaged ({error!r})") from None
    if name != path.name:
        raise Damaged(f"{path} was stored as {name}")
    return record, opened(sealed, path, BEFORE)


def write(manifest: Path, names: Iterable[str], **made_from: Any) -> None:
    """Write the manifest of the files `names` beside it, as they stand now, with what they were made from."""
    write_atomically(manifest, seal({**made_from, FILES: digests(manifest.parent, names)}))


def verified(manifest: Path, names: Iterable[str]) -> dict[str, Any]:
    """What the manifest of the files `names` says, with their FILES.

    Raises Damaged where it or one of them is missing or not as it was written.
    """
    values = unseal(manifest)
    files = values.get(FILES, {})
    if set(files) != set(names):
        raise Damaged(f"{manifest} is about other files")
    check(manifest.parent, files)
    return values


def sign(path: Path, **made_from: Any) -> None:
    """Write the manifest of the one file `path`, as it stands now."""
    write(_beside(path), [path.name], **made_from)


def is_whole(path: Path) -> bool:
    """Whether the file `path` is there as it was signed."""
    try:
        verified(_beside(path), [path.name])
    except Damaged:
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def check(folder: Path, files: Mapping[str, str]) -> None:
    """Raise Damaged where one of the `files` (name → SHA-256) in `folder` is missing or another one."""
    for name in changed(folder, files):
        what = "was changed since it was written" if (folder / name).is_file() else "is missing"
        raise Damaged(f"{folder / name} {what}")


def changed(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Those of the `files` (name → SHA-256) in `folder` that are missing or others, sorted."""
    there = digests(folder, [name for name in files if (folder / name).is_file()])
    return sorted(name for name, digest in files.items() if there.get(name) != digest)


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Name → SHA-256 of these files in `folder`, of which those that are known by their stamps are not read."""
    notes = _notes(folder)
    known, found = _noted(notes), {}
    for name in sorted(names):
        stamp = _stamp(folder / name)
        then, digest = known.get(name, (None, ""))
        found[name] = (stamp, digest if then == stamp else file_digest(folder / name))
    if notes is not None and any(known.get(name) != one for name, one in found.items()):
        # A project that cannot be written to is read all the same.
        with suppress(OSError):
            write_atomically(notes, seal({"noted": known | found}))
    return {name: digest for name, (_, digest) in found.items()}


def _stamp(path: Path) -> str:
    known = path.stat()
    return f"{known.st_size} {known.st_mtime_ns} {known.st_ino}"


def _notes(folder: Path) -> Path | None:
    """The file of notes about `folder`; None outside of a project."""
    folder = folder.absolute()
    root = next((one for one in folder.parents if (one / "params.yaml").is_file()), None)
    return root and root / NOTES / f"{digest_of(folder.relative_to(root))[:16]}.json"


def _noted(notes: Path | None) -> dict[str, tuple[str, str]]:
    if notes is None:
        return {}
    try:
        return {name: (stamp, digest) for name, (stamp, digest) in unseal(notes)["noted"].items()}
    except (Damaged, KeyError):
        return {}
