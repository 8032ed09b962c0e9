"""The command line: `sightline why-retrain`, on a real project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from conftest import copy_project
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.versions import history

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

RUNNER = CliRunner()
ASSUMED = tuple(f"facts.{one}" for one in ("champion=3", "learned=1000", "new_labels=150", "age=20", "chance=0.4"))


def why(*words: str) -> str:
    said = RUNNER.invoke(app, ["why-retrain", *words])
    assert said.exit_code == 0, (said.output, said.exception)
    return said.output


@pytest.mark.usefixtures("toy")
def test_decision_of_now_and_of_other_facts() -> None:
    """Without a champion it would train; assumed facts and other limits are told as such, and change nothing."""
    assert why().splitlines()[0] == "train: there is no champion yet"
    words = [part for one in ASSUMED for part in ("--set", one)]
    said = why("--dry-run", *words)
    assert said.splitlines()[0] == "train: 150 new labels since the last training, on 1,000 images"
    assert "  new labels: 150 (assumed)" in said
    found = json.loads(why("--dry-run", "--json", *words, "--set", "retrain.new_labels=0.2"))
    assert (found["train"], found["sentence"]) == (False, "no training: nothing asks for it")
    assert json.loads(why("--json"))["facts"]["champion"] is None


def test_chance_follows_from_what_is_assumed(crowned: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chance that a gain shows, and the labels that it needs, unless they are assumed themselves."""
    history.ingest(copy_project(crowned, tmp_path / "toy project", monkeypatch), "target")

    def told(*assumed: str) -> tuple[float, int]:
        words = [part for one in assumed for part in ("--set", f"facts.{one}")]
        facts = json.loads(why("--dry-run", "--json", *words))["facts"]
        return facts["chance"], facts["needed"]

    now, harmed = told(), told("harmed=true", "lost=0.9")
    assert now[0] < harmed[0]
    assert now[1] > harmed[1]
    assert told("lost=0.9") == now
    assert told("shifted=true", "drop=0.9") == harmed
    assert told("harmed=true", "lost=0.9", "chance=0.3") == (0.3, harmed[1])
    assert told("harmed=true", "lost=0.9", "needed=7") == (harmed[0], 7)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--dry-run", "--set", "facts.colour=red"), "there is no such fact; there are champion, age"),
        (("--set", "facts.harmed=true"), "facts are assumed with --dry-run alone"),
        (("--set", "gate.alpha=0.01"), "takes values of facts and retrain"),
        (("--dry-run", "--set", "facts.harmed=perhaps"), "--set facts.harmed=perhaps: input should be a valid boolean"),
    ],
)
def test_what_is_no_fact_is_refused(words: tuple[str, ...], said: str) -> None:
    """Unknown names, facts without --dry-run, values of other sections, values of another kind."""
    done = RUNNER.invoke(app, ["why-retrain", *words])
    assert done.exit_code
    assert said in str(done.exception)


def test_what_is_told_is_read_only(toy: Paths) -> None:
    """Asking makes no version, and no run."""
    why()
    assert not toy.manifest("target").exists()
    assert not toy.runs.exists()
