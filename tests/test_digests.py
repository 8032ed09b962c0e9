"""Digests of values and of code."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import commit

from sightline.digests import code_digest, code_modules, digest_of, git_patch, git_state, handed_modules
from sightline.doctor import examine
from sightline.errors import ProjectError
from sightline.params import Evaluate
from sightline.recipe import Recipe
from sightline.train.result import Trained
from tasks import versioning
from tasks.versioning import key_of

if TYPE_CHECKING:
    from sightline.project import Paths

ROOT = Path(__file__).parents[1]
RESULT = "sightline.train.result"
DIGESTS = "from tasks.versioning import version_of as v; print(v('tasks.pretraining'), v('tasks.evaluation'))"


def test_digest_depends_on_every_value() -> None:
    """Equal values give equal digests, in any order of keys; another value gives another one."""
    assert digest_of({"a": 1, "b": Recipe(epochs=2)}) == digest_of({"b": Recipe(epochs=2), "a": 1})
    assert digest_of(Recipe(epochs=2)) != digest_of(Recipe(epochs=3))


def test_value_without_plain_form_is_refused() -> None:
    """An object that cannot be written as JSON has no digest that would mean anything."""
    with pytest.raises(TypeError, match="has no digest"):
        digest_of(object())


def test_closure_holds_helpers_two_imports_away() -> None:
    """The code of a task is everything of ours that it can execute."""
    modules = code_modules("tasks.pretraining")
    assert {"sightline.train.stages", "sightline.train.loop", "sightline.train.augment"} <= set(modules)
    assert "sightline.evaluate.metrics" not in modules


def test_methods_of_what_a_task_is_given_are_its_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained stage brings the code that loads it; plain values bring none."""
    trained = Trained(
        stage="scratch",
        path="runs/x",
        weights="0",
        network="cnn",
        size=32,
        classes=("a",),
        val_accuracy=1.0,
        val_loss=0.0,
        val_fitted_loss=0.0,
        seconds=1.0,
    )
    assert handed_modules({"backbone": None, "others": (trained,), "params": Evaluate()}) == {RESULT}
    given = {"backbone": trained, "context": object()}
    before = key_of("tasks.labels", "find", given)
    alone = key_of("tasks.labels", "find", {"backbone": None})
    monkeypatch.setattr(versioning, "code_digest", lambda *of: "edited" if of[0] == RESULT else code_digest(*of))
    assert key_of("tasks.labels", "find", given) != before
    assert key_of("tasks.labels", "find", {"backbone": None}) == alone


def digests(folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_edited_helper_changes_the_version_of_its_tasks_alone(tmp_path: Path) -> None:
    """Edit a helper two imports from a task and its version changes; a task that cannot reach it keeps its own."""
    for package in ("sightline", "tasks", "flows"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = digests(tmp_path)
    probe = tmp_path / "sightline" / "evaluate" / "metrics.py"
    probe.write_text(probe.read_text() + "\n# edited\n")
    after = digests(tmp_path)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_git_state_tells_commit_and_changes(tmp_path: Path) -> None:
    """A clean tree has a commit and no patch; an edit gives a patch digest; no git gives empty texts."""
    assert git_state(tmp_path) == {"commit": "", "patch": ""}
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / "a").write_text("1")
    for words in (["init", "-q"], ["add", "a"], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    clean = git_state(tmp_path)
    assert len(clean["commit"]) == 40
    assert not clean["patch"]
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path)["patch"]


def test_patch_makes_the_dirty_tree_again(tmp_path: Path) -> None:
    """The patch of a project in a subfolder fits a copy of its commit, bytes and removed files included."""
    inside = tmp_path / "repository" / "inside"
    inside.mkdir(parents=True)
    git = ["git", "-C", str(inside.parent), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (inside / "a").write_text("1\n")
    (inside / "gone").write_text("1\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"], ["config", "diff.noprefix", "true"]):
        subprocess.run([*git, *words], check=True)
    copy = Path(shutil.copytree(inside, tmp_path / "copy"))
    (inside / "a").write_bytes(b"\xff\0\r\n")
    (inside / "gone").unlink()
    (inside / "secret").write_text("never committed, so never kept")
    patch = git_patch(inside)
    subprocess.run(["git", "apply", "-"], cwd=copy, input=patch, check=True)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == {"a": b"\xff\0\r\n"}
    assert git_state(inside)["patch"] == hashlib.sha256(patch).hexdigest()


@pytest.mark.parametrize("kind", ["other owner", "damaged"])
def test_a_repository_that_git_does_not_read_is_an_error(
    toy: Paths, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Of another owner, or damaged: nobody trains a version without its commit, and doctor tells the remedy."""
    commit(toy, "all")
    assert git_state(toy.root)["commit"]
    if kind == "other owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        words = "safe.directory '.*toy project'"
    else:
        (toy.root / ".git" / "HEAD").unlink()
        words = "`git status` there says more"
    for ask in (git_state, git_patch):
        with pytest.raises(ProjectError, match=words):
            ask(toy.root)
    told = {one.what: one for one in examine(toy)}
    assert not told["git"].good
    assert "could name its commit" in told["git"].said


def test_no_repository_is_no_error(tmp_path: Path) -> None:
    """Without git there is no commit to name."""
    assert git_state(tmp_path) == {"commit": "", "patch": ""}
