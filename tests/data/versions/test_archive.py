"""Folders of the past out of DVC's store."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sightline.data import manifest
from sightline.data.versions import archive, history
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
        with pytest.raises(DataError, match="damaged there, and the remote could not be asked"):
            archive.restore(ingested, version, tmp_path)
        path.write_bytes(whole)
    archive.restore(ingested, version, tmp_path)


def test_damaged_file_of_the_store_comes_back_from_the_remote(ingested: Paths, tmp_path: Path) -> None:
    """What was pushed is fetched anew where DVC's own cache was damaged."""
    for words in (["remote", "add", "--default", "there", str(tmp_path / "remote")], ["push", "--quiet"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=ingested.root, check=True, capture_output=True)
    version = archive.current(ingested, "target").digest
    file = ingested.root / ".dvc" / "cache" / "files" / "md5" / version[:2] / version[2:]
    whole = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(whole[:-1])
    archive.restore(ingested, version, tmp_path / "restored")
    assert file.read_bytes() == whole
    assert dvc_digest(tmp_path / "restored") == version


@pytest.mark.parametrize("text", ["stages: [", "stages: {ingest@target: 3}", "[]", "\x00"])
def test_damaged_lock_is_told_with_the_remedy(ingested: Paths, text: str) -> None:
    """Half a dvc.lock, or one of another shape, is no traceback; without one the data are made a version again."""
    before = archive.current(ingested, "target")
    lock = ingested.root / "dvc.lock"
    lock.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"dvc.lock is damaged .*git checkout"):
        archive.current(ingested, "target")
    with pytest.raises(DataError, match=r"dvc.lock"):
        history.ingest(ingested, "target")
    lock.unlink()
    history.ingest(ingested, "target")
    assert archive.current(ingested, "target") == before


@pytest.mark.slow
def test_damaged_manifest_comes_back_from_the_store(ingested: Paths) -> None:
    """Other bytes, half of it, and other roles in it: the version of before is there again, and no new one."""
    place = ingested.manifest("target")
    before, version = contents(place.parent), archive.current(ingested, "target")
    rows = manifest.read(place)
    for harm in ("byte", "cut", "roles", "quarantine", "forgotten"):
        if harm == "roles":
            manifest.write(rows.assign(role=rows["role"].iloc[::-1].to_numpy()), place)
        elif harm == "quarantine":
            ingested.quarantine("target").write_text("path,label,reason\n", encoding="utf-8")
        else:
            data = place.read_bytes()
            place.write_bytes(data[:60] if harm == "cut" else data[:-500] + bytes([data[-500] ^ 1]) + data[-499:])
        if harm == "forgotten":
            shutil.rmtree(ingested.root / "data" / "cache")
        history.ingest(ingested, "target")
        assert contents(place.parent) == before, harm
        assert archive.current(ingested, "target") == version, harm
