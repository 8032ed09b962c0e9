from __future__ import annotations

import getpass
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, commit, draw
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.versions import archive, dvc, history
from sightline.digests import git
from sightline.errors import DataError

if TYPE_CHECKING:
    from sightline.project import Paths


def add_image(paths: Paths, name: str) -> None:
    draw(sum(name.encode()), COLOURS["red"]).save(paths.raw("target") / "red" / f"{name}.png")


def test_the_first_version_is_logged(ingested: Paths) -> None:
    """Digest, sizes, who and when; the digest is the one that DVC gives the manifest."""
    (entry,) = history.read(ingested, "target")
    assert entry.version == dvc.reproduce(ingested, "ingest", "target").digest
    assert entry.previous is None
    assert (entry.images, entry.usable, entry.classes) == (180, 180, 3)
    assert sum(entry.roles.values()) == 180
    assert entry.bytes == sum(file.stat().st_size for file in ingested.raw("target").rglob("*.png"))
    assert entry.what == ("first version: 180 images, 3 classes",)
    assert entry.by == getpass.getuser()
    assert entry.at.endswith("+00:00")


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x1c"])
def test_class_with_a_sign_that_python_takes_for_a_line_end(ingested: Paths, sign: str) -> None:
    """The log that tells of it is read again."""
    folder = ingested.raw("target") / f"up{sign}down"
    folder.mkdir()
    draw(3, COLOURS["red"]).save(folder / "1.png")
    history.ingest(ingested, "target")
    first, second = history.read(ingested, "target")
    assert (first.classes, second.classes) == (3, 4)


def test_a_run_that_finds_nothing_new_writes_nothing(ingested: Paths) -> None:
    """The log grows with the versions, not with the runs."""
    before = ingested.history("target").read_bytes()
    assert not history.ingest(ingested, "target").ran
    assert ingested.history("target").read_bytes() == before


def test_a_new_version_is_appended_with_what_changed(ingested: Paths) -> None:
    """Lines that stand are never touched."""
    before = ingested.history("target").read_bytes()
    add_image(ingested, "new")
    history.ingest(ingested, "target", "a new camera")
    assert ingested.history("target").read_bytes().startswith(before)
    first, second = history.read(ingested, "target")
    assert second.previous == first.version
    assert second.images == 181
    assert second.what == ("a new camera", "1 image added (red 1)")


def test_the_log_is_kept_by_git_and_not_by_dvc(ingested: Paths) -> None:
    """A clone brings it."""
    add_image(ingested, "new")
    history.ingest(ingested, "target")
    status = git(ingested.root, "status", "--porcelain", "--untracked-files=all").decode()
    assert {line[3:] for line in status.splitlines()} == {
        "data/history/target.jsonl",
        "data/raw/target.dvc",
        "dvc.lock",
    }


@pytest.mark.slow
def test_the_command_tells_commit_and_now(ingested: Paths) -> None:
    """Each version stands beside the commit that holds it; the present one is `now`."""
    add_image(ingested, "new")
    history.ingest(ingested, "target")
    commit(ingested, "second version")
    add_image(ingested, "newer")
    history.ingest(ingested, "target")
    entries = json.loads(CliRunner().invoke(app, ["data", "log", "--json"]).output)["target"]
    # The first commit is that of `init`: it holds no version yet.
    ids = git(ingested.root, "log", "--reverse", "--format=%h").decode().split()[1:]
    assert [entry["commit"] for entry in entries] == [*ids, None]
    assert [entry["now"] for entry in entries] == [False, False, True]
    shown = CliRunner().invoke(app, ["data", "log", "target"]).output
    assert [entry["version"][:8] in shown for entry in entries] == [True, True, True]
    for name in ("new", "newer"):
        (ingested.raw("target") / "red" / f"{name}.png").unlink()
    history.ingest(ingested, "target")
    commit(ingested, "back to the first version")
    last = history.log(ingested, "target")[-1]
    assert (last["version"], last["commit"], last["now"]) == (entries[0]["version"], ids[0], True)
    assert last["what"] == ("2 images removed (red 2)",)
    assert "1 image added (red 1)" in shown
    assert ids[0] in shown


def test_a_version_made_by_hand_stands_in_the_log(ingested: Paths) -> None:
    """`dvc repro` writes no line: the command shows the version all the same, the next run logs it."""
    add_image(ingested, "new")
    dvc.track_raw(ingested, "target")
    dvc.reproduce(ingested, "ingest", "target")
    assert len(history.read(ingested, "target")) == 1
    shown = history.log(ingested, "target")
    assert [entry["now"] for entry in shown] == [False, True]
    assert shown[1]["what"] == ("1 image added (red 1)",)
    history.ingest(ingested, "target")
    assert len(history.read(ingested, "target")) == 2


@pytest.mark.slow
def test_a_lost_version_does_not_stop_the_log(ingested: Paths) -> None:
    """Where the manifest before is gone from DVC's store, the line says that what changed is unknown."""
    shutil.rmtree(ingested.root / ".dvc" / "cache")
    add_image(ingested, "new")
    history.ingest(ingested, "target")
    (said,) = history.read(ingested, "target")[-1].what
    assert said.startswith("what changed is unknown")


def test_a_data_set_without_a_version_is_told(toy: Paths) -> None:
    """The remedy is in the message."""
    with pytest.raises(DataError, match="data set target has no version yet: run `sightline run`"):
        history.log(toy, "target")


def test_a_damaged_log_is_told(ingested: Paths) -> None:
    """With the file, as git knows it, and how to bring it back."""
    ingested.history("target").write_text('{"version": 1}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"target\.jsonl is damaged .*git checkout -- data/history/target\.jsonl`"):
        history.read(ingested, "target")
    shutil.rmtree(ingested.root / ".git")
    with pytest.raises(DataError, match=r"target\.jsonl is damaged .* is not under git.*`git init` there.*a backup"):
        history.read(ingested, "target")


def test_branches_that_both_have_images_are_merged(ingested: Paths) -> None:
    """The log has the versions of both; what names one version waits for a person, and says so, until one is taken."""

    def git_says(*words: str) -> int:
        return subprocess.run(["git", *words], cwd=ingested.root, check=False, capture_output=True).returncode

    main = git(ingested.root, "branch", "--show-current").decode().strip()
    for branch in ("one", "two"):
        git_says("switch", "--create", branch, main)
        add_image(ingested, branch)
        history.ingest(ingested, "target")
        commit(ingested, branch)
    before = len(history.read(ingested, "target"))
    assert git_says("merge", "one") == 1
    assert len(history.read(ingested, "target")) == before + 1
    pointer = ingested.root / "data" / "raw" / "target.dvc"
    marked = pointer.read_bytes()
    with pytest.raises(DataError, match=r"middle of a merge: `git checkout --ours -- dvc\.lock`"):
        archive.current(ingested, "target")
    with pytest.raises(DataError, match=r"middle of a merge: `git checkout --ours -- data/raw/target\.dvc`"):
        history.ingest(ingested, "target")
    assert pointer.read_bytes() == marked
    assert git_says("checkout", "--ours", "--", "dvc.lock", "data/raw/target.dvc") == 0
    history.ingest(ingested, "target")
    assert archive.rows(ingested, archive.current(ingested, "target"))["path"].str.contains("one|two").sum() == 2


def test_marks_of_a_merge_in_a_log_are_told(ingested: Paths) -> None:
    """As in a project whose log was merged line by line."""
    log = ingested.history("target")
    line = log.read_text(encoding="utf-8")
    log.write_text(f"<<<<<<< HEAD\n{line}=======\n{line}>>>>>>> ben\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"middle of a merge: keep the lines of both sides, and remove the lines of"):
        history.read(ingested, "target")
