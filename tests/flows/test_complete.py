"""Whatever changes after a complete run is noticed; where nothing did, the run is told again without being made."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import COLOURS, draw

from flows.cli.repetition import forget
from flows.complete import Look, repeat
from flows.summary import Summary
from sightline import stamps
from sightline.config import write_value
from sightline.data.labels import exchange
from sightline.data.versions import dvc
from sightline.registry.ledger import PROMOTED, UNCHANGED, Entry
from sightline.registry.opening import open_ledger
from sightline.registry.outcome import Outcome
from sightline.report.page import Score, StageRow
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.project import Paths

MODEL = "toy-classifier"


@pytest.fixture
def complete(ingested: Paths) -> Paths:
    """A project with one version of its data, weights, a champion, and a complete run that is remembered."""
    tracker = connect(ingested)
    weights = ingested.runs / "scratch" / "0123" / "weights.safetensors"
    report = ingested.reports / "eager-fox.html"
    model = ingested.mlflow / "artifacts" / "models" / "m-0" / "bundle.json"
    kept = {weights: "weights", report: "page", model: "{}", ingested.baseline("target"): "{}"}
    for file, text in kept.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    run = tracker.start("train eager-fox", {})
    tracker.client.create_registered_model(MODEL)
    for number in ("1", "2"):
        tracker.client.create_model_version(MODEL, weights.as_uri(), run_id=run, tags={"weights": number})
    tracker.set_alias(MODEL, "champion", "1")
    promoted(ingested, None, "1")
    look = Look(ingested, None, None)
    look.remember(tracker, run, "eager-fox", summary(report, Outcome("1", "1", PROMOTED, "first champion")))
    assert Look(ingested, None, None).unchanged(tracker) is not None
    return ingested


def summary(report: Path, outcome: Outcome) -> Summary:
    rows = tuple(
        StageRow(name=name, what=what, seconds=3.0, outcome="ran")
        for name, what in (("ingest target", "version 01234567"), ("scratch", "cnn"), ("promote", outcome.sentence))
    )
    score = Score(name="from scratch", accuracy=0.9, low=0.8, high=0.95, chosen=True)
    return Summary(rows, None, (score,), "scratch is the only candidate", outcome, str(report))


def promoted(paths: Paths, before: str | None, version: str) -> None:
    ledger = open_ledger(paths)
    row = {"model": MODEL, "champion_before": before, "decision": PROMOTED, "actor": "toy", "reason": "test"}
    ledger.append(Entry(version=version, **row))  # type: ignore[arg-type]
    ledger.close()


def image(paths: Paths, rng: random.Random) -> Path:
    return rng.choice(sorted(paths.raw("target").rglob("*.png")))


def other_bytes(paths: Paths, rng: random.Random) -> None:
    """As many bytes, and the time stamp of before."""
    file = image(paths, rng)
    known, data = file.stat(), bytearray(file.read_bytes())
    data[rng.randrange(len(data))] ^= 1
    file.write_bytes(bytes(data))
    os.utime(file, ns=(known.st_atime_ns, known.st_mtime_ns))


def added(paths: Paths, rng: random.Random) -> None:
    draw(rng.randrange(1000), COLOURS["red"]).save(paths.raw("target") / rng.choice(sorted(COLOURS)) / "new.png")


def removed(paths: Paths, rng: random.Random) -> None:
    image(paths, rng).unlink()


def renamed(paths: Paths, rng: random.Random) -> None:
    file = image(paths, rng)
    file.rename(file.with_stem("other"))


def another_class(paths: Paths, rng: random.Random) -> None:
    (paths.raw("target") / rng.choice("xyz")).mkdir()


def labelled(paths: Paths, rng: random.Random) -> None:
    table = paths.root.parent / "labels.csv"
    exchange.export(paths, "target", table, everything=True, suggest=None)
    lines = table.read_text().splitlines()
    path, sha256, label = lines[rng.randrange(1, len(lines))].split(",")[:3]
    table.write_text(f"path,sha256,label\n{path},{sha256},{'red' if label != 'red' else 'blue'}\n")
    exchange.take(paths, "target", table)


def value(paths: Paths, rng: random.Random) -> None:
    key, new = rng.choice([("pretrain.recipe.epochs", 7), ("preprocess.size", 20), ("gate.margin", 0.02)])
    write_value(paths.root, key, new)


def baseline(paths: Paths, rng: random.Random) -> None:
    paths.baseline("target").write_text("{}" + "\n" * rng.randrange(1, 5))


def lock(paths: Paths, rng: random.Random) -> None:
    file = paths.root / "dvc.lock"
    text = file.read_text()
    at = text.index("md5: ") + 5 + rng.randrange(32)
    file.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :])


def manifest(paths: Paths, _: random.Random) -> None:
    paths.manifest("target").unlink()


def cached_object(paths: Paths, rng: random.Random) -> None:
    rng.choice([file for file in (paths.root / ".dvc" / "cache").rglob("*") if file.is_file()]).unlink()


def weights(paths: Paths, rng: random.Random) -> None:
    (file,) = paths.runs.rglob("weights.safetensors")
    file.write_text(rng.choice(["weightz", "w", ""]))


def registered(paths: Paths, _: random.Random) -> None:
    (file,) = paths.mlflow.rglob("bundle.json")
    file.write_text("[]")


def no_runs(paths: Paths, _: random.Random) -> None:
    shutil.rmtree(paths.runs)


def report(paths: Paths, _: random.Random) -> None:
    (paths.reports / "eager-fox.html").unlink()


def alias(paths: Paths, rng: random.Random) -> None:
    connect(paths).set_alias(MODEL, "champion", rng.choice(["2", None]))


def ledger_row(paths: Paths, _: random.Random) -> None:
    promoted(paths, "1", "2")


def version(paths: Paths, _: random.Random) -> None:
    connect(paths).client.delete_model_version(MODEL, "2")


CHANGES: tuple[Callable[[Paths, random.Random], None], ...] = (
    *(other_bytes, added, removed, renamed, another_class, labelled, value, baseline, lock, manifest, cached_object),
    *(weights, registered, no_runs, report, alias, ledger_row, version),
)


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_leads_to_a_closer_look(complete: Paths, change: Callable[[Paths, random.Random], None]) -> None:
    """One thing that changed, drawn anew in each session, is enough: the run is not told again."""
    seed = random.SystemRandom().randrange(1_000_000)
    change(complete, random.Random(seed))  # noqa: S311 — a test case
    assert repeat(Look(complete, None, None)) is None, f"seed {seed}"


@pytest.mark.parametrize("asked", [({"finetune.scratch.epochs": 5}, None), (None, 60.0), (None, {"scratch": 2.0})])
def test_another_question_gets_no_old_answer(complete: Paths, asked: tuple[Any, Any]) -> None:
    """Values for one run and budgets count, too."""
    assert Look(complete, *asked).last is None


def test_given_weights_in_the_home_folder_are_looked_at(
    complete: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file at `~` is one as any other: as it was nothing is made anew, and changed it is noticed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pt").write_bytes(b"weights")
    write_value(complete.root, "pretrain.init", "~/w.pt")
    tracker, told = connect(complete), summary(complete.reports / "eager-fox.html", Outcome("1", "1", UNCHANGED, ""))
    Look(complete, None, None).remember(tracker, "0", "eager-fox", told)
    assert Look(complete, None, None).last is not None
    (tmp_path / "w.pt").write_bytes(b"other weights")
    assert Look(complete, None, None).last is None


def test_an_edited_helper_and_another_library_are_noticed(
    complete: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of the packages and the versions of what they stand on belong to what a run starts from."""
    package = Path(shutil.copytree(Path(stamps.__file__).parent, tmp_path / "sightline"))
    monkeypatch.setattr(stamps, "_packages", lambda: [package])
    tracker, told = connect(complete), summary(complete.reports / "eager-fox.html", Outcome("1", "1", UNCHANGED, ""))
    Look(complete, None, None).remember(tracker, "0", "eager-fox", told)
    assert Look(complete, None, None).last is not None
    compiled = package / "data" / "__pycache__"
    compiled.mkdir(exist_ok=True)
    (compiled / "new.pyc").write_bytes(b"")
    assert Look(complete, None, None).last is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stamps, "version", lambda name: f"{name} of tomorrow")
        assert Look(complete, None, None).last is None
    helper = package / "data" / "roles" / "split.py"
    helper.write_text(helper.read_text() + "# another way\n")
    assert Look(complete, None, None).last is None


def test_nothing_changed_is_told_and_recorded(complete: Paths) -> None:
    """The answer is that of a run which finds everything done; MLflow has a run of its own for it, ended."""
    look = Look(complete, None, None)
    told = repeat(look)
    assert told is not None
    assert told.outcome == Outcome("1", "1", UNCHANGED, "version 1 is the champion already")
    assert [(row.name, row.outcome) for row in told.rows] == [
        ("ingest target", "up to date"),
        ("scratch", "cached"),
        ("promote", "cached"),
    ]
    tracker = connect(complete)
    first, last = sorted(tracker.client.search_runs([tracker.experiment]), key=lambda run: run.info.start_time)
    assert last.info.status == "FINISHED"
    assert last.data.tags["unchanged.since"] == first.info.run_id
    assert last.data.metrics["test_accuracy"] == 0.9
    assert look.last is not None
    assert look.last.sentence == "nothing changed since run eager-fox: version 1 is the champion already"
    assert repeat(Look(complete, None, None)) == told, "telling changes nothing"


def test_a_version_that_is_not_the_champion_is_judged_anew(complete: Paths) -> None:
    """A refused one may pass another time: its run is not remembered, nor the one before."""
    told = summary(complete.reports / "eager-fox.html", Outcome("2", "1", "refused", "worse"))
    Look(complete, None, None).remember(connect(complete), "0", "keen-owl", told)
    assert Look(complete, None, None).last is None


def test_verify_reads_what_stamps_hide(complete: Paths) -> None:
    """Other bytes under the size and times of before escape DVC's own stamps; once they are forgotten, all is read."""
    assert not dvc.track_raw(complete, "target")
    other_bytes(complete, random.Random(0))  # noqa: S311 — a test case
    assert not dvc.track_raw(complete, "target")
    forget(complete)
    assert Look(complete, None, None).last is None
    assert dvc.track_raw(complete, "target")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": 1}'])
def test_a_damaged_memory_is_none(complete: Paths, text: str) -> None:
    """It leads to a closer look, not to an error."""
    (complete.root / "data" / "cache" / "complete.json").write_text(text)
    assert Look(complete, None, None).last is None
