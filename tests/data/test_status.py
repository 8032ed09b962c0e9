"""The raw folder beside the version that `dvc.lock` names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, commit, draw
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.status import look
from sightline.data.versions import history
from sightline.data.versions.accept import accept
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def git(paths: Paths, *words: str) -> None:
    subprocess.run(["git", *words], cwd=paths.root, check=True, capture_output=True)


def test_folder_of_another_branch_is_no_version_of_this_one(ingested: Paths, tmp_path: Path) -> None:
    """After `git switch` alone the images are those of the branch before: told, until `dvc checkout` brings them."""
    git(ingested, "switch", "--create", "more")
    draw(77, COLOURS["red"]).save(ingested.raw("target") / "red" / "new.png")
    history.ingest(ingested, "target")
    commit(ingested, "more")
    assert look(ingested, "target").changes == 0
    git(ingested, "switch", "-")
    found = look(ingested, "target")
    assert found.changes == 1
    assert found.words[0] == "1 image added (red 1)"
    assert "`dvc checkout` brings that version's images" in found.words[-1]
    with pytest.raises(DataError, match=r"`dvc checkout` brings .* `sightline run` makes a version of those here"):
        accept(ingested, "target")
    assert not ingested.baseline("target").is_file()
    # No stage has made the other outputs of this project, which DVC misses.
    env = {**os.environ, "DVC_SITE_CACHE_DIR": str(tmp_path / "site")}
    words = [sys.executable, "-m", "dvc", "checkout"]
    subprocess.run(words, cwd=ingested.root, env=env, check=False, capture_output=True)
    assert look(ingested, "target").words == ("the same images, labels and roles",)


def test_saving_tells_of_images_in_no_version(ingested: Paths) -> None:
    """Git holds every version, and what was renamed and deleted since is in none of them."""
    run = CliRunner().invoke
    assert "git holds everything already" in run(app, ["data", "save"]).output
    first, second, *_ = sorted(ingested.raw("target").rglob("*.png"))
    first.unlink()
    second.rename(second.with_name("renamed.png"))
    said = run(app, ["data", "save"]).output
    assert "git holds everything" not in said
    assert "2 changed images in data/raw/target, in no version yet: `sightline run` makes one" in said
    assert json.loads(run(app, ["data", "save", "--json"]).stdout)["changes"] == {"target": 2}
    history.ingest(ingested, "target")
    told = json.loads(run(app, ["data", "save", "--json"]).stdout)
    assert (told["commit"] is None, told["changes"]) == (False, {})


def test_images_that_are_not_here_are_told_beside_the_commit(ingested: Paths) -> None:
    """As in a clone without `dvc pull`: values are committed all the same."""
    ingested.raw("target").rename(ingested.root.with_name("elsewhere"))
    (ingested.root / "params.yaml").open("a").write("\n")
    said = CliRunner().invoke(app, ["data", "save"]).output
    assert "params.yaml" in said
    assert "whether images of target have changed since its version is unknown" in said
