"""A remote that cannot be asked is told as that, with its address, and never as one that lacks what is asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from servers import free_port, listening, saying

from sightline import servers
from sightline.data.versions import archive
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def asked(paths: Paths, address: str, *more: str) -> str:
    """What is told of a version that the cache lacks, where that is the default remote."""
    setting = [["remote", "modify", "there", *more]] if more else []
    for words in (["remote", "add", "--force", "--default", "there", address], *setting):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=paths.root, check=True, capture_output=True)
    version = archive.current(paths, "target")
    store = paths.root / ".dvc" / "cache" / "files" / "md5"
    (store / version.digest[:2] / version.digest[2:]).unlink(missing_ok=True)
    with pytest.raises(DataError) as told:
        archive.rows(paths, version)
    return str(told.value)


def test_wrong_address_is_told(ingested: Paths, tmp_path: Path) -> None:
    """Folder, port, host and another server: each in its words, with what corrects it."""
    gone, port = tmp_path / "gone", free_port()
    assert f"the remote there at {gone} could not be asked: there is no such folder" in asked(ingested, str(gone))
    told = asked(ingested, f"http://127.0.0.1:{port}/x")
    assert f"the remote there at http://127.0.0.1:{port}/x could not be asked: nothing listens at" in told
    assert "`dvc remote modify there url ADDRESS` corrects it" in told
    assert "there is no host nowhere.invalid" in asked(ingested, "http://nowhere.invalid/x")
    with saying(200, "text/html", b"<!doctype html>") as place:
        assert f"http://{place}/x could not be asked: " in asked(ingested, f"http://{place}/x")
    with saying(404, "text/html", b"") as place:
        assert "the remote does not hold it either" in asked(ingested, f"http://{place}/x")


def test_store_that_does_not_answer_is_told(ingested: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs, and an endpoint of S3 at which nobody listens, are not tried for minutes."""
    monkeypatch.setattr(servers, "SECONDS", 0.5)
    with listening(None) as place:
        assert "no answer within" in asked(ingested, f"http://{place}/x")
    endpoint = f"http://127.0.0.1:{free_port()}"
    told = asked(ingested, "s3://bucket/x", "endpointurl", endpoint)
    assert f"the remote there at s3://bucket/x by {endpoint} could not be asked: nothing listens at" in told
    assert "`dvc remote modify there endpointurl ADDRESS`" in told
