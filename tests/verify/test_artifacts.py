"""Artifacts of runs, against the digests that their runs say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sightline.tracking.artifacts import FILES, sums
from sightline.tracking.runs import connect
from sightline.verify import artifacts
from sightline.verify.finding import DAMAGED, HEALED, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def states(paths: Paths, *, fix: bool = False) -> dict[str, str]:
    return {one.which: one.state for one in artifacts.findings(paths, fix=fix)}


def test_changed_artifact_is_told_and_comes_back_from_its_twin(toy: Paths) -> None:
    """Figures and pages of a run are known by its tag; what the project holds once more is put back."""
    tracker, name = connect(toy), "report/page.html"
    run = tracker.start("first", {})
    page = toy.reports / "page.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("a page")
    tracker.artifact(run, page, "report")
    tracker.store(run, b"figures", "evaluation/evaluation.json")
    assert states(toy) == {f"first {one}": WHOLE for one in (name, "evaluation/evaluation.json")}
    (kept,) = toy.mlflow.rglob(name)
    kept.write_text("another page")
    next(iter(toy.mlflow.rglob("evaluation.json"))).unlink()
    assert set(states(toy).values()) == {DAMAGED}
    assert states(toy, fix=True) == {f"first {name}": HEALED, "first evaluation/evaluation.json": DAMAGED}
    assert kept.read_text() == "a page"


def test_tag_that_a_person_wrote_leads_nowhere(toy: Paths, tmp_path: Path) -> None:
    """Neither what is no JSON, nor a path out of the run's folder."""
    tracker = connect(toy)
    run, outside = tracker.start("first", {}), tmp_path / "outside"
    outside.write_text("x")
    for written in ("[1", "[]", "7", json.dumps({str(outside): "0", "../../outside": "0"})):
        tracker.tag(run, {FILES: written})
        assert sums(tracker.client.get_run(run)) == {}
        assert states(toy, fix=True) == {}
    assert outside.read_text() == "x"
