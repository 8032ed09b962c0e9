"""`sightline verify` on a trained project: what is damaged is told, what can be made whole again is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import commit, enter, make_images, make_project
from typer.testing import CliRunner

from flows.cli.app import app
from sightline import project
from sightline.errors import RegistryError
from sightline.monitor.state import State
from sightline.registry.backbones import fetched
from sightline.registry.candidate import Request
from sightline.registry.ledger import UNCHANGED
from sightline.registry.promotion import promote
from sightline.registry.served import served
from sightline.serve.record import About, encode, mark
from sightline.tracking import forms
from sightline.tracking.runs import connect
from sightline.verify import DAMAGED, everything
from sightline.verify.finding import HEALED, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths
    from sightline.registry.outcome import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

KINDS = {
    ".dvc/cache/files/md5/??/*": "DVC's store",
    ".dvc/cache/runs/??/*/*": "DVC's record of a stage",
    ".prefect/storage/*": "result of a task",
    "data/manifests/target/manifest.parquet": "version of the data",
    "data/validation/source/verdict.json": "version of the data",
    "data/shards/target/train-00000.npy": "version of the data",
    "data/cache/target.decoded": "cache",
    "data/history/target.jsonl": "log of the data",
    "data/cache/target.parquet": "cache",
    "data/cache/target.thumbnails": "cache",
    "data/cache/complete.json": "cache",
    "data/releases/r1.json": "test release",
    "runs/features/*.safetensors": "features",
    "runs/finetune/*/weights.safetensors": "trained stage",
    "runs/scratch/*/result.json": "trained stage",
    "runs/evaluate/*/predictions.npz": "evaluation",
    "mlflow/artifacts/models/*/artifacts/artifacts/bundle/weights.safetensors": "version",
    "mlflow/artifacts/*/artifacts/backbone/weights.safetensors": "version",
    "mlflow/bundles/*/golden.json": "bundle",
    "mlflow/versions/*/1.json": "record of a version",
}
"""Pattern of stored files → what `verify` calls them."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """A toy project with a champion and a backbone, committed; each test leaves it whole."""
    home = tmp_path_factory.mktemp("verify")
    paths = make_project(home / "toy project", make_images(home / "t", 40), make_images(home / "s", 40, first=1000))
    given = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))}
    command = [sys.executable, "-P", "-m", "flows.cli", "run"]
    subprocess.run(command, cwd=paths.root, env=given, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        for key, value in project.environment(paths.root, given).items():
            patch.setenv(key, value)
        patch.chdir(paths.root)
        commit(paths, "one")
        yield enter(paths, patch)


def flip(file: Path) -> None:
    """Change a byte in the middle of the file."""
    content = file.read_bytes()
    middle = len(content) // 2
    file.chmod(0o644)
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def ask(paths: Paths) -> Outcome:
    """Promote the champion, as each run does."""
    params = paths.params
    request = Request(version="1", reason="test", actor="ann")
    return promote(connect(paths), request, params.gate, params.evaluate.release)


def bundles(paths: Paths) -> dict[str, Path]:
    """The three copies of the champion's weights."""
    patterns = {
        "registry": "mlflow/artifacts/models/*/artifacts/artifacts/bundle",
        "project": "mlflow/bundles/*",
        "runs": "runs/evaluate/*/bundle",
    }
    return {name: next(paths.root.glob(pattern)) / "weights.safetensors" for name, pattern in patterns.items()}


def test_undamaged_project_is_whole(trained: Paths) -> None:
    """Nothing is said of what is as it was written, and nothing is changed."""
    assert {one.state for one in everything(trained)} == {WHOLE}
    assert CliRunner().invoke(app, ["verify"]).exit_code == 0


@pytest.mark.parametrize("pattern", KINDS)
def test_flipped_byte_is_told_then_mended(trained: Paths, pattern: str) -> None:
    """The kind is named and the status is 1; with --fix it is healed or gone, and the project whole again."""
    file = next(iter(sorted(trained.root.glob(pattern))))
    home, copy = file.parent, trained.root.with_name("copy")
    shutil.copytree(home, copy)
    flip(file)
    found = [one for one in everything(trained) if one.state != WHOLE]
    # A backbone is a version, and an artifact of the run that made it.
    assert KINDS[pattern] in {one.what for one in found} <= {KINDS[pattern], "artifact of a run"}
    assert {one.state for one in found} == {DAMAGED}
    assert CliRunner().invoke(app, ["verify"]).exit_code == 1
    mended = [one for one in everything(trained, fix=True) if one.state != WHOLE]
    assert {one.what for one in mended} <= {one.what for one in found}
    assert {one.state for one in mended} == {HEALED}
    assert {one.state for one in everything(trained)} == {WHOLE}
    shutil.rmtree(home, ignore_errors=True)
    shutil.move(copy, home)


@pytest.mark.parametrize(
    ("place", "other"),
    [
        ("runs/scratch/*/result.json", "data/cache/complete.json"),
        ("data/cache/target.inputs", "data/cache/source.inputs"),
        ("data/cache/target.inputs", "data/cache/complete.json"),
    ],
)
def test_sealed_document_in_the_place_of_another_is_told(trained: Paths, place: str, other: str) -> None:
    """Whole as it is, it is about something else."""
    file, taken = (next(iter(trained.root.glob(pattern))) for pattern in (place, other))
    whole = file.read_bytes()
    file.write_bytes(taken.read_bytes())
    found = [one for one in everything(trained) if one.state != WHOLE]
    assert [one.state for one in found] == [DAMAGED]
    file.write_bytes(whole)


def test_damaged_champion_is_mended_by_the_next_run(trained: Paths) -> None:
    """MLflow's copy comes back from the project's or from that of the evaluation, and the outcome says so."""
    copies = bundles(trained)
    whole = copies["registry"].read_bytes()
    for damaged in (("registry",), ("registry", "project"), ("registry", "runs")):
        for name in damaged:
            flip(copies[name])
        outcome = ask(trained)
        assert outcome.decision == UNCHANGED
        assert "were damaged, and are whole again" in " ".join(outcome.messages)
        assert copies["registry"].read_bytes() == whole
        copies["runs"].write_bytes(whole)
        served(trained)
        assert copies["project"].read_bytes() == whole
    assert not ask(trained).messages


def test_champion_without_a_whole_copy_is_refused(trained: Paths) -> None:
    """Where nothing is left to mend it from, a run is an error and not "the champion already"."""
    copies = bundles(trained)
    whole = copies["registry"].read_bytes()
    for file in copies.values():
        flip(file)
    with pytest.raises(RegistryError, match="was changed since it was registered"):
        ask(trained)
    for file in copies.values():
        file.write_bytes(whole)
    assert ask(trained).decision == UNCHANGED


def test_damaged_backbone_is_not_learned_from(trained: Paths) -> None:
    """A registered backbone whose weights were changed is refused as what another run starts from."""
    assert fetched(trained, "registry:toy-backbone/1")
    file = next(trained.root.glob("mlflow/artifacts/*/artifacts/backbone/weights.safetensors"))
    whole = file.read_bytes()
    flip(file)
    with pytest.raises(RegistryError, match="was changed since version 1 of toy-backbone was registered"):
        fetched(trained, "registry:toy-backbone/1")
    file.write_bytes(whole)


def test_alias_follows_the_ledger_again(trained: Paths) -> None:
    """An alias that points to nothing is told, and set as the ledger says."""
    tracker = connect(trained)
    tracker.set_alias(tracker.classifier_model, "champion", None)
    found = [one for one in everything(trained) if one.state != WHOLE]
    assert [(one.what, one.which, one.state) for one in found] == [("alias", "champion", DAMAGED)]
    everything(trained, fix=True)
    assert {one.state for one in everything(trained)} == {WHOLE}


def test_what_answering_left_is_read(trained: Paths) -> None:
    """A damaged form goes; answers and the memory of the monitor have no other copy: they are told, and stay."""
    day = trained.root / trained.params.capture.folder / "date=2026-01-01"
    day.mkdir(parents=True)
    about = About(role="champion", version="1", digest="d", classes=("a", "b"), dropped=0)
    data = encode([], about)
    answers = day / f"000000-0123456789ab-000001-{mark(data)}.parquet"
    answers.write_bytes(data)
    memory = trained.root / "monitor" / "state.db"
    with State(trained):
        pass
    graph = trained.root / "graph.onnx"
    graph.write_bytes(b"a graph")
    form = trained.mlflow / "forms" / f"{forms.keep(trained, graph)}.onnx"
    assert {one.state for one in everything(trained)} == {WHOLE}

    for file in (answers, form):
        flip(file)
    memory.write_bytes(memory.read_bytes()[:3000] + bytes(3000) + memory.read_bytes()[6000:])
    found = {one.what: one.state for one in everything(trained, fix=True) if one.state != WHOLE}
    assert found == {
        "serving form": HEALED,
        "captured answers": DAMAGED,
        "what the monitor remembers": DAMAGED,
    }
    assert answers.is_file()
    assert memory.is_file()
    assert not form.exists()
    for folder in (day.parent, memory.parent):
        shutil.rmtree(folder)
    graph.unlink()
    assert {one.state for one in everything(trained)} == {WHOLE}
