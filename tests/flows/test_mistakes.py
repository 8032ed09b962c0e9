"""Mistakes that people make at the command line: a sentence each, with the remedy, and a status that tells of it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, copy_project, draw

from flows.cli.app import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sightline.project import Paths


@dataclass(frozen=True)
class Mistake:
    """The words of a command, what the sentence names (the wrong thing and the remedy), and the status."""

    words: str
    says: tuple[str, ...]
    status: int = 2
    before: Callable[[Path], None] = field(default=lambda _: None)
    """What is wrong with the folder in which the command is given."""

    def __str__(self) -> str:
        return re.sub(r"\W+", "-", self.words).strip("-") or "nothing"


def _file(name: str, text: str = "") -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return make


def _images(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for place, (label, colour) in enumerate(COLOURS.items()):
            (folder / name / label).mkdir(parents=True)
            for number in range(3):
                draw(10 * place + number, colour).save(folder / name / label / f"{number}.png")

    return make


def _edited(old: str, new: str) -> Callable[[Path], None]:
    """params.yaml with a slip of the pen."""

    def make(folder: Path) -> None:
        text = (folder / "params.yaml").read_text(encoding="utf-8")
        assert old in text
        (folder / "params.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")

    return make


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: shutil.rmtree(folder / name)


OUTSIDE = (
    Mistake("rnu", ("'rnu'", "did you mean 'run'")),
    Mistake("xyzzy", ("'xyzzy'", "sightline --help")),
    Mistake("data lgo", ("'lgo'", "did you mean 'log'", "sightline data --help")),
    Mistake("data label improt a.csv", ("'improt'", "did you mean 'import'")),
    Mistake("run --budgte 10m", ("--budgte", "did you mean --budget")),
    Mistake("run 10m", ("10m", "sightline run --help")),
    Mistake("run", ("no params.yaml", "sightline init")),
    Mistake("predict photo.png", ("photo.png", "there is no such file")),
    Mistake("predict photos/*.jpg", ("photos/*.jpg", "no image file fits")),
    Mistake("predict", ("IMAGE", "sightline predict --help")),
    Mistake("history", ("no params.yaml", "sightline init")),
    Mistake("init", ("'DIR'", "sightline init --help")),
    Mistake("init p --image photos", ("--image", "did you mean --images")),
    Mistake("init p --images nowhere", ("nowhere", "no such folder or table")),
    Mistake("init p --images empty", ("empty", "CLASS"), before=lambda folder: (folder / "empty").mkdir()),
    Mistake("init p --images photos --source nowhere", ("nowhere", "no such folder"), before=_images("photos")),
    Mistake("init photos", ("photos holds images", "--images photos"), before=_images("photos")),
    Mistake("init taken --images photos", ("taken is a file", "name a folder"), before=_file("taken")),
    Mistake("init p --images embedded:digit", ("embedded:digit", "embedded:digits")),
    Mistake("init p --images torchvision:cifar10", ("cifar10", "did you mean CIFAR10")),
    Mistake("init p --images s3://bucket/photos", ("s3://bucket/photos", "copy it into a folder")),
    Mistake("init p --images a.csv", ("a.csv", "column path", "label"), before=_file("a.csv", "a,b\n1,2\n")),
    Mistake("init p --images a.csv", ("line 2", "gone.png"), before=_file("a.csv", "path,label\ngone.png,red\n")),
    Mistake("help", ("'help'", "sightline --help")),
    Mistake("--verison", ("--verison", "did you mean --version")),
    Mistake("doctor parts", ("(parts)", "sightline doctor --help")),
    Mistake("init p q --images photos", ("(q)", "sightline init --help")),
    Mistake("init p --images http://example.org/photos.zip", ("is not fetched", "copy it into a folder")),
    Mistake("init p --images a.zip", ("a.zip cannot be unpacked", "name the folder"), before=_file("a.zip")),
    Mistake("init p --images a.pdf", ("a.pdf", "a PDF document", "name a folder"), before=_file("a.pdf", "%PDF-1.4\n")),
    Mistake("init p --images photos/red", ("none has a label", "labels.csv"), before=_images("photos")),
    Mistake("init p --images=", ("--images is empty", "name a folder")),
    Mistake("init p --images photos --source=", ("--source is empty", "name a folder"), before=_images("photos")),
    Mistake("init taken/p", ("taken/p cannot be made", "where you may write"), before=_file("taken")),
    Mistake("init photos/p --images photos", ("copied into themselves", "beside the images"), before=_images("photos")),
    Mistake("init p --source embedded:fractals:0x0", ("embedded:fractals:0x0", "embedded:fractals:CLASSESxIMAGES")),
    Mistake("predict http://example.org/photo.jpg", ("http://example.org/photo.jpg", "download it first")),
)
"""Where there is no project."""

FRESH = (
    Mistake("init . --images ../photos", ("holds a project already", "sightline run"), before=_images("../photos")),
    Mistake("run --set pretrain.epoch=1", ("pretrain.epoch", "did you mean epochs", "learning_rate")),
    Mistake("run --set finetune.recipe.larning_rate=1", ("did you mean learning_rate", "weight_decay")),
    Mistake("run --set finetuning.recipe.epochs=3", ("finetuning", "did you mean finetune", "preprocess")),
    Mistake("run --set validate.blury=1", ("validate.blury", "did you mean blurred", "min_side")),
    Mistake("run --set pretrain.epochs=three", ("pretrain.recipe.epochs", "'three'", "valid integer")),
    Mistake("run --set pretrain.epochs", ("pretrain.epochs", "section.key=value")),
    Mistake("run --set epochs=5", ("epochs=5", "section.key=value")),
    Mistake("run --set project.preset=fasst", ("fasst", "did you mean fast", "balanced")),
    Mistake("run --set project.name=other", ("project.name", "change it there")),
    Mistake("run --set preprocess.size=4", ("size = 4", "8 … 1024")),
    Mistake("run --set datasets.target.roles.train=0.9", ("roles", "sum to 1")),
    Mistake("run --set pretrain.network=resnet181", ("resnet181", "did you mean resnet18")),
    Mistake("run --set pretrain.init=gone.pt", ("gone.pt", "no such file of weights")),
    Mistake(
        "run --set pretrain.network=resnet18 --set pretrain.init=ResNet18_Weights.IMAGENET1K_V9",
        ("IMAGENET1K_V9", "ResNet18_Weights.IMAGENET1K_V1"),
    ),
    Mistake("run --set pretrain.init=registry:toy-backbone/9", ("toy-backbone", "no version 9")),
    Mistake("run --budget 10", ("'10'", "10m")),
    Mistake("run --budget -5m", ("-5m", "10m")),
    Mistake("run --budget 2s", ("2s", "1m at least")),
    Mistake("run --budget finetun=10m", ("finetun", "finetune")),
    Mistake("run --budget pretrain=10m", ("pretrain", "trains scratch")),
    Mistake("run --budget 10m --budget scratch=5m", ("one time for the whole run",)),
    Mistake("run", ("no folder of images", "dvc pull"), before=_without("data/raw/target")),
    Mistake("run", ("params.yaml", "not valid YAML"), before=_edited("project:", "project: [")),
    Mistake("run", ("gates", "did you mean gate"), before=_edited("\ngate:", "\ngates:")),
    Mistake(
        "run",
        ("transfer", "missing"),
        before=_edited("\ntransfer:\n  penalties: [0.001, 0.01, 0.1, 1.0, 10.0]\n", "\n"),
    ),
    Mistake("predict ../photos", ("no champion yet", "sightline run"), before=_images("../photos")),
    Mistake("rollback", ("no earlier champion",)),
    Mistake("approve", ("nothing waits",)),
    Mistake("lineage", ("toy-classifier", "no such registered model")),
    Mistake("monitor", ("no champion yet", "sightline run")),
    Mistake("data diff A", ("A is no version of target", "none yet")),
    Mistake("data quality", ("no manifest", "sightline run")),
    Mistake("data log source", ("source", "no such data set", "target")),
    Mistake("data baseline source", ("source", "no such data set", "target")),
    Mistake("data label export todo.csv --use source", ("source", "no such data set", "target")),
    Mistake("data log taget", ("'taget'", "'target'")),
    Mistake("report", ("no report", "sightline run")),
    Mistake("serve --port 99999", ("--port", "65535")),
    Mistake("serve --canary 0.9", ("--canary", "0.5")),
    Mistake("serve --ray-config serve.yaml --canary 0.05", ("--ray-config", "--canary", "leave them out")),
    Mistake("serve --ray-config serve.yaml --shadow challenger", ("--ray-config", "--shadow", "leave them out")),
    Mistake("doctor --depp", ("--depp", "did you mean --deep")),
    Mistake("init sub --images ../photos", ("lies in the project", "beside"), before=_images("../photos")),
    Mistake("run --set train.workers=0", ("workers = 0", "1 … 1024")),
    Mistake("run --set train.workers=99", ("workers = 99", "this machine has", "its own")),
    Mistake("run --set preprocess.fit=crp", ("'crp'", "'crop'")),
    Mistake("run --set preprocess.size=64px", ("'64px'", "valid integer")),
    Mistake("run --set validate.max_side=-5", ("max_side = -5", "1 … 8192")),
    Mistake("run --set validate.max_quarantined=5", ("max_quarantined = 5", "between 0 and 1")),
    Mistake("run --set finetune.recipe.learning_rate=-1", ("learning_rate = -1", "1e-09 … 100")),
    Mistake("run --set finetune.recipe.learning_rate=nan", ("'nan'", "valid number")),
    Mistake("run --set project.task=multilable", ("'multilable'", "'multilabel'")),
    Mistake("run --set gate.alpha=2", ("alpha = 2", "stricter, not laxer")),
    Mistake("run --set ingest.max_megapixels=0", ("max_megapixels = 0", "at most 89")),
    Mistake("run --set pretrain.init=champion", ("toy-classifier@champion", "no such registered model")),
    Mistake(
        "run --set pretrain.init=https://example.org/a.pt", ("https://example.org/a.pt", "no such file of weights")
    ),
    Mistake("run --set pretrain.init=hf-hub:you/net", ("hf-hub:you/net", "set it to timm:NAME")),
    Mistake("run --set =3", ("'=3'", "section.key=value")),
    Mistake("run --budget 10:00", ("'10:00'", "10m")),
    Mistake("run --budget 10m --budget 5m", ("one time for the whole run",)),
    Mistake("run", ("params.yaml", "holds no sections"), before=_file("params.yaml")),
    Mistake("run", ("not valid YAML", "line"), before=_edited("  size:", "\tsize:")),
    Mistake("run", ("duplicate key", "gate"), before=_edited("\ngate:", "\ngate: {}\ngate:")),
    Mistake("tune --trials 0", ("--trials", "greater than or equal to 1")),
    Mistake("tune --budget 1", ("'1'", "10m")),
    Mistake("data diff A B C", ("(C)", "sightline data diff --help")),
    Mistake("data status sorce", ("'sorce'", "'source'")),
    Mistake("data status", ("not under git", "git init"), before=_without(".git")),
    Mistake("export out", ("--format", "onnx")),
)
"""In a project that never ran."""

TRAINED = (
    Mistake("predict {photo} --version 9", ("no version 9", "its versions: 1")),
    Mistake("predict {photo} --version abc", ("no version abc", "its versions: 1")),
    Mistake("predict {photo} --csv --json", ("--csv and --json", "one of them")),
    Mistake("predict {photo} --top-k 0", ("--top-k", "greater than or equal to 1")),
    Mistake("predict {photo} --draw {photo}", ("is a file", "name a folder")),
    Mistake("predict {text}", ("not an image",), status=1),
    Mistake("evaluate 9", ("no version 9", "its versions: 1")),
    Mistake("evaluate --set gate.alpha=0.01", ("gate.alpha", "sightline run")),
    Mistake("promote 9 --reason better", ("no version 9", "its versions: 1")),
    Mistake("promote 1", ("--reason", "sightline promote --help")),
    Mistake("promote 1 --reason x --rule best", ("'best'", "'no_worse'")),
    Mistake("promote 1 --reason x --override integritty", ("integritty", "did you mean integrity")),
    Mistake("promote 1 --reason x --set train.workers=2", ("train.workers", "evaluate and gate")),
    Mistake("approve 9", ("version 9", "waiting: none")),
    Mistake("lineage toy-clasifier", ("toy-clasifier", "did you mean toy-classifier")),
    Mistake("lineage @champoin", ("champoin", "did you mean champion")),
    Mistake("lineage toy-classifier/9", ("no version 9",)),
    Mistake("impact nowhere.png", ("nowhere.png", "no file")),
    Mistake("reproduce 9", ("no version 9",)),
    Mistake("report 9", ("9", "sightline report")),
    Mistake("data diff abc", ("abc", "no version of target")),
    Mistake("data label import nowhere.csv", ("nowhere.csv", "sightline data label export")),
    Mistake("data label import {folder}", ("is a folder",)),
    Mistake("data label import {table}", ("column path", "label", "'a', 'b'")),
    Mistake("data label export {folder}/none/todo.csv", ("todo.csv", "folder that is there")),
    Mistake("data label export x --audit --queue", ("--audit and --queue", "one")),
    Mistake("data label export x --queue", ("no captured answer", "sightline serve")),
    Mistake("data label undo --use source", ("source", "nothing to undo")),
    Mistake("data add nowhere", ("nowhere", "no such folder or table")),
    Mistake("serve --version 9", ("no version 9",)),
    Mistake("serve --ray-config serve.yaml --version 9", ("no version 9",)),
    Mistake("serve --shadow challenger", ("no challenger",)),
    Mistake("serve --port {port}", ("{port}", "in use", "--port 0")),
    Mistake("score {folder}", ("--out", "sightline score --help")),
    Mistake("score nowhere --out x.parquet", ("nowhere", "no such file or folder")),
    Mistake("score {folder} --out {folder}", ("is a folder", "name a file")),
    Mistake("export {folder} --format torch", ("not empty", "another folder")),
    Mistake("export out --format onn", ("'onn'", "'onnx'")),
    Mistake("why-retrain --dry-run --set facts.new_label=3", ("new_label", "new_labels")),
    Mistake("why-retrain --set facts.new_labels=3", ("--dry-run",)),
    Mistake("verify --fx", ("--fx", "did you mean --fix")),
    Mistake("predict {photo} --version 1.0", ("no version 1.0", "its versions: 1")),
    Mistake("promote 1 --reason=", ("--reason is empty", "ledger")),
    Mistake("rollback --reason=", ("--reason is empty", "ledger")),
    Mistake("lineage --html .", ("--html", "cannot be written", "name a file")),
    Mistake(f"impact {'x' * 300}", ("x" * 30,)),
    Mistake("promote v1 --reason x", ("no version v1", "its versions: 1")),
    Mistake("rollback --to 1", ("--to", "sightline rollback --help")),
    Mistake("approve x", ("version x", "waiting: none")),
    Mistake("evaluate --set evaluate.release=r9", ("'r9'", "are r1", "sightline data release r9")),
    Mistake("run --set evaluate.release=r11", ("'r11' (did you mean r1?)", "sightline data release r11")),
    Mistake("promote 1 --reason x --set evaluate.release=r9", ("'r9'", "are r1", "sightline data release r9")),
    Mistake("data release r1", ("r1", "already", "another name")),
    Mistake("data release r1+1", ("'r1+1'", "without +")),
    Mistake("data release a/b", ("'a/b'", "part of paths")),
    Mistake("evaluate champion", ("no version champion", "its versions: 1")),
    Mistake("reproduce v1", ("no version v1", "its versions: 1")),
    Mistake("impact {folder}", ("no file",)),
    Mistake("data label import {photo}", ("photo.png", "no text")),
    Mistake("data label export x --count 0", ("--count", "greater than or equal to 1")),
    Mistake("data label export x --format xml", ("'xml'", "'label-studio'")),
    Mistake("data diff 2026-13-01", ("2026-13-01", "no version of target")),
    Mistake("score {folder} --out x.csv", ("x.csv", "end in .parquet")),
    Mistake("score {folder} --out x.parquet --version 7", ("no version 7", "its versions: 1")),
    Mistake("export out --format onnx --version 7", ("no version 7", "its versions: 1")),
    Mistake("serve --shadow 1", ("version 1 is the champion", "another version")),
    Mistake("serve --shadow 9", ("no version 9",)),
    Mistake("serve --host http://127.0.0.1", ("--host http://127.0.0.1", "such as 127.0.0.1")),
    Mistake("serve --host localhost:8000", ("--host localhost:8000", "--port")),
    Mistake("serve --host nowhere.invalid", ("--host nowhere.invalid", "such as 127.0.0.1")),
    Mistake("serve --host 999.1.1.1", ("--host 999.1.1.1", "cannot listen there")),
    Mistake("report --port 80000 --serve", ("--port", "65535")),
    Mistake("why-retrain --dry-run --set foo.bar=1", ("foo.bar", "facts and retrain")),
    Mistake("why-retrain --dry-run --set facts.new_labels=many", ("new_labels", "many")),
)
"""In a project with a champion, which is version 1."""


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, in which the command is given; what a command sets in this process ends with the test."""
    given = dict(os.environ)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.environ.clear()
    os.environ.update(given)


def check(mistake: Mistake, capfd: pytest.CaptureFixture[str], **values: object) -> None:
    """Give the command in this process: one sentence, which names what it must, and the status."""
    status = answer([word.format(**values) for word in mistake.words.split()])
    said = capfd.readouterr().err
    told = [line for line in said.splitlines() if line.strip()]
    assert (status, len(told)) == (mistake.status, 1), said
    assert told[0].startswith("error: ") or mistake.status == 1
    assert [part for part in mistake.says if part.format(**values) not in told[0]] == [], said


@pytest.mark.parametrize("mistake", OUTSIDE, ids=str)
def test_outside_of_a_project(mistake: Mistake, nowhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing is left behind, either."""
    mistake.before(nowhere)
    there = sorted(nowhere.rglob("*"))
    check(mistake, capfd)
    assert sorted(nowhere.rglob("*")) == there


@pytest.mark.parametrize("mistake", FRESH, ids=str)
def test_in_a_new_project(
    mistake: Mistake,
    toy_once: Paths,
    nowhere: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is trained."""
    paths = copy_project(toy_once, nowhere / "toy", monkeypatch)
    mistake.before(paths.root)
    check(mistake, capfd)
    assert not list(paths.runs.glob("*/*/weights.safetensors"))


@pytest.mark.parametrize("mistake", TRAINED, ids=str)
def test_in_a_project_with_a_champion(
    mistake: Mistake, trained: Paths, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """About what is there and what is not."""
    draw(1, COLOURS["red"]).save(tmp_path / "photo.png")
    (tmp_path / "notes.jpg").write_text("no image")
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        check(
            mistake,
            capfd,
            photo=tmp_path / "photo.png",
            text=tmp_path / "notes.jpg",
            table=tmp_path / "table.csv",
            folder=tmp_path,
            port=taken.getsockname()[1],
        )
    assert trained.root.exists()


OTHER = """
import sys
from pathlib import Path
from sightline.turns import turn
with turn(Path(sys.argv[1]), "the training flow"):
    print("in", flush=True)
    sys.stdin.readline()
"""
"""Somebody who is at work in a project, until a line comes."""


def test_while_a_run_is_at_work(
    toy_once: Paths, nowhere: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would change the data under a run says who is at work, and changes nothing."""
    paths = copy_project(toy_once, nowhere / "toy", monkeypatch)
    _images("more")(nowhere)
    words = [sys.executable, "-P", "-c", OTHER, str(paths.root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        says = ("the training flow", f"process {process.pid}", "wait for its end")
        for command in ("data add ../more", "data label undo", "data label import answers.csv"):
            check(Mistake(command, says), capfd)
        process.communicate("\n")


def test_there_are_more_than_a_hundred() -> None:
    """No two alike."""
    words = [(one.words, one.says) for one in (*OUTSIDE, *FRESH, *TRAINED)]
    assert len(words) == len(set(words)) > 130


@pytest.mark.parametrize("mistake", [OUTSIDE[0], OUTSIDE[6], OUTSIDE[13]], ids=str)
def test_as_a_program(mistake: Mistake, tmp_path: Path) -> None:
    """The same, as a person gives it in a terminal."""
    command = [sys.executable, "-P", "-m", "flows.cli", *mistake.words.split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    (told,) = done.stderr.splitlines()
    assert [part for part in mistake.says if part not in told] == []
