from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, copy_project, draw
from ruamel.yaml import YAML

import sightline
from sightline.data.versions import dvc
from sightline.data.versions.code import write_code_digests
from sightline.data.versions.dvc import StoreBusy
from sightline.data.versions.warm import one_process
from sightline.digests import file_digest
from sightline.errors import DataError, ValidationFailed
from sightline.project import USES, Paths

if TYPE_CHECKING:
    from collections.abc import Iterator

# Great Expectations imports sre_constants and sre_parse, which Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

STAGES = ("ingest", "validate", "preprocess")
OWNED = ("raw", "manifests", "validation", "shards")


def dvc_says(paths: Paths, *words: str) -> str:
    """What `dvc WORDS` says when a person calls it in the project."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words], cwd=paths.root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def in_process(paths: Paths) -> list[dvc.Reproduced]:
    """The three stages as the tasks reproduce them."""
    write_code_digests(paths)
    dvc.track_raw(paths, "target")
    with one_process():
        return [dvc.reproduce(paths, stage, "target") for stage in STAGES]


def outputs(paths: Paths) -> dict[str, str]:
    """Path → digest of every file that a data stage writes or reads, pages and caches left out."""
    files = (path for name in OWNED for path in (paths.root / "data" / name).rglob("*") if path.is_file())
    return {path.relative_to(paths.root).as_posix(): file_digest(path) for path in files}


def locked(paths: Paths) -> dict[str, object]:
    """The data stages in dvc.lock."""
    lock = YAML(typ="safe").load((paths.root / "dvc.lock").read_text(encoding="utf-8"))
    return {f"{stage}@target": lock["stages"][f"{stage}@target"] for stage in STAGES}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, ingested_once: Paths) -> Iterator[Paths]:
    """A project whose stages ran in this process; shared, to be left as it is."""
    with pytest.MonkeyPatch.context() as patch:
        paths = copy_project(ingested_once, tmp_path_factory.mktemp("made") / "toy project", patch)
        in_process(paths)
        yield paths


@pytest.mark.slow
def test_dvc_repro_by_hand_gives_the_same_bytes(made: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a project without any output, `dvc repro` makes what the stages made in process, and notes the same."""
    by_hand = copy_project(made, tmp_path / "toy project", monkeypatch)
    for name in ("manifests", "validation", "shards", "cache", "docs"):
        shutil.rmtree(by_hand.root / "data" / name)
    for left in (by_hand.root / "dvc.lock", by_hand.code):
        left.unlink()
    shutil.rmtree(by_hand.root / ".dvc" / "cache")
    dvc_says(by_hand, "repro", "--force")
    assert outputs(by_hand) == outputs(made)
    assert locked(by_hand) == locked(made)


def test_nothing_changed_nothing_runs(made: Paths) -> None:
    """Neither in process nor by hand does a stage run again on the same data, values and code."""
    assert [done.ran for done in in_process(made)] == [False, False, False]
    said = dvc_says(made, "repro")
    assert [f"Stage '{stage}@target' didn't change" in said for stage in STAGES] == [True, True, True]


def test_push_and_pull_bring_deleted_data_back(made: Paths, tmp_path: Path) -> None:
    """Raw images, manifests, verdicts and shards come back from a remote, bit for bit."""
    before = outputs(made)
    assert {path.split("/")[1] for path in before} == set(OWNED)
    dvc_says(made, "remote", "add", "--default", "shelf", os.fspath(tmp_path / "shelf"))
    dvc_says(made, "push")
    for name in OWNED:
        folder = made.root / "data" / name
        shutil.rmtree(folder / "target")
    shutil.rmtree(made.root / ".dvc" / "cache")
    assert len(outputs(made)) < len(before)
    dvc_says(made, "pull")
    assert outputs(made) == before
    assert [done.ran for done in in_process(made)] == [False, False, False]


def test_a_changed_image_is_a_new_version(ingested: Paths) -> None:
    """Other bytes under the same name give another digest; the old bytes give the old digest again."""
    before = dvc.reproduce(ingested, "ingest", "target")
    image = ingested.raw("target") / "red" / "0000.png"
    old = image.read_bytes()
    draw(4242, COLOURS["red"]).save(image)
    assert dvc.track_raw(ingested, "target")
    after = dvc.reproduce(ingested, "ingest", "target")
    assert after.ran
    assert after.digest != before.digest
    assert not dvc.track_raw(ingested, "target")
    image.write_bytes(old)
    assert dvc.track_raw(ingested, "target")


def test_an_edited_helper_makes_its_stages_run_again(ingested: Paths, tmp_path: Path) -> None:
    """A module that `ingest` imports through another changes the digest of ingest alone, and DVC sees it."""
    root = Path(sightline.__file__).parents[1]
    for name in ("sightline", "tasks", "flows"):
        shutil.copytree(root / name, tmp_path / "code" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "code" / "sightline" / "data" / "roles" / "split.py").open("a", encoding="utf-8") as helper:
        helper.write("# another way\n")
    before = YAML(typ="safe").load(ingested.code.read_text(encoding="utf-8"))
    env = os.environ | {"PYTHONPATH": os.fspath(tmp_path / "code")}
    subprocess.run([sys.executable, "-m", "sightline.stage", "code"], cwd=ingested.root, env=env, check=True)
    after = YAML(typ="safe").load(ingested.code.read_text(encoding="utf-8"))
    assert {key for key in after if after[key] != before[key]} == {"ingest"}
    assert "data/code.yaml" in dvc_says(ingested, "status", "ingest@target")


def test_an_unchanged_code_file_is_left_alone(ingested: Paths) -> None:
    """It names every stage, and labels and baseline of both data sets, and is not written again."""
    names = YAML(typ="safe").load(ingested.code.read_text(encoding="utf-8"))
    assert set(names) == {*STAGES, "labels", "baseline"}
    assert names["labels"] == names["baseline"] == dict.fromkeys(USES, "none")
    written = ingested.code.stat().st_mtime_ns
    write_code_digests(ingested)
    assert ingested.code.stat().st_mtime_ns == written


@pytest.mark.slow
def test_a_refused_data_set_says_why(ingested: Paths) -> None:
    """A class with too few images fails the stage `validate` with its sentences and the page of Data Docs."""
    shutil.rmtree(ingested.raw("target") / "red")
    (ingested.raw("target") / "red").mkdir()
    draw(1, COLOURS["red"]).save(ingested.raw("target") / "red" / "only.png")
    dvc.track_raw(ingested, "target")
    dvc.reproduce(ingested, "ingest", "target")
    with pytest.raises(ValidationFailed, match=r"not fit[\s\S]*red has [01] in[\s\S]*Data Docs: .*target\.html"):
        dvc.reproduce(ingested, "validate", "target")


def test_a_missing_raw_folder_is_named(ingested: Paths) -> None:
    """The message names the folder and the value that points to it."""
    shutil.rmtree(ingested.raw("target"))
    with pytest.raises(DataError, match=r"data/raw/target: there is no folder of images; `dvc pull` brings it"):
        dvc.track_raw(ingested, "target")


def test_a_folder_without_dvc_is_told(tmp_path: Path) -> None:
    """The message names the remedy."""
    with pytest.raises(DataError, match="not under DVC: run `dvc init`"), dvc.opened(tmp_path):
        pass


def test_a_project_without_git_is_told(ingested: Paths) -> None:
    """DVC does nothing there, and no file can be brought back out of it."""
    shutil.rmtree(ingested.root / ".git")
    with pytest.raises(DataError, match=r"not a git repository; `git init` there"), dvc.opened(ingested.root):
        pass


def test_a_second_writer_is_told_to_come_back(ingested: Paths) -> None:
    """While another DVC command holds the lock, a stage fails with an error that tasks try again."""
    with dvc.opened(ingested.root) as other, other.lock, pytest.raises(StoreBusy, match="another DVC command"):
        dvc.reproduce(ingested, "ingest", "target")


def test_lines_of_a_stage_stay_out_of_stdout(ingested: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    """What a command prints for scripts is not mixed with what its stages say; that goes to stderr."""
    (ingested.raw("target") / "red" / "0001.png").unlink()
    dvc.track_raw(ingested, "target")
    capfd.readouterr()
    dvc.reproduce(ingested, "ingest", "target")
    said = capfd.readouterr()
    assert said.out == ""
    assert "ingest target: 179 ok" in said.err


@pytest.mark.parametrize("harm", ["cut", "other", "bytes"])
def test_damaged_pointer_is_made_anew(ingested: Paths, harm: str) -> None:
    """A pointer of which half is left, or that points to another folder, is written again as it was."""
    pointer = ingested.raw("target").with_name("target.dvc")
    whole = pointer.read_bytes()
    damaged = {"cut": whole[:50], "other": whole.replace(b"path: target", b"path: source"), "bytes": b"\x00\xff"}
    pointer.write_bytes(damaged[harm])
    assert dvc.track_raw(ingested, "target")
    assert pointer.read_bytes() == whole


def test_damaged_memory_of_dvc_is_removed(ingested: Paths) -> None:
    """What DVC knows of files by their stamps may break: it goes, the task tries again, and nothing is lost."""

    def look() -> bool:
        return dvc.track_raw(ingested, "target") or dvc.reproduce(ingested, "ingest", "target").ran

    assert not look()
    for file in (ingested.root / ".dvc" / "site").rglob("cache.db*"):
        file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StoreBusy, match="is removed: try again"):
        look()
    assert not look()
