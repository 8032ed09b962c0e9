"""Folders of the past out of DVC's store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sightline.data.versions import archive
from sightline.digests import dvc_digest
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_restored_folder_is_the_one_of_then(ingested: Paths, tmp_path: Path) -> None:
    """A folder comes back out of the store file by file, and has the digest that DVC knows it by."""
    version = archive.current(ingested, "target")
    assert version.raw
    for digest, folder in ((version.digest, ingested.manifest("target").parent), (version.raw, ingested.raw("target"))):
        archive.restore(ingested, digest, tmp_path / digest)
        assert contents(tmp_path / digest) == contents(folder)
        assert dvc_digest(folder) == digest


def test_changed_file_of_the_store_is_refused(ingested: Paths, tmp_path: Path) -> None:
    """A file, or a listing, whose bytes are not those of its digest is not taken."""
    version = archive.current(ingested, "target").digest
    store = ingested.root / ".dvc" / "cache" / "files" / "md5"
    listing = store / version[:2] / version[2:]
    member = json.loads(listing.read_bytes())[0]["md5"]
    for path in (store / member[:2] / member[2:], listing):
        whole = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(whole + b" ")
        with pytest.raises(DataError, match="was changed in DVC's cache"):
            archive.restore(ingested, version, tmp_path)
        path.write_bytes(whole)
    archive.restore(ingested, version, tmp_path)
