"""Writes that a kill or a full disk cannot halve."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import files
from sightline.files import replacing, write_atomically

ROOT = Path(__file__).parents[1]
STEPS = ("_flush", "_replace", "_sync", "_remove")
KILLED = """
import os, signal, sys
from pathlib import Path
from sightline import files

step, when, kind = sys.argv[1:4]
true = getattr(files, step)

def dying(*given):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    true(*given)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(files, step, dying)
with files.replacing(Path(sys.argv[4])) as scratch:
    if kind == "file":
        scratch.write_text("new")
    else:
        scratch.mkdir()
        (scratch / "a").write_text("new")
        (scratch / "b").write_text("new")
"""


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code, *words], env=given, capture_output=True, text=True, check=False)


def texts(place: Path) -> dict[str, str] | str:
    return {one.name: one.read_text() for one in place.iterdir()} if place.is_dir() else place.read_text()


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_kill_leaves_the_old_or_the_new(tmp_path: Path, step: str, when: str, kind: str) -> None:
    """Killed before or after any step, a write leaves what was there or all that came, and the next one clears up."""
    place = tmp_path / "place [1]"
    old, new = ("old", "new") if kind == "file" else ({"a": "old"}, {"a": "new", "b": "new"})
    if kind == "file":
        write_atomically(place, "old")
    else:
        with replacing(place) as scratch:
            scratch.mkdir()
            (scratch / "a").write_text("old")
    done = run(KILLED, step, when, kind, str(place))
    assert done.returncode == (0 if (step, kind) == ("_remove", "file") else -signal.SIGKILL), done.stderr
    assert texts(place) in (old, new)
    with replacing(place) as scratch:
        scratch.mkdir() if kind == "folder" else scratch.write_text("newest")
    assert [one.name for one in tmp_path.iterdir()] == [place.name]


def test_full_disk_leaves_the_file_of_before(tmp_path: Path) -> None:
    """Where not everything can be written, the error is the caller's, the old file stands, and no other one is left."""
    place = tmp_path / "place"
    write_atomically(place, "old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_atomically(place, "longer than ten bytes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert texts(tmp_path) == {"place": "old"}


def test_error_of_the_caller_changes_nothing(tmp_path: Path) -> None:
    """What was written before the caller raised is removed, a folder too."""
    write_atomically(tmp_path / "place", "old")

    def fail() -> None:
        with replacing(tmp_path / "place") as scratch:
            write_atomically(scratch / "half", "new")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert texts(tmp_path) == {"place": "old"}


def test_everything_is_on_the_disk_before_it_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """File, then the name: the contents are synced before they take their place, the folder of the name after."""
    seen: list[str] = []
    sync, replace = files._sync, files._replace

    def syncing(place: Path) -> None:
        seen.append("sync folder" if place.is_dir() else "sync file")
        sync(place)

    def replacing_(scratch: Path, path: Path) -> None:
        seen.append("replace")
        replace(scratch, path)

    monkeypatch.setattr(files, "_sync", syncing)
    monkeypatch.setattr(files, "_replace", replacing_)
    write_atomically(tmp_path / "new" / "place", b"data")
    assert seen == ["sync file", "replace", "sync folder"]


def test_folder_is_replaced_where_two_cannot_change_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that cannot exchange folders the new one stands alone in the end as well."""
    monkeypatch.setattr(files, "_exchange", lambda *_: False)
    for name in ("old", "new"):
        with replacing(tmp_path / "place") as scratch:
            write_atomically(scratch / name, name)
    assert texts(tmp_path / "place") == {"new": "new"}
    assert len(list(tmp_path.iterdir())) == 1


def test_writers_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    """Two that write the same file leave the one that ended last, whole; neither removes what the other writes."""
    place = tmp_path / "place"
    with replacing(place) as one:
        one.write_text("one")
        with replacing(place) as other:
            other.write_text("other")
    assert texts(tmp_path) == {"place": "one"}
