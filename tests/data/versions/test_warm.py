"""The data stages of a run in one process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import draw

from sightline.data.versions import dvc
from sightline.data.versions.warm import AHEAD, SERVE, one_process
from sightline.errors import ValidationFailed

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


@pytest.mark.slow
def test_stages_share_a_process_and_survive_its_end(ingested: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    """The second stage runs where the first one did; a refused set is told as ever; where it ended, another one starts.

    What the stages print stays out of standard output.
    """
    for name in ("validation", "shards"):
        shutil.rmtree(ingested.root / "data" / name, ignore_errors=True)
    with one_process() as shared:
        assert shared.pid is None
        assert dvc.reproduce(ingested, "validate", "target").ran
        first = shared.pid
        assert first is not None
        assert dvc.reproduce(ingested, "preprocess", "target").ran
        assert shared.pid == first
        refuse(ingested)
        with pytest.raises(ValidationFailed, match=r"violet has [01] in"):
            dvc.reproduce(ingested, "validate", "target")
        assert shared.pid == first
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ValidationFailed, match="not finish"):
            dvc.reproduce(ingested, "validate", "target")
        with pytest.raises(ValidationFailed, match=r"violet has [01] in"):
            dvc.reproduce(ingested, "validate", "target")
        assert shared.pid not in {None, first}
    said = capfd.readouterr()
    assert said.out == ""
    assert "validate target: " in said.err


def test_stage_waits_for_what_is_imported_ahead(ingested: Paths) -> None:
    """After a kill between the two, validation may be asked for at once: two threads importing one package break it."""
    words = [sys.executable, "-P", "-m", "sightline.stage", SERVE, AHEAD]
    done = subprocess.run(
        words, cwd=ingested.root, input="validate target\n", capture_output=True, text=True, check=False
    )
    assert done.stdout == "[0, []]\n", done.stderr


@pytest.mark.slow
def test_process_of_another_folder_does_no_stage_here(ingested: Paths, tmp_path: Path) -> None:
    """One that was started ahead for a project on which nothing was done is ended, and another one does it."""
    shutil.rmtree(ingested.root / "data" / "validation", ignore_errors=True)
    with one_process() as shared:
        shared.start({"cwd": str(tmp_path), "env": dict(os.environ)})
        first = shared.pid
        assert dvc.reproduce(ingested, "validate", "target").ran
        assert shared.pid != first
    assert ingested.verdict("target").is_file()


def refuse(paths: Paths) -> None:
    """Add a class with too few images."""
    (paths.raw("target") / "violet").mkdir()
    draw(5, (120, 20, 160)).save(paths.raw("target") / "violet" / "only.png")
    dvc.track_raw(paths, "target")
    dvc.reproduce(paths, "ingest", "target")
