"""The command line: `sightline capture`, on real files."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from answering import image, version
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.config import write_value
from sightline.serve.batcher import Answered
from sightline.serve.capture import Capture, Origin
from sightline.serve.store import Store

if TYPE_CHECKING:
    from sightline.project import Paths

RUNNER = CliRunner()


def record(paths: Paths, count: int) -> None:
    policy, one = paths.params.capture, version("1")
    (answer,), described = one.predictor.described([image()], np.stack([one.predictor.decode(image())]))
    capture = Capture(Store(paths.root, policy.folder), policy)
    for number in range(count):
        capture.note(Origin(f"{number}", 0), Answered(answer, one, described[0]), image())
    capture.close()


def test_log_tells_what_was_recorded(toy: Paths) -> None:
    """Nothing at first, in words; then a row for each day and version; a damaged file by its name, with status 1."""
    said = RUNNER.invoke(app, ["capture", "log"])
    assert (said.exit_code, said.output) == (
        0,
        "nothing was recorded in captured yet: `sightline serve` records its answers there\n",
    )
    record(toy, 3)
    said = RUNNER.invoke(app, ["capture", "log", "--json"])
    told = json.loads(said.output)
    (day,) = told["days"]
    assert (said.exit_code, told["damaged"], told["old"]) == (0, {}, [])
    assert {key: day[key] for key in ("version", "role", "rows", "abstained", "foreign", "dropped")} == {
        "version": "1",
        "role": "champion",
        "rows": 3,
        "abstained": 0.0,
        "foreign": None,
        "dropped": 0,
    }
    assert "champion" in RUNNER.invoke(app, ["capture", "log"]).output
    (file,) = (toy.root / "captured").rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:-20])
    said = RUNNER.invoke(app, ["capture", "log"])
    assert said.exit_code == 1
    assert f"{file.parent.name}/{file.name} cannot be read, and counts nowhere" in said.output
    file.unlink()
    write_value(toy.root, "capture.keep", "none")
    assert "capture.keep is none" in RUNNER.invoke(app, ["capture", "log"]).output


def test_log_names_the_days_that_are_too_old(toy: Paths) -> None:
    """Whatever is recorded now: until a server starts they lie there."""
    record(toy, 1)
    (today,) = (toy.root / "captured").glob("date=*")
    shutil.copytree(today, today.with_name("date=2020-02-03"))
    today.rename(today.with_name(f"date={datetime.now(UTC).date() - timedelta(days=1)}"))
    write_value(toy.root, "capture.keep", "none")
    sentence = "older than capture.days = 90: 1 day, from 2020-02-03 on, which the next `sightline serve` removes"
    assert sentence in " ".join(RUNNER.invoke(app, ["capture", "log"]).output.split())
    assert json.loads(RUNNER.invoke(app, ["capture", "log", "--json"]).output)["old"] == ["2020-02-03"]
    record(toy, 0)
    assert "older" not in RUNNER.invoke(app, ["capture", "log"]).output


def test_recorded_answers_are_in_no_version(toy: Paths) -> None:
    """Git and DVC leave them alone, in projects too whose .gitignore is older than the folder."""

    def run(*words: str) -> str:
        return subprocess.run(words, cwd=toy.root, capture_output=True, text=True, check=True).stdout

    record(toy, 1)
    assert "captured" not in run("git", "status", "--porcelain", "--untracked-files=all")
    (toy.root / ".gitignore").write_text("/runs/\n")
    assert "captured" not in run("git", "status", "--porcelain", "--untracked-files=all")
    (file,) = (toy.root / "captured").rglob("*.parquet")
    assert file.name in run("dvc", "check-ignore", str(file))
