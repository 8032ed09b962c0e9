"""Whose code runs: a user's own files are never taken for ours or for a library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import strangers
from conftest import FAST, make_images

from sightline.config import write_value
from sightline.registry.trial import start_trial

ROOT = Path(__file__).parents[2]


def call(folder: Path, *words: str, status: int = 0) -> str:
    """A command in `folder`, with nothing set that would protect it; what it prints, where it ends with `status`."""
    kept = ("PREFECT", "MLFLOW", "SIGHTLINE", "PYTHONSAFEPATH", "DVC")
    given = {key: value for key, value in os.environ.items() if not key.startswith(kept)}
    given |= {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{given['PATH']}"}
    done = subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_file_of_the_user_is_imported(tmp_path: Path) -> None:
    """From init to lineage, with such files in the project, the working directory, the images and beside the model."""
    canary, project, elsewhere = tmp_path / "imported", tmp_path / "toy", tmp_path / "elsewhere"
    images = make_images(tmp_path / "images")
    elsewhere.mkdir()
    for folder in (images, elsewhere):
        strangers.plant(folder, canary)

    def sightline(*words: str, folder: Path = project, status: int = 0) -> str:
        # As the script `sightline` starts: with its own folder before all others, not with the working directory.
        return call(folder, sys.executable, "-P", "-m", "flows.cli", *words, status=status)

    sightline("init", str(project), "--images", str(images), folder=elsewhere)
    for key, value in FAST.items():
        write_value(project, key, value)
    for folder in (project, project / "data", project / "data" / "raw" / "target"):
        strangers.plant(folder, canary)
    call(project, "dvc", "repro", "--quiet")
    sightline("run")
    models = [path.parent for path in (project / "mlflow").rglob("MLmodel")]
    (bundle,) = (project / "mlflow" / "artifacts").rglob("artifacts/bundle")
    for folder in models:
        strangers.plant(folder, canary)
    image = next((images / "red").iterdir())
    sightline("predict", str(image))
    assert start_trial(bundle).trouble() is None
    # Of a folder in which something was planted nothing is used.
    sightline("promote", "1", "--reason", "test", status=2)
    sightline("evaluate", status=2)
    sightline("lineage")
    sightline("doctor")
    sightline("history", folder=project / "data")
    assert not canary.exists(), canary.read_text()
