"""`sightline data quality`: every finding of the present version, on the terminal, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import COLOURS, draw, make_images, make_project
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.versions import history
from sightline.errors import DataError

if TYPE_CHECKING:
    import pytest

    from sightline.project import Paths


def test_wrong_labels_and_copies_are_shown(ingested: Paths) -> None:
    """An image in the wrong folder is doubted, a copy is told, and the page holds both."""
    raw = ingested.raw("target")
    draw(900_001, COLOURS["red"]).save(raw / "blue" / "stray.png")
    (raw / "green" / "again.png").write_bytes((raw / "green" / "0003.png").read_bytes())
    history.ingest(ingested, "target")
    done = CliRunner().invoke(app, ["data", "quality", "--json"])
    said = json.loads(done.stdout)
    found = {one["id"]: one for one in said["findings"]}
    assert ["blue/stray.png"] in found["labels"]["groups"]
    assert found["labels"]["cases"] <= 3
    assert {*found["copies"]["groups"][0]} == {"green/0003.png", "green/again.png"}
    page = Path(said["page"]).read_text(encoding="utf-8")
    assert "stray.png" in page
    assert "again.png" in page


def test_a_run_writes_the_page_without_doubting_labels(ingested: Paths) -> None:
    """The stage that validates shows what the manifest alone tells."""
    from sightline.stage import run_stage

    run_stage(ingested, "validate", "target")
    page = ingested.quality("target")
    assert "Quality of toy-target" in page.read_text(encoding="utf-8")
    assert "Likely label errors" not in page.read_text(encoding="utf-8")


def test_what_was_never_ingested_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No page about nothing: the remedy is named."""
    paths = make_project(tmp_path / "new", make_images(tmp_path / "images", per_class=2))
    monkeypatch.chdir(paths.root)
    done = CliRunner().invoke(app, ["data", "quality"])
    assert isinstance(done.exception, DataError)
    assert "there is no manifest; run `sightline run`" in str(done.exception)
    assert not paths.quality("target").exists()
