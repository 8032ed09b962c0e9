"""The command line on a trained toy project, and what it says when something is wrong."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, draw
from PIL import Image
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.errors import ConfigError, DataError, RegistryError, SightlineError
from sightline.registry.opening import history
from sightline.registry.trial import start_trial
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from sightline.project import Paths

RUNNER = CliRunner()


def test_killed_run_goes_on_from_its_checkpoint(run_once: Path) -> None:
    """After kill -9 in the middle of pretraining the same command goes on where it was, and ends with a champion."""
    log = (run_once / "second.log").read_text()
    epochs = [line for line in log.splitlines() if "pretrain: epoch" in line]
    assert epochs, log
    assert "epoch 3/45" not in epochs[0]
    assert "epoch 45/45" in epochs[-1]
    assert "champion  version 1" in log


def test_nothing_is_printed_twice(trained: Paths, run_once: Path) -> None:
    """Of all that a run prints no line of several words comes again, and no sentence of a check."""
    log = (run_once / "second.log").read_text()
    lines = Counter(
        line.partition("| ")[2] or line for line in log.splitlines() if len(re.findall(r"[a-z]{2,}", line)) > 5
    )
    assert [line for line, count in lines.items() if count > 1] == []
    said = {
        one["sentence"] for one in history(trained)[-1]["evidence"]["blessings"] if len(one["sentence"].split()) > 5
    }
    assert len(said) >= 5
    assert {sentence: log.count(sentence) for sentence in said} == dict.fromkeys(said, 1)


def test_predict_answers_with_class_and_probability(trained: Paths, tmp_path: Path) -> None:
    """One JSON object for each image, with path, label, probability and version."""
    draw(31, COLOURS["green"]).save(tmp_path / "a.png")
    result = RUNNER.invoke(app, ["predict", str(tmp_path / "a.png"), "--json"])
    (row,) = json.loads(result.stdout)
    assert row["path"] == str(tmp_path / "a.png")
    assert row["label"] == "green"
    assert 0.34 < row["probability"] <= 1
    assert row["version"] == "1"
    assert row["abstain"] in {True, False, None}
    assert row["set"][0] == "green"
    assert trained.root.exists()


def test_predict_takes_patterns_and_tells_a_table(trained: Paths, tmp_path: Path) -> None:
    """Quoted patterns, with backslashes too, from any folder of the project; a row each, the next classes beside."""
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("a.png", "b.png", "=c.png")):
        draw(seed + 40, COLOURS["green"]).save(tmp_path / "in" / name)
    words = ["predict", f"{tmp_path}\\in\\*.png", "--csv", "--top-k", "2"]
    head, *rows = list(csv.reader(RUNNER.invoke(app, words).stdout.splitlines()))
    assert head == [
        *("path", "label", "probability", "label_2", "probability_2", "abstain"),
        *("set", "foreign", "foreign_score", "version", "error"),
    ]
    assert [Path(row[0]).name for row in rows] == ["=c.png", "a.png", "b.png"]
    assert {row[1] for row in rows} == {"green"}
    assert all(float(row[2]) >= float(row[4]) > 0 and row[1] != row[3] for row in rows)
    result = RUNNER.invoke(app, ["predict", str(tmp_path / "in" / "a.png"), "--top-k", "9", "--json"])
    (found,) = json.loads(result.stdout)
    assert found["top"][0]["label"] == found["label"]
    assert sum(one["probability"] for one in found["top"]) == pytest.approx(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(trained.raw("target"))
        assert json.loads(RUNNER.invoke(app, ["predict", "red/0001.png", "--json"]).stdout)[0]["path"] == "red/0001.png"


@pytest.mark.usefixtures("trained")
def test_predict_draws_its_answers(tmp_path: Path) -> None:
    """A picture for each image that can be read, with a band below, large enough to be read; none replaces another."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        draw(50, COLOURS["red"]).save(tmp_path / folder / "a photo.png")
    (tmp_path / "two" / "bad.png").write_text("no image")
    words = ["predict", str(tmp_path / "one"), str(tmp_path / "two"), "--draw", str(tmp_path / "out"), "--top-k", "3"]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a-photo-2.jpg", "a-photo.jpg"]
    with Image.open(tmp_path / "out" / "a-photo.jpg") as picture:
        assert picture.width == 320
        assert picture.height > 320 + 3 * 13


@pytest.mark.usefixtures("trained")
def test_report_is_found_by_version_and_by_run() -> None:
    """The newest by default, with the index of all."""
    found = json.loads(RUNNER.invoke(app, ["report", "--json"]).stdout)
    assert [row["version"] for row in found["runs"]] == ["1"] * len(found["runs"])
    page = Path(found["page"])
    assert page.is_file()
    for which in ("1", page.stem):
        assert str(page) in RUNNER.invoke(app, ["report", which]).stdout.replace("\n", "")
    assert page.name in Path(found["index"]).read_text()


def test_version_of_the_program_is_told() -> None:
    """Without a project."""
    assert RUNNER.invoke(app, ["--version"]).stdout == f"sightline {version('sightline')}\n"


ALONE = """
import sys
for name in {others}:
    sys.modules[name] = None
from flows.cli.app import main
main()
"""
"""The command line where some libraries cannot be imported."""
HEAVY = ("mlflow", "prefect", "pandas", "great_expectations", "sklearn", "scipy", "torch")


def alone(paths: Paths, others: tuple[str, ...], *words: str) -> str:
    """What a command says in a process of its own, without the `others`."""
    command = [sys.executable, "-P", "-c", ALONE.format(others=others), *words]
    done = subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_predict_needs_torch_alone(trained: Paths, tmp_path: Path) -> None:
    """The champion answers from the project, where neither MLflow nor anything else heavy can be imported."""
    draw(31, COLOURS["green"]).save(tmp_path / "a.png")
    words = ("predict", str(tmp_path / "a.png"), "--json")
    assert alone(trained, HEAVY[:-1], *words) == RUNNER.invoke(app, words).stdout


def test_history_lineage_and_doctor_need_none_of_them(trained: Paths) -> None:
    """Ledger and records answer without MLflow, Prefect, pandas or torch, as they do with them."""
    for words in (("history", "--json"), ("lineage", "--json"), ("doctor", "--json")):
        assert alone(trained, HEAVY, *words) == RUNNER.invoke(app, words).stdout


def test_record_of_a_version_is_what_mlflow_says(trained: Paths) -> None:
    """Without the project's own records the lineage is the same, and they are made again."""
    before = RUNNER.invoke(app, ["lineage", "--json"]).stdout
    (record,) = (trained.mlflow / "versions" / "toy-classifier").iterdir()
    record.write_text("{")
    assert RUNNER.invoke(app, ["lineage", "--json"]).stdout == before
    assert json.loads(record.read_text())["version"] == "1"
    connect(trained).tag_version("toy-classifier", "1", {"reproduced": "agrees"})
    assert json.loads(RUNNER.invoke(app, ["lineage", "--json"]).stdout)["reproduced"] == {"verdict": "agrees"}
    connect(trained).client.delete_model_version_tag("toy-classifier", "1", "reproduced")


def test_damaged_bundle_is_fetched_anew_or_refused(trained: Paths, tmp_path: Path) -> None:
    """What was changed in the project is not asked; MLflow's is, unless it was changed too."""
    draw(31, COLOURS["green"]).save(tmp_path / "a.png")
    words = ["predict", str(tmp_path / "a.png"), "--json"]
    before = RUNNER.invoke(app, words).stdout
    (kept,) = (trained.mlflow / "bundles").glob("*/bundle.json")
    (stored,) = (trained.mlflow / "artifacts").rglob("bundle.json")
    whole = stored.read_text()
    kept.write_text(whole.replace("green", "greet"))
    assert RUNNER.invoke(app, words).stdout == before
    assert kept.read_text() == whole
    for file in (kept, stored):
        file.write_text(whole.replace("green", "greet"))
    try:
        assert "was changed since it was registered" in str(RUNNER.invoke(app, words).exception)
        findings = json.loads(RUNNER.invoke(app, ["doctor", "--deep", "--json"]).stdout)
        assert [one["what"] for one in findings if not one["good"]] == ["champion"]
    finally:
        stored.write_text(whole)
    assert RUNNER.invoke(app, words).stdout == before


def test_evaluate_scores_the_champion_and_logs_it(trained: Paths) -> None:
    """All figures as JSON, among them the full grid of corruptions, and the same in the version's MLflow run."""
    figures = json.loads(RUNNER.invoke(app, ["evaluate", "--full", "--json"]).stdout)
    assert (figures["version"], figures["release"]["name"]) == ("1", "r1")
    assert [len(row) for row in figures["robustness"]["grid"].values()] == [5] * 15
    assert figures["agreement"] < 1e-5
    tracker = connect(trained)
    found = tracker.version("toy-classifier", "1")
    metrics = tracker.client.get_run(found.run_id).data.metrics
    assert metrics["test/accuracy"] == pytest.approx(figures["accuracy"])
    assert metrics["test/robustness/mean_corruption_error"] == figures["robustness"]["mean_corruption_error"]
    kept = {one.path for one in tracker.client.list_artifacts(found.run_id, "evaluation")}
    names = ("evaluation.json", "confusion.svg", "reliability.svg", "risk_coverage.svg")
    assert kept == {f"evaluation/{name}" for name in names}
    logged = tracker.client.get_logged_model(str(found.source).removeprefix("models:/"))
    assert any(one.key == "test/accuracy" and one.dataset_name == "toy-r1" for one in logged.metrics)


@pytest.mark.usefixtures("trained")
def test_evaluate_tells_people_the_weakest_slices() -> None:
    """Without --json it is a table in words."""
    said = RUNNER.invoke(app, ["evaluate", "1"]).stdout
    assert "version 1 on release r1" in said
    assert "label=red" in said
    assert "95 % within" in said


@pytest.mark.usefixtures("trained")
def test_predict_tells_the_bad_file_and_answers_the_others(tmp_path: Path) -> None:
    """A file that is no image is told with its reason and exit status 1; the others are answered."""
    draw(32, COLOURS["red"]).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("not an image")
    result = RUNNER.invoke(app, ["predict", str(tmp_path / "bad.jpg"), str(tmp_path / "good.png"), "--json"])
    bad, good = json.loads(result.stdout)
    assert "not an image" in bad["error"]
    assert good["label"] == "red"
    assert result.exit_code == 1


@pytest.mark.usefixtures("trained")
def test_unknown_version_is_told_with_the_known_ones(tmp_path: Path) -> None:
    """A version that is not there gives those that are."""
    draw(33, COLOURS["red"]).save(tmp_path / "x.png")
    result = RUNNER.invoke(app, ["predict", str(tmp_path / "x.png"), "--version", "9"])
    assert isinstance(result.exception, RegistryError)
    assert "its versions: 1" in str(result.exception)


def test_lineage_leads_from_champion_to_data(trained: Paths) -> None:
    """The tree names the data versions, the backbone, the runs and the decision."""
    found = json.loads(RUNNER.invoke(app, ["lineage", "--json"]).stdout)
    assert found["model"] == "toy-classifier"
    assert set(found["data"]) == {"source", "target"}
    assert (found["backbone"]["model"], found["backbone"]["version"]) == ("toy-backbone", "1")
    assert found["prefect"]["flow_run"]
    assert [row["decision"] for row in found["ledger"]] == ["promoted"]
    assert found["weights"]["sha256"][:16] in RUNNER.invoke(app, ["lineage", "toy-classifier/1"]).stdout.replace(
        "\n", ""
    )
    assert trained.root.exists()


@pytest.mark.usefixtures("trained")
def test_doctor_finds_everything_well() -> None:
    """In a whole project every finding is good."""
    for words, more in ((["doctor"], set()), (["doctor", "--deep"], {"champion"})):
        findings = json.loads(RUNNER.invoke(app, [*words, "--json"]).stdout)
        assert [one for one in findings if not one["good"]] == []
        assert {"training", "DVC", "MLflow", "Prefect"} | more <= {one["what"] for one in findings}


def tried(paths: Paths) -> str | None:
    """What the fresh process of the gate says of version 1."""
    (card,) = (paths.mlflow / "artifacts").rglob("bundle.json")
    return start_trial(card.parent).trouble()


def test_tampered_model_does_not_pass_the_fresh_process(trained: Paths) -> None:
    """Weights changed in the store are noticed when the model is loaded, and the reason is told."""
    assert tried(trained) is None
    (card,) = (trained.mlflow / "artifacts").rglob("bundle.json")
    weights = card.with_name("weights.safetensors")
    whole = weights.read_bytes()
    half = len(whole) // 2
    weights.write_bytes(whole[:half] + bytes(byte ^ 0x10 for byte in whole[half : half + 4000]) + whole[half + 4000 :])
    try:
        assert "was changed" in str(tried(trained))
    finally:
        weights.write_bytes(whole)


def test_model_in_the_registry_takes_bytes_and_has_no_pickle(trained: Paths) -> None:
    """The logged model has a signature of one binary column and an input example, and no pickle among its files."""
    import mlflow

    connect(trained)
    info = mlflow.models.get_model_info("models:/toy-classifier@champion")
    assert [(column.name, str(column.type)) for column in info.signature.inputs] == [("image", "DataType.binary")]
    assert info.saved_input_example_info
    assert not [path for path in (trained.mlflow / "artifacts").rglob("*") if path.suffix in {".pkl", ".pickle", ".pt"}]


def write_text_as_jpeg(folder: Path) -> str:
    (folder / "red" / "text.jpg").write_text("hello")
    return "not an image"


def write_truncated_jpeg(folder: Path) -> str:
    path = folder / "red" / "cut.jpg"
    draw(1, COLOURS["red"], 64).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return "damaged pixels"


def write_nothing(folder: Path) -> str:
    (folder / "red" / "empty.png").write_bytes(b"")
    return "empty file"


@pytest.mark.parametrize("damage", [write_text_as_jpeg, write_truncated_jpeg, write_nothing])
def test_bad_file_is_quarantined_with_its_reason(toy: Paths, damage: object) -> None:
    """A file that cannot be used is left out with its reason; the rest of the set is ingested."""
    from sightline.data.ingest import ingest

    reason = damage(toy.raw("target"))  # type: ignore[operator]
    rows = ingest(toy, "target")
    assert (rows["status"] == "quarantined").sum() == 1
    assert reason in toy.quarantine("target").read_text()
    assert (rows["status"] == "ok").sum() == 180


def refused(*words: str) -> SightlineError:
    result = RUNNER.invoke(app, list(words))
    assert isinstance(result.exception, SightlineError), result.output
    return result.exception


def test_unknown_parameter_is_told_before_anything_starts(toy: Paths) -> None:
    """A misspelt --set stops at once."""
    assert "did you mean epochs" in str(refused("run", "--set", "pretrain.epoch=1"))
    assert not toy.runs.exists()


@pytest.mark.usefixtures("toy")
def test_wrong_type_is_told() -> None:
    """A text where a number belongs stops at once."""
    assert isinstance(refused("run", "--set", "pretrain.epochs=three"), ConfigError)


def test_missing_folder_is_told(tmp_path: Path) -> None:
    """`init` names the folder that is not there."""
    error = refused("init", str(tmp_path / "p"), "--images", str(tmp_path / "nowhere"))
    assert isinstance(error, DataError)
    assert "nowhere" in str(error)


def test_errors_leave_with_status_two(tmp_path: Path) -> None:
    """The program prints our own errors in a line, without a traceback, and exits with 2."""
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "run"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no params.yaml")
    assert "Traceback" not in done.stderr


def test_the_end_waits_for_what_is_to_be_sent() -> None:
    """The program ends at once, but not before its threads, and what the libraries registered for its end, are done."""
    code = (
        "import atexit, threading, time\n"
        "from flows.cli.common import leave\n"
        "atexit.register(print, 'server stopped')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('logs sent'))).start()\n"
        "leave(3)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.split("\n") == ["logs sent", "server stopped", ""]
