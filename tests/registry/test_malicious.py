"""Versions made to harm: nothing of theirs is executed, and each is refused with one sentence."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from conftest import COLOURS, draw, empty_store, enter
from safetensors.torch import load_file, save_file

from sightline.digests import file_digest, tree_digest
from sightline.errors import ModelError, RegistryError, SightlineError
from sightline.models import sealed
from sightline.models.bundle import Card
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import save_weights
from sightline.models.zoo import build
from sightline.project import Paths
from sightline.registry.champion import rollback
from sightline.registry.genuine import verify_version
from sightline.registry.ledger import PROMOTED, Entry
from sightline.registry.opening import open_ledger
from sightline.registry.trial import start_trial, trouble_with
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker

BUNDLE = "artifacts/bundle"
WEIGHTS = f"{BUNDLE}/weights.safetensors"
CANARY = str(Path(tempfile.gettempdir(), f"canary-{os.getpid()}"))
"""A file that planted code makes."""
PLANTED = f"open({CANARY!r}, 'a').close()\n"
PICKLE = f"cos\nsystem\n(S'touch {CANARY}'\ntR.".encode()
"""Runs a command when it is unpickled; written by hand, so that no test imports pickle."""


@dataclass(frozen=True)
class Store:
    """A project with version 1 of a classifier, registered as ever."""

    paths: Paths
    folder: Path
    """What MLflow logged."""
    whole: Path
    """A copy of it."""

    @property
    def tracker(self) -> Tracker:
        """The project's MLflow."""
        return connect(self.paths)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Registered once."""
    root = tmp_path_factory.mktemp("malicious")
    shutil.copyfile(Path(__file__).parents[2] / "params.yaml", root / "params.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        paths = enter(Paths(root), patch)
        paths.mlflow.mkdir()
        shutil.copyfile(Path(empty_store().name) / "mlflow.db", paths.mlflow / "mlflow.db")
        torch.manual_seed(0)
        digest = save_weights(build("cnn", 3, 16).eval(), root / "trained")
        card = Card("cnn", 16, tuple(COLOURS), 1.0, digest)
        write_bundle(root / "bundle", card, root / "trained" / "weights.safetensors", [image(n) for n in range(3)])
        assert register(paths) == "1"
        (model,) = paths.mlflow.rglob("MLmodel")
        yield Store(paths, model.parent, Path(shutil.copytree(model.parent, root / "whole")))


def image(number: int) -> bytes:
    stream = io.BytesIO()
    draw(number, list(COLOURS.values())[number]).save(stream, "png")
    return stream.getvalue()


def register(paths: Paths) -> str:
    tracker = connect(paths)
    weights = file_digest(paths.root / "bundle" / "weights.safetensors")
    return tracker.register_classifier(tracker.start("toy", {}), paths.root / "bundle", {"weights": weights})


@pytest.fixture
def store(made: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The store, as it was registered; what a test did to it is undone."""
    enter(made.paths, monkeypatch)
    tags = dict(made.tracker.version(made.tracker.classifier_model, "1").tags)
    yield made
    Path(CANARY).unlink(missing_ok=True)
    shutil.rmtree(made.folder)
    shutil.copytree(made.whole, made.folder)
    made.tracker.tag_version(made.tracker.classifier_model, "1", tags)
    (made.paths.mlflow / "ledger.db").unlink(missing_ok=True)


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    ledger = open_ledger(store.paths)
    yield ledger
    ledger.close()


def forge(store: Store) -> None:
    """Let the registry say that the files are as they were registered, as one can who may write there."""
    card = store.folder / BUNDLE / "bundle.json"
    tags = {"bundle": tree_digest(card.parent)}
    try:
        tags |= {"weights": file_digest(store.folder / WEIGHTS), "seals": json.dumps(sealed.seals(store.folder))}
    except (ModelError, OSError):
        store.tracker.client.delete_model_version_tag(store.tracker.classifier_model, "1", "seals")
    store.tracker.tag_version(store.tracker.classifier_model, "1", tags)


def said(store: Store, ledger: Ledger) -> str:
    """What is said of version 1 where it is verified and then answers, as in its trial; empty where it passes."""
    try:
        return trouble_with(verify_version(store.tracker, ledger, "1").bundle) or ""
    except SightlineError as error:
        return str(error)


def write(name: str, content: str | bytes = PLANTED) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return do


def append(name: str, content: str = PLANTED) -> Callable[[Path], None]:
    return lambda folder: write(name, (folder / name).read_text() + content)(folder)


def exchange(name: str, old: str, new: str) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1))

    return do


def link(name: str, target: str) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return do


def card(**values: Any) -> Callable[[Path], None]:
    """The card with other values; its digest of the weights is that of the file."""

    def do(folder: Path) -> None:
        path = folder / BUNDLE / "bundle.json"
        known = json.loads(path.read_text()) | {"weights": file_digest(folder / WEIGHTS)}
        path.write_text(json.dumps(known | values))

    return do


def weights(content: bytes) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(content)
        card()(folder)

    return do


def wider(folder: Path) -> None:
    state = load_file(folder / WEIGHTS)
    save_file(
        {name: value.repeat(2, *[1] * (value.dim() - 1)) for name, value in state.items() if value.dim()},
        folder / WEIGHTS,
    )
    card()(folder)


def golden(**values: Any) -> Callable[[Path], None]:
    def do(folder: Path) -> None:
        path = folder / BUNDLE / "golden.json"
        path.write_text(json.dumps([one | values for one in json.loads(path.read_text())]))

    return do


FOREIGN, OTHER, ASKS, LOADS = "is no file of a model", "is not the code of", "asks for something else", "load something"
ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "library beside the model": (write("base64.py"), FOREIGN),
    "library beside the weights": (write(f"{BUNDLE}/torch.py"), FOREIGN),
    "library beside the code": (write("code/numpy.py"), FOREIGN),
    "site module": (write("code/sitecustomize.py"), FOREIGN),
    "path file": (write("code/sightline/x.pth", f"import os; {PLANTED}"), FOREIGN),
    "compiled library": (write("code/sightline/words.so", b"\x7fELF"), FOREIGN),
    "pickled model": (write("python_model.pkl", PICKLE), FOREIGN),
    "serving changed": (append("serving.py"), f"serving.py in .* {OTHER}"),
    "package changed": (append("code/sightline/__init__.py"), f"code/sightline/__init__.py in .* {OTHER}"),
    "module added": (write("code/sightline/evil.py"), f"code/sightline/evil.py in .* {OTHER}"),
    "module removed": (
        lambda folder: (folder / "code/sightline/words.py").unlink(),
        f"code/sightline/words.py in .* {OTHER}",
    ),
    "weights are a link": (link(WEIGHTS, "/etc/hostname"), "is a link or a device"),
    "folder is a link": (link(f"{BUNDLE}/more", "/etc"), "is a link or a device"),
    "pipe": (lambda folder: os.mkfifo(folder / f"{BUNDLE}/golden.json.x"), "is a link or a device"),
    "other loader": (exchange("MLmodel", "mlflow.pyfunc.loaders.code_model", "evil"), LOADS),
    "pickle in the flavor": (exchange("MLmodel", "    streamable:", "    python_model: x.pkl\n    streamable:"), LOADS),
    "second flavor": (exchange("MLmodel", "flavors:", "flavors:\n  sklearn:\n    pickled_model: x.pkl"), LOADS),
    "code elsewhere": (exchange("MLmodel", "code: code\n", "code: ../../..\n"), LOADS),
    "serving elsewhere": (exchange("MLmodel", "/serving.py", "/evil.py"), LOADS),
    "bundle elsewhere": (exchange("MLmodel", "path: artifacts/bundle", "path: ../../bundle"), LOADS),
    "yaml that calls": (
        append("MLmodel", f"x: !!python/object/apply:os.system ['touch {CANARY}']\n"),
        "cannot be read",
    ),
    "yaml bomb": (append("MLmodel", "x: [" + "a, " * 2**20 + "]\n"), "cannot be what was registered"),
    "conda installs": (exchange("conda.yaml", "- pip:", "- pip:\n  - git+https://example.org/evil"), ASKS),
    "conda channel": (exchange("conda.yaml", "- conda-forge", "- https://example.org"), ASKS),
    "other index": (append("requirements.txt", "\n--extra-index-url https://example.org"), ASKS),
    "build dependency": (exchange("python_env.yaml", "- wheel", "- evil"), ASKS),
    "weights are a pickle": (weights(PICKLE * 10), "is not a whole model bundle"),
    "huge header": (weights(struct.pack("<Q", 2**62) + b"{}"), "is not a whole model bundle"),
    "weights of another shape": (wider, "is not a whole model bundle"),
    "card names paths": (card(file="../../../etc/passwd"), "is not a whole model bundle"),
    "network is a path": (card(network="../../evil"), "is unknown"),
    "huge images": (card(size=10**9), "is no number of pixels"),
    "temperature is NaN": (card(temperature=float("nan")), "temperature = nan"),
    "classes twice": (card(classes=["red", "red", "blue"]), "each once"),
    "nested card": (write(f"{BUNDLE}/bundle.json", "[" * 10**6), "is not a whole model bundle"),
    "golden answers NaN": (golden(probabilities=[float("nan")] * 3), "NaN"),
    "golden answers huge": (golden(logits=[1e300, 0, 0]), "a logit is off"),
    "golden image is none": (golden(image="AAAA"), "image"),
    "no golden images": (write(f"{BUNDLE}/golden.json", "[]"), "no golden images"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_version_made_to_harm_is_refused(store: Store, ledger: Ledger, name: str) -> None:
    """Although the registry says that all is as it was: in one sentence, and no code of it has run."""
    attack, expected = ATTACKS[name]
    attack(store.folder)
    forge(store)
    sentence = said(store, ledger)
    assert re.search(expected, sentence), sentence
    assert len(sentence.splitlines()) == 1
    assert not Path(CANARY).exists()


@pytest.mark.parametrize("name", ["MLmodel", "conda.yaml", WEIGHTS, "input_example.json", "code/sightline/words.py"])
def test_flipped_byte_is_named(store: Store, ledger: Ledger, name: str) -> None:
    """Of each file one byte; the registry knows what was registered."""
    path = store.folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    sentence = said(store, ledger)
    assert name.partition("/")[0] in sentence
    assert "registered" in sentence


def test_whole_version_passes(store: Store, ledger: Ledger) -> None:
    """What was registered is on trial as before, also once Python has compiled its code while others served it."""
    assert not list(store.folder.rglob("__pycache__"))
    write("code/sightline/__pycache__/words.cpython-311.pyc", b"compiled")(store.folder)
    write("__pycache__/serving.cpython-311.pyc", b"compiled")(store.folder)
    assert said(store, ledger) == ""
    assert not list(store.folder.rglob("__pycache__"))


def test_trial_tells_in_a_line(store: Store) -> None:
    """What its process found wrong, without a traceback."""
    bundle = store.folder / BUNDLE
    assert start_trial(bundle).trouble() is None
    card(classes=["red"])(store.folder)
    said = start_trial(bundle).trouble()
    assert str(said).startswith(f"{bundle} is not a whole model bundle: ")


def test_code_of_an_earlier_release_counts_once_it_was_judged(store: Store, ledger: Ledger) -> None:
    """After Sightline was updated its own code in a version is another: the ledger knows that it was ours."""
    append("code/sightline/words.py", "# as it was\n")(store.folder)
    forge(store)
    assert OTHER in said(store, ledger)
    bundle, seals = store.folder / BUNDLE, sealed.seals(store.folder)
    ledger.append(promoted(store, "1", None, {"seals": seals}, tree_digest(bundle)))
    assert said(store, ledger) == ""
    append("serving.py")(store.folder)
    forge(store)
    assert "serving.py" in said(store, ledger)


def test_version_from_before_seals_is_known_by_its_bundle(store: Store) -> None:
    """Although its code is another one, it is the version that the ledger made champion; no alias is taken from it."""
    model = store.tracker.classifier_model
    for tag in ("seals", "bundle"):
        store.tracker.client.delete_model_version_tag(model, "1", tag)
    append("serving.py")(store.folder)
    assert store.tracker.digest(model, "1") == tree_digest(store.folder / BUNDLE)


def promoted(store: Store, version: str, before: str | None, evidence: dict[str, Any], bundle: str) -> Entry:
    named = {"model": store.tracker.classifier_model, "version": version, "champion_before": before}
    return Entry(**named, decision=PROMOTED, actor="ann", reason="test", evidence=evidence, bundle=bundle)  # type: ignore[arg-type]


def test_rollback_runs_no_code_of_the_champion_before(store: Store, ledger: Ledger) -> None:
    """Its files are verified and tried in a process of their own; what was planted stays unread."""
    second = register(store.paths)
    digest = tree_digest(store.folder / BUNDLE)
    ledger.append(promoted(store, "1", None, {}, digest))
    ledger.append(promoted(store, second, "1", {}, digest))
    append("serving.py")(store.folder)
    with pytest.raises(RegistryError, match=r"serving\.py of .* version 1 in .* was changed since it was registered"):
        rollback(store.tracker, ledger, "test")
    assert not Path(CANARY).exists()
    shutil.copyfile(store.whole / "serving.py", store.folder / "serving.py")
    assert rollback(store.tracker, ledger, "test").champion == "1"


@pytest.mark.slow
def test_answers_are_those_that_mlflow_serves(store: Store, tmp_path: Path) -> None:
    """Others may serve a version without Sightline: from the code that lies in it, to the same bits."""
    program = (
        "import sys, pandas, mlflow.pyfunc\n"
        "model = mlflow.pyfunc.load_model(sys.argv[1])\n"
        "files = [open(name, 'rb').read() for name in sys.argv[2:]]\n"
        "print(model.predict(pandas.DataFrame({'image': files}))['probabilities'].tolist())\n"
        "print(sys.modules['sightline'].__file__)"
    )
    names = [str(tmp_path / f"{number}.png") for number in range(3)]
    for number, name in enumerate(names):
        Path(name).write_bytes(image(number))
    given = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SIGHTLINE"))}
    command = [sys.executable, "-P", "-c", program, str(store.folder), *names]
    done = subprocess.run(command, cwd=tmp_path, env=given, capture_output=True, text=True, check=True)
    answers, place = done.stdout.splitlines()[-2:]
    assert (
        json.loads(answers)
        == Predictor.load(store.folder / BUNDLE).probabilities([image(n) for n in range(3)]).tolist()
    )
    assert place == str(store.folder / "code" / "sightline" / "__init__.py")
