"""Lineage, impact and reproduction of the champion of a toy project, made by the real command."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from conftest import COLOURS, LEARNING_RATE, draw
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.digests import file_digest, git_patch
from sightline.errors import DataError, RegistryError
from sightline.lineage import origin, reproduce, trace
from sightline.lineage.impact import PARTS
from sightline.report.lineage import write_lineage
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sightline.project import Paths
    from sightline.tracking.runs import Tracker

RUNNER = CliRunner()


def asked(*words: str) -> dict[str, Any]:
    result = RUNNER.invoke(app, [*words, "--json"])
    assert result.exception is None, result.exception
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def git(paths: Paths, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=paths.root, capture_output=True, text=True, check=True).stdout.strip()


def test_lineage_of_the_champion_is_complete(trained: Paths) -> None:
    """Every link from weights to ledger is there, as the schema says, and agrees with git, DVC and the files."""
    found = asked("lineage")
    jsonschema.validate(found, json.loads(trace.schema_path().read_text()))
    assert found["missing"] == []
    assert (found["model"], found["version"], found["aliases"]) == ("toy-classifier", "1", ["champion"])
    weights = list(trained.runs.glob(f"{found['weights']['stage']}/*/weights.safetensors"))
    assert [file_digest(path) for path in weights] == [found["weights"]["sha256"]]
    assert found["git"]["commit"] == git(trained, "rev-parse", "HEAD")
    assert found["git"]["patch"]["bytes"] == len(git_patch(trained.root))
    assert found["plan"]["overrides"] == {LEARNING_RATE: 0.002}
    assert found["plan"]["params"]["preprocess"]["size"] == 16
    lock = (trained.root / "dvc.lock").read_text()
    for use, data in found["data"].items():
        assert all(data[key] in lock for key in ("version", "raw", "shards")), use
        assert data["validation"]["digest"] in lock
        assert data["validation"]["passed"]
        assert data["manifest"]["images"] == 180
    assert found["backbone"]["version"] == "1"
    assert found["training"][0]["weights"] == found["backbone"]["weights"]
    assert found["gate"]["decision"] == found["ledger"][-1]["decision"] == "promoted"
    assert len(found["prefect"]["flow_run"]) == 36


def test_lineage_needs_no_prefect(trained: Paths) -> None:
    """With Prefect's database deleted the answer is the same."""
    before = asked("lineage")
    with moved_away(trained.root / ".prefect"):
        assert asked("lineage", "toy-classifier/1") == before


def test_page_draws_the_graph_without_a_network(trained: Paths, tmp_path: Path) -> None:
    """The page holds a drawn graph whose boxes lead to tables of the page, and loads nothing."""
    result = RUNNER.invoke(app, ["lineage", "--html", str(tmp_path / "page.html")])
    html = (tmp_path / "page.html").read_text()
    assert html.count("<rect") >= 14
    targets = re.findall(r'<a href="#(\w+)"', html)
    assert targets
    assert all(f'id="{target}"' in html for target in targets)
    assert not re.search(r'(src|href)="(?!#)|https?://|<script|@import', html)
    assert asked("lineage")["weights"]["sha256"] in html
    assert "Great Expectations" in html
    assert re.search(r"registered \d{4}-\d\d-\d\d \d\d:\d\d UTC\. A box", html)
    assert "page.html" in result.stdout
    assert trained.root.exists()


def test_what_is_gone_is_told(trained: Paths) -> None:
    """A patch and a manifest that can no longer be had are named, and the rest is answered."""
    # The killed run kept one, too.
    patch = max((trained.mlflow / "artifacts").rglob("*.patch"), key=lambda path: path.stat().st_mtime)
    version = asked("lineage")["data"]["source"]["version"]
    listing = trained.root / ".dvc" / "cache" / "files" / "md5" / version[:2] / version[2:]
    with moved_away(patch), moved_away(listing):
        found = asked("lineage")
    jsonschema.validate(found, json.loads(trace.schema_path().read_text()))
    assert len(found["missing"]) == 2
    assert any("manifest of source" in sentence for sentence in found["missing"])
    assert any("patch" in sentence for sentence in found["missing"])


class moved_away:  # noqa: N801 — reads as a sentence
    """A file that is elsewhere inside the block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.path.rename(self.path.with_suffix(".away"))

    def __exit__(self, *_: object) -> None:
        self.path.with_suffix(".away").rename(self.path)


def test_ledger_answers_where_the_registry_does_not(trained: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the tracking server out of reach the ledger's rows are told, and that nobody else was asked."""
    monkeypatch.setenv("SIGHTLINE_LEDGER_URI", f"sqlite:///{trained.mlflow / 'ledger.db'}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = asked("lineage")
    jsonschema.validate(found, json.loads(trace.schema_path().read_text()))
    assert found["gate"]["decision"] == "promoted"
    assert "nothing listens at" in found["missing"][0]
    touched = asked("impact", str(trained.raw("target") / "red" / "0001.png"))
    assert len(touched["data"]) == 1
    assert "nothing listens at" in touched["unknown"][0]


def test_impact_of_an_image(trained: Paths, tmp_path: Path) -> None:
    """A training image touched its data version, the classifier and its promotion, however it is named."""
    version = asked("lineage")["data"]["target"]["version"]
    image = trained.raw("target") / "red" / "0001.png"
    elsewhere = Path(shutil.copyfile(image, tmp_path / "copy.png"))
    for name in (str(image), str(elsewhere), file_digest(image)[:10], "data/raw/target/red/0001.png", "red/0001.png"):
        found = asked("impact", name)
        (held,) = found["data"]
        assert (held["use"], held["path"], held["version"]) == ("target", "red/0001.png", version)
        assert [one["model"] for one in found["models"]] == ["toy-classifier"]
        assert found["models"][0]["parts"] == [f"target: {PARTS[held['role']]}"]
        assert [one["version"] for one in found["promotions"]] == ["1"]
        assert found["unknown"] == []
    source = asked("impact", str(trained.raw("source") / "blue" / "1003.png"))
    assert [one["model"] for one in source["models"]] == ["toy-backbone", "toy-classifier"]


def test_impact_of_a_stranger(trained: Paths, tmp_path: Path) -> None:
    """An image that no version holds touched nothing; a digest or path that fits none or many is refused."""
    draw(9999, COLOURS["red"]).save(tmp_path / "new.png")
    found = asked("impact", str(tmp_path / "new.png"))
    assert found["data"] == found["models"] == found["promotions"] == []
    for name in ("0123456789abcdef", "nowhere.png"):
        assert isinstance(RUNNER.invoke(app, ["impact", name]).exception, DataError)
    assert trained.root.exists()


@contextmanager
def tags_kept(paths: Paths) -> Iterator[tuple[Tracker, dict[str, str]]]:
    """The registry, and the tags of version 1, which has them again at the end."""
    tracker = connect(paths)
    kept = dict(tracker.version("toy-classifier", "1").tags)
    try:
        yield tracker, kept
    finally:
        tracker.tag_version("toy-classifier", "1", kept)


@contextmanager
def poisoned(paths: Iterable[Path]) -> Iterator[None]:
    """Files that hold something else inside the block."""
    kept = {path: path.read_bytes() for path in paths if path.is_file()}
    for path in kept:
        path.chmod(0o644)
        path.write_bytes(b"poison")
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)


def everything(paths: Paths) -> tuple[str, list[str], dict[str, str]]:
    """What a reproduction must leave alone: the working tree, the training outputs, the aliases."""
    outputs = sorted(f"{path} {file_digest(path)}" for path in paths.runs.rglob("*") if path.is_file())
    aliases = connect(paths).client.get_registered_model("toy-classifier").aliases
    return git(paths, "status", "--porcelain"), outputs, dict(aliases)


def test_reproduction_is_bit_identical(trained: Paths) -> None:
    """The same machine gives the same weights from commit, patch and data; the project stays as it is."""
    before = everything(trained)
    found = asked("reproduce", "1")
    assert found["verdict"] == "identical"
    assert found["changed"] == []
    assert all(stage["then"] == stage["now"] for stage in found["stages"])
    assert found["shards"] == {"source": True, "target": True}
    assert everything(trained) == before
    lineage = asked("lineage")
    jsonschema.validate(lineage, json.loads(trace.schema_path().read_text()))
    assert lineage["reproduced"]["verdict"] == "identical"


@pytest.mark.parametrize(
    ("line", "under_dvc"),
    [(("pretrain", "transfer", "finetune"), True), (("scratch",), False)],
    ids=["finetune", "scratch"],
)
@pytest.mark.slow
def test_every_way_to_weights_is_reproduced(trained: Paths, line: tuple[str, ...], *, under_dvc: bool) -> None:
    """Fine-tuned and from scratch alike; images that DVC does not hold are represented by their shards."""
    results = [json.loads(next(trained.runs.glob(f"{stage}/*/result.json")).read_text()) for stage in line]
    stages = [
        {"stage": one["stage"], "weights": one["weights"], "run": "", "machine": dict(one["notes"])["machine"]}
        for one in results
    ]
    own = {"weights": stages[-1]["weights"], "stage": line[-1], "training": json.dumps(stages)}
    with tags_kept(trained) as (tracker, _):
        tracker.tag_version("toy-classifier", "1", own)
        if not under_dvc:
            tracker.client.delete_model_version_tag("toy-classifier", "1", "raw.target")
        found = asked("reproduce", "1")
        page = write_lineage(trained, trace.trace(trained, "/1")).read_text()
    assert page.count('class="arrow loose"') == (line == ("scratch",))
    assert found["verdict"] == "identical"
    assert [one["stage"] for one in found["stages"]] == list(line)
    assert set(found["shards"]) == ({"target"} if line == ("scratch",) else {"source", "target"})


@pytest.mark.slow
def test_reproduction_uses_nothing_that_was_cached(trained: Paths) -> None:
    """Poisoned outputs, features, results of Prefect, images and values of the working tree change nothing."""
    values = trained.root / "params.yaml"
    written = values.read_text()
    files = [*trained.runs.rglob("*"), *(trained.root / ".prefect" / "storage").rglob("*")]
    for use in ("source", "target"):
        files += [*trained.raw(use).rglob("*.png"), *trained.shards(use).iterdir(), trained.manifest(use)]
    with poisoned(files):
        values.write_text(written.replace("seed: 0", "seed: 7"))
        try:
            assert asked("reproduce", "1")["verdict"] == "identical"
        finally:
            values.write_text(written)


@pytest.mark.slow
def test_other_weights_are_told_with_the_interval(trained: Paths) -> None:
    """With another seed than the one that trained the weights differ: told with the first stage and the interval."""
    with tags_kept(trained) as (tracker, tags):
        tracker.tag_version("toy-classifier", "1", {"plan": tags["plan"].replace('"seed": 0', '"seed": 1')})
        result = RUNNER.invoke(app, ["reproduce", "1", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["verdict"] == "differs"
    assert "from the stage pretrain on" in found["sentence"]
    assert found["accuracy"]["low"] <= found["accuracy"]["now"] - found["accuracy"]["then"] <= found["accuracy"]["high"]


def test_changed_code_and_machine_are_told_up_front(trained: Paths) -> None:
    """What is not as it was then is named before anything is trained."""
    tags = dict(connect(trained).version("toy-classifier", "1").tags)
    line = origin.stages_of(tags)
    assert reproduce._changed(tags, line) == ()
    assert "code has changed" in reproduce._changed({**tags, "code.training": "0" * 16}, line)[0]
    line[0].machine["cpu"] = "another processor"
    assert "another processor then" in reproduce._changed(tags, line)[0]


def test_version_of_old_cannot_be_reproduced(trained: Paths) -> None:
    """A version that does not say how it came to be is refused with the remedy."""
    with tags_kept(trained) as (tracker, _):
        tracker.client.delete_model_version_tag("toy-classifier", "1", "training")
        result = RUNNER.invoke(app, ["reproduce", "1"])
    assert isinstance(result.exception, RegistryError)
    assert "sightline run" in str(result.exception)
