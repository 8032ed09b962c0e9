"""Toys of the real thing: small images, a small project, one Prefect server for the whole session."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

# Toys are too small for two threads to pay, and threads that wait for one another make a busy machine crawl.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# People's Python keeps what it compiled beside what it imports; the tests' own does from below on.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Tables wrap at the width of whatever terminal there is.
os.environ["COLUMNS"] = "160"

from sightline import project, scaffold
from sightline.config import write_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.project import Paths

sys.dont_write_bytecode = False


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: while one waits for a server or a process, the others work."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for servers and whole runs go first, so that no core idles beside the last of them."""
    items.sort(key=lambda item: item.path.parent.name not in {"flows", "cli", "benchmarks"})


COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
SHARED = Path(__file__).parents[2] / "shared" / "data"
"""Real images for tests, where they are at hand."""


def draw(seed: int, colour: tuple[int, int, int], size: int = 24) -> Image.Image:
    """A blob of a colour on a noisy ground; every seed gives another image."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 90, (size, size, 3))
    top, left = rng.integers(2, size // 2, 2)
    pixels[top : top + size // 3, left : left + size // 3] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def make_images(folder: Path, per_class: int = 60, first: int = 0) -> Path:
    """A class-folder tree of toys."""
    for number, (name, colour) in enumerate(COLOURS.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(first, first + per_class):
            draw(number * 100_000 + index, colour).save(folder / name / f"{index:04d}.png")
    return folder


FAST = {
    "project.preset": None,
    "project.deterministic": True,
    "preprocess.size": 16,
    "pretrain.network": "cnn",
    "pretrain.init": None,
    "pretrain.recipe.epochs": 3,
    "finetune.recipe.epochs": 2,
    "finetune.recipe.min_steps": 4,
    "finetune.recipe.learning_rate": 0.3,
    "finetune.recipe.clip": 1.0,
    "finetune.scratch.epochs": 4,
    "finetune.scratch.min_steps": 12,
    "finetune.scratch.learning_rate": 0.1,
    "finetune.scratch.clip": 0.0,
}
"""Values with which a toy project trains in a second, the same on a GPU each time as on a CPU."""


def make_project(folder: Path, images: Path, source: Path | None = None) -> Paths:
    """A project around `images`, quick to train; its MLflow store is there, and empty."""
    scaffold.init(folder, str(images), str(source) if source else None, "toy", lambda _: None)
    for key, value in FAST.items():
        write_value(folder, key, value)
    paths = project.Paths(folder)
    paths.mlflow.mkdir()
    shutil.copyfile(Path(empty_store().name) / "mlflow.db", paths.mlflow / "mlflow.db")
    return paths


@cache
def empty_store() -> tempfile.TemporaryDirectory[str]:
    """A folder with a new MLflow store: the two seconds of making one are spent once. Removed with this process."""
    import mlflow

    folder = tempfile.TemporaryDirectory(prefix="store")
    mlflow.MlflowClient(f"sqlite:///{folder.name}/mlflow.db").search_experiments()
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """180 toy images of three classes; read-only by agreement."""
    return make_images(tmp_path_factory.mktemp("images") / "blobs")


@pytest.fixture(scope="session")
def toy_once(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Paths:
    """A toy project, to be copied, not changed: git and DVC take seconds to make one."""
    return make_project(tmp_path_factory.mktemp("toy") / "toy project", images)


@pytest.fixture
def toy(toy_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A toy project of its own, entered."""
    return copy_project(toy_once, tmp_path / "toy project", monkeypatch)


@pytest.fixture(scope="session")
def ingested_once(tmp_path_factory: pytest.TempPathFactory, toy_once: Paths) -> Paths:
    """A toy project whose first version is ingested and committed; to be copied, not changed."""
    from sightline.data.versions import history

    with pytest.MonkeyPatch.context() as patch:
        paths = copy_project(toy_once, tmp_path_factory.mktemp("ingested") / "toy project", patch)
        history.ingest(paths, "target")
        commit(paths, "first version")
    return paths


@pytest.fixture
def ingested(tmp_path: Path, ingested_once: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A project of its own with one ingested version, entered."""
    return copy_project(ingested_once, tmp_path / "toy project", monkeypatch)


@pytest.fixture(autouse=True)
def short_sentences(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a check of the gate says in any test fits into its sentence; errors of others alone may be cut."""
    from sightline.registry.blessing import WORDS, Blessing
    from sightline.words import brief

    said, shorten = [], Blessing.__post_init__

    def noted(self: Blessing) -> None:
        said.append(self.sentence)
        shorten(self)

    monkeypatch.setattr(Blessing, "__post_init__", noted)
    yield
    cut = [one for one in said if brief(one, WORDS).endswith("…")]
    assert not [one for one in cut if "did not run" not in one and "in a fresh process" not in one]


def copy_project(paths: Paths, folder: Path, patch: pytest.MonkeyPatch) -> Paths:
    """A copy of the project in `folder`, entered."""
    return enter(project.Paths(Path(shutil.copytree(paths.root, folder, symlinks=True))), patch)


def enter(paths: Paths, patch: pytest.MonkeyPatch) -> Paths:
    """Make this process work in the project for as long as `patch` lives; DVC keeps nothing between projects."""
    # MLflow sets the variable of its store, and the next project of this process would open the store of this one.
    own = {"DVC_SITE_CACHE_DIR", "MLFLOW_TRACKING_URI"}
    given = {key: value for key, value in os.environ.items() if key not in own}
    for key, value in project.environment(paths.root, given).items():
        patch.setenv(key, value)
    patch.chdir(paths.root)
    return paths


def commit(paths: Paths, message: str) -> None:
    """Commit everything that git keeps of the project."""
    identity = ["-c", "user.name=Toy", "-c", "user.email=toy@example.org"]
    for words in (["add", "--all"], [*identity, "commit", "--quiet", "--message", message]):
        subprocess.run(["git", *words], cwd=paths.root, check=True, capture_output=True)


LEARNING_RATE = "finetune.recipe.learning_rate"
"""What the run was given another value of."""


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a toy project that has a source and uncommitted changes, and `first.log` and `second.log`.

    Its pretraining was killed once, and the same command then ran to its champion. Made by whichever worker comes
    first, and waited for by the others; to be copied, not changed.
    """
    return made_once(tmp_path_factory, "cli", _kill_and_run)


def made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills; by whichever worker comes first, once in a session."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{home}.lock"):
        if not (home / "made").exists():
            home.mkdir()
            make(home)
            (home / "made").touch()
    return home


def _kill_and_run(home: Path) -> None:
    paths = make_project(home / "toy project", make_images(home / "t"), make_images(home / "s", first=1000))
    write_value(paths.root, "pretrain.recipe.epochs", 45)
    words = {"cwd": paths.root, "env": environment(), "stderr": subprocess.STDOUT}
    command = [sys.executable, "-m", "flows.cli", "run", "--set", f"{LEARNING_RATE}=0.002"]
    with (home / "first.log").open("w") as log:
        first = subprocess.Popen(command, stdout=log, start_new_session=True, **words)  # type: ignore[call-overload]
        for _ in range(2400):
            if any(paths.runs.glob("pretrain/*/checkpoint.pt")):
                break
            time.sleep(0.1)
        else:
            pytest.fail((home / "first.log").read_text())
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    with (home / "second.log").open("w") as log:
        subprocess.run(command, stdout=log, check=False, **words)  # type: ignore[call-overload]


def environment() -> dict[str, str]:
    """That of a person who has set nothing."""
    given = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))}
    return {**given, "COLUMNS": "500"}  # a sentence of a table stays on its line


@pytest.fixture(scope="module")
def trained(run_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    """A copy of that project for the tests of a file, entered: each test leaves it as it was."""
    original = project.Paths(run_once / "toy project")
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key not in environment()]:
            patch.delenv(key)
        yield copy_project(original, tmp_path_factory.mktemp("cli") / "toy project", patch)


@contextmanager
def _torch_answers() -> Iterator[pytest.MonkeyPatch]:
    from sightline.models import runtimes

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(runtimes.LIBRARIES, "onnx", ("library_of_nowhere",))
        yield patch


@pytest.fixture(scope="module")
def torch_answers() -> Iterator[None]:
    """As where `sightline[onnx]` is not installed, for what is not about serving forms: each takes six seconds."""
    with _torch_answers():
        yield


@pytest.fixture(scope="session")
def crowned(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project with a champion, as `traffic.crown` makes it; to be copied, not changed."""
    from traffic import crown

    def make(home: Path) -> None:
        with _torch_answers() as patch:
            crown(home, patch)

    return project.Paths(made_once(tmp_path_factory, "crowned", make) / "toy project")


@contextmanager
def on_the_cpu() -> Iterator[None]:
    """No GPU for this process and those that it starts: for what is about the CPU, or about two processes."""
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        yield


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server with a database of its own."""
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["DO_NOT_TRACK"] = "true"
    # As of every server that we start or name: else each task after a pause waits two seconds.
    os.environ["UVICORN_TIMEOUT_KEEP_ALIVE"] = "60"
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield
