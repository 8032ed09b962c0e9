"""Tests of how a full disk is told."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import sqlalchemy as sa
import torch

from sightline import space
from sightline.errors import DataError
from sightline.files import write_atomically

FULL = Path("/dev/full")
"""A file of Linux on which there is never any space."""

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def fill_by_python() -> None:
    FULL.write_bytes(b"x")


def fill_by_torch() -> None:
    with FULL.open("wb", buffering=0) as handle:
        torch.save({"weights": torch.zeros(1_000_000)}, handle)


def fill_by_sqlite() -> None:
    with sa.create_engine("sqlite://").begin() as connection:
        connection.execute(sa.text("PRAGMA max_page_count = 2"))
        connection.execute(sa.text("CREATE TABLE many AS SELECT hex(randomblob(100000)) AS one"))


@pytest.mark.parametrize("fill", [fill_by_python, fill_by_torch, fill_by_sqlite])
def test_full_disk_is_known_whoever_meets_it(fill: object, tmp_path: Path) -> None:
    """What Python, torch and SQLite raise ends a command by one sentence with the folder and what to do."""
    assert callable(fill)
    with pytest.raises(Exception) as caught:  # noqa: PT011 — each library raises its own
        fill()
    (sentence,) = space.sentences(tmp_path, caught.value)
    assert sentence.startswith("the disk is full: /")
    assert "make space" in sentence


def test_copy_that_has_no_space_names_its_target(tmp_path: Path) -> None:
    """Both names stand in what `shutil.copyfile` raises, that of the source first."""
    error = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "whole.db"), None, str(FULL))
    (sentence,) = space.sentences(tmp_path, error)
    assert sentence.startswith(f"the disk is full: {FULL} could")


def test_other_errors_are_told_as_they_are(tmp_path: Path) -> None:
    """On a disk with space our own errors stand alone, and a bug is not explained away."""
    assert space.sentences(tmp_path, DataError("no images")) == ["no images"]
    assert space.sentences(tmp_path, RuntimeError("a bug")) == []


def test_error_that_a_full_disk_may_have_caused_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is left on a disk, any failure says so beside its own sentence."""
    monkeypatch.setattr(space, "LEAST", 2**80)
    own, full = space.sentences(tmp_path, DataError("the stage failed"))
    assert own == "the stage failed"
    assert "MiB are free there" in full


def test_stage_says_that_the_disk_is_full(tmp_path: Path) -> None:
    """A data stage that meets a full disk ends by a sentence, without a traceback."""
    (tmp_path / "params.yaml").symlink_to(Path(__file__).parents[1] / "params.yaml")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "code.yaml").mkdir()
    code = (
        "import sys; from pathlib import Path; import sightline.stage as stage\n"
        "stage.write_code_digests = lambda paths: Path('/dev/full').write_bytes(b'x')\n"
        "sys.exit(stage.main(['code']))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the disk is full: ")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take the right to write from itself")
@pytest.mark.parametrize(("mode", "said"), [(0o555, "cannot be written"), (0o000, "cannot be read")])
def test_place_of_another_user_is_told(mode: int, said: str) -> None:
    """A project that belongs to another user ends a command by a sentence with the place, not by a traceback."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    place = folder / "stored.json"
    place.write_text("{}")
    place.chmod(mode & 0o444)
    folder.chmod(mode | 0o555)
    try:
        os.seteuid(65534)
        with pytest.raises(PermissionError) as raised:
            place.read_text() if mode == 0 else write_atomically(folder / "other.json", "{}")
        (sentence,) = space.sentences(folder, raised.value)
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
    assert str(folder) in sentence
    assert said in sentence
    assert space.sentences(folder, raised.value) == [], "root may, so that the error is another one"


def test_image_that_is_gone_is_told(tmp_path: Path) -> None:
    """An image that was deleted since its version ends a command by a sentence; another missing file is a bug."""
    image = tmp_path / "data" / "raw" / "target" / "a" / "1.png"
    for place, said in ((image, [f"{image} is gone"]), (tmp_path / "stored.json", [])):
        with pytest.raises(FileNotFoundError) as raised:
            place.read_bytes()
        assert [one[: len(f"{image} is gone")] for one in space.sentences(tmp_path, raised.value)] == said
