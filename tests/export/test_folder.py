"""A version as a folder that runs elsewhere."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from bundles import ALONE, CLASSES, SIZE, file, odd_images, photo, write
from PIL import Image

from sightline.errors import ModelError, ProjectError
from sightline.export import formats
from sightline.export.folder import export
from sightline.heads.conformal import Conformal
from sightline.images.reading import UnreadableImage
from sightline.models import graph, runtimes
from sightline.models.parity import parity
from sightline.models.predictor import Predictor
from sightline.models.zoo import Classifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.images.shape import Fit


FORMATS = ("onnx", "torch", "openvino")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with everything that one may hold."""
    return write(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def exported(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of each format, made once; read-only by agreement."""
    home = tmp_path_factory.mktemp("exported")

    def made(form: str) -> Path:
        if not (home / form).exists():
            export(bundle, "toy-classifier", "3", form, home / form)
        return home / form

    return made


@pytest.mark.parametrize(
    "form", ["onnx", *(pytest.param(one, marks=pytest.mark.slow) for one in ("openvino", "torch"))]
)
def test_client_decides_as_predict(form: str, bundle: Path, exported: Callable[[str], Path], tmp_path: Path) -> None:
    """The client, in a process without Sightline, gives odd files the label, doubts and set that `predict` gives."""
    asked = odd_images()
    for name, data in asked.items():
        (tmp_path / name).write_bytes(data)
    client = str(exported(form) / "client.py")
    words = [sys.executable, "-I", "-c", ALONE, client, *asked]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = Predictor.load(bundle).predict(list(asked.values()))
    assert {True, False} == {one.foreign for one in answers} == {one.abstain for one in answers}
    assert len({len(one.likely or ()) for one in answers}) > 1
    for said, one in zip(map(json.loads, done.stdout.splitlines()), answers, strict=True):
        assert said.pop("probability") == pytest.approx(one.probability, abs=1e-5)
        wanted = {"label": one.label, "abstain": one.abstain, "foreign": one.foreign, "set": list(one.likely or ())}
        assert said == {"path": said["path"], **wanted}


def test_client_tells_what_it_cannot_read(exported: Callable[[str], Path], tmp_path: Path) -> None:
    """In a line, as `predict` does, whatever is wrong; the others are answered, and the exit status tells of it."""
    whole, scans = (file(Image.fromarray(photo(0)).resize((90, 70)), "JPEG", progressive=one) for one in (False, True))
    asked = {
        "good.jpg": whole,
        "notes.jpg": b"no image",
        "half.jpg": whole[: len(whole) // 2],
        "scans.jpg": scans[:-40],
        "cut.jpg": whole[:-12],
        "broken.png": file(Image.fromarray(photo(0)))[:200],
    }
    for name, data in asked.items():
        (tmp_path / name).write_bytes(data)
    words = [sys.executable, "-I", "-c", ALONE, str(exported("onnx") / "client.py"), *asked, "missing.png"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    told = {row.pop("path"): row for row in map(json.loads, done.stdout.splitlines())}
    assert list(told) == [*asked, "missing.png"]
    assert [name for name, row in told.items() if set(row) == {"error"} and row["error"]] == list(told)[1:]
    assert "0x" not in done.stdout


def test_client_refuses_the_pixels_that_the_version_refuses(
    bundle: Path, exported: Callable[[str], Path], tmp_path: Path
) -> None:
    """With the same words: floating point and 32 bits have no white. 16 bits that Pillow gives 32 are answered."""
    grey = Image.fromarray(photo(0)[..., 0])
    deep = np.asarray(grey).astype(np.int32)
    asked = {"floats.tif": file(grey.convert("F"), "TIFF"), "wide.tif": file(Image.fromarray(deep * 70_000), "TIFF")}
    asked["deep.pgm"] = b"P5 16 16 65535 " + (deep * 257).astype(">u2").tobytes()
    for name, data in asked.items():
        (tmp_path / name).write_bytes(data)
    words = [sys.executable, "-I", "-c", ALONE, str(exported("onnx") / "client.py"), *asked]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    *refused, answered = map(json.loads, done.stdout.splitlines())
    predictor = Predictor.load(bundle)
    for said, data in zip(refused, asked.values(), strict=False):
        with pytest.raises(UnreadableImage, match=r"pixel mode [FI] is not supported") as other:
            predictor.predict([data])
        assert said["error"] == str(other.value)
    (answer,) = predictor.predict([asked["deep.pgm"]])
    assert answered["probability"] == pytest.approx(answer.probability, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["fold", "pad", "crop"])
def test_client_makes_images_square_as_the_version_does(shape: Fit, tmp_path: Path) -> None:
    """Images of any shape reach the network as they did in training, from another program too."""
    bundle = write(tmp_path, shape)
    export(bundle, "toy-classifier", "3", "onnx", tmp_path / "out")
    asked = odd_images() | {"line.png": file(Image.fromarray(np.arange(300, dtype=np.uint16).astype(np.uint8)[None]))}
    for name, data in asked.items():
        (tmp_path / name).write_bytes(data)
    words = [sys.executable, "-I", "-c", ALONE, str(tmp_path / "out" / "client.py"), *asked]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = Predictor.load(bundle).predict(list(asked.values()))
    for said, one in zip(map(json.loads, done.stdout.splitlines()), answers, strict=True):
        assert said["probability"] == pytest.approx(one.probability, abs=1e-5)
        assert said["label"] == one.label


@pytest.mark.parametrize("form", [FORMATS[0], *(pytest.param(one, marks=pytest.mark.slow) for one in FORMATS[1:])])
def test_graph_takes_any_number(form: str, bundle: Path, exported: Callable[[str], Path]) -> None:
    """One image or more than were traced: the probabilities of the predictor, each image by itself."""
    runs = {"onnx": runtimes.onnxruntime, "torch": runtimes.program, "openvino": runtimes.openvino}
    run, predictor = runs[form](exported(form) / formats.FILES[form]), Predictor.load(bundle)
    for count in (1, 70):
        probabilities, scores = run(np.stack([photo(seed) for seed in range(count)]))
        assert (str(probabilities.dtype), probabilities.shape, scores.shape) == ("float32", (count, 3), (count, 1))
        wanted = predictor.probabilities([file(Image.fromarray(photo(seed))) for seed in range(count)])
        assert np.abs(probabilities - wanted).max() < 1e-5


@pytest.mark.slow
def test_openvino_reports_nothing_home(exported: Callable[[str], Path]) -> None:
    """What its import would start to tell of the machine is out of its reach, as for the client above."""
    runtimes.openvino(exported("openvino") / formats.FILES["openvino"])
    assert sys.modules["openvino_telemetry"] is None


@pytest.mark.slow
def test_version_travels_with_the_graph(bundle: Path, exported: Callable[[str], Path]) -> None:
    """Classes, size, temperature and thresholds are in model.json, and the same in the metadata of the ONNX file."""
    folder, card = exported("onnx"), Predictor.load(bundle).card
    told = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert (told["model"], told["version"], told["classes"], told["size"]) == ("toy-classifier", "3", [*CLASSES], SIZE)
    assert (told["temperature"], told["abstain_below"]) == (card.temperature, card.abstain_below)
    assert Conformal(**told["conformal"]) == card.conformal
    model = onnx.load(folder / "model.onnx")
    metadata = {one.key: one.value for one in model.metadata_props}
    assert {key: told[key] if isinstance(told[key], str) else json.loads(one) for key, one in metadata.items()} == told
    assert all(metadata[key] == told[key] for key in ("model", "version", "digest"))
    assert [dim.dim_param or dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        SIZE,
        SIZE,
        3,
    ]


def test_triton_finds_its_layout(exported: Callable[[str], Path]) -> None:
    """The model repository names the graph's own inputs and outputs, and holds the same file."""
    folder = exported("onnx")
    place = folder / "triton" / "toy-classifier"
    assert (place / "1" / "model.onnx").samefile(folder / "model.onnx")
    text = (place / "config.pbtxt").read_text(encoding="utf-8")
    found = re.findall(r'name: "(\w+)" data_type: (\w+) dims: \[ ([\d, ]+) \]', text)
    wanted = [("probabilities", "TYPE_FP32", "3"), ("foreign_score", "TYPE_FP32", "1")]
    assert found == [("pixels", "TYPE_UINT8", "16, 16, 3"), *wanted]


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_of_this_machine_travels(form: str, exported: Callable[[str], Path]) -> None:
    """No path of this machine stands in any file, which compilers like to put there."""
    for path in (one for one in exported(form).rglob("*") if one.is_file()):
        parts = [path.read_bytes()]
        if path.suffix == ".pt2":
            with zipfile.ZipFile(path) as packed:
                parts = [packed.read(name) for name in packed.namelist()]
        for place in (str(Path(__file__).parents[2]), "site-packages"):
            assert not any(place.encode() in part for part in parts), path


def test_only_a_free_folder_is_written(bundle: Path, tmp_path: Path) -> None:
    """A folder that holds something, a file and a link are refused by name and stay; an empty folder is taken."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name, said in (("full", "is not empty: remove"), ("full/mine.txt", "is no folder"), ("link", "is no folder")):
        with pytest.raises(ProjectError, match=f"{name} {said}"):
            export(bundle, "toy-classifier", "3", "torch", tmp_path / name)
    assert (tmp_path / "full" / "mine.txt").read_text(encoding="utf-8") == "mine"
    (tmp_path / "empty").mkdir()
    export(bundle, "toy-classifier", "3", "torch", tmp_path / "empty")
    assert {one.name for one in (tmp_path / "empty").iterdir()} == {"README.md", "client.py", "model.json", "model.pt2"}


def test_version_without_golden_images_is_refused(bundle: Path, tmp_path: Path) -> None:
    """What cannot be compared is not written."""
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "golden.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ModelError, match="has no golden images"):
        export(tmp_path / "bundle", "toy-classifier", "3", "torch", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_answers_refuse_with_figures(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A graph with another preprocessing is not written; how far it is off is told."""
    monkeypatch.setattr(graph, "MEAN", (0.485, 0.456, 0.407))
    with pytest.raises(ModelError, match=r"a probability is off by [\d.e-]+, rounding explains [\d.e-]+"):
        export(bundle, "toy-classifier", "3", "torch", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_other_decisions_refuse(bundle: Path) -> None:
    """Where all probabilities are right, a score by which an image turns foreign refuses, and one a little off."""
    predictor = Predictor.load(bundle)
    images = [file(Image.fromarray(photo(seed))) for seed in range(4)]

    answers = predictor.predict(images)
    probabilities = np.array([one.probabilities for one in answers])
    scores = np.array([one.foreign_score for one in answers])
    assert parity(predictor, images, probabilities, scores).difference < 1e-6
    with pytest.raises(ModelError, match=r"decides otherwise on golden image 1: \w+ .*\(foreign\) instead of"):
        parity(predictor, images, probabilities, scores * 1e6)
    with pytest.raises(ModelError, match=r"off by 0.02 of 0.01"):
        parity(predictor, images, probabilities, scores * np.exp(0.02))


@pytest.mark.parametrize(
    ("form", "library"), [("onnx", "onnxruntime"), ("onnx", "onnxscript"), ("openvino", "openvino")]
)
def test_missing_library_names_the_extra(
    form: str, library: str, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who lacks a library is told what brings it, and nothing is written."""
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelError, match=rf"{library} is not installed: pip install 'sightline\[{form}\]' brings"):
        export(bundle, "toy-classifier", "3", form, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_network_without_graph_is_told() -> None:
    """A network whose way depends on the values that it sees is refused by name."""

    class Moody(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            means = images.mean(dim=(2, 3))
            return means if means.sum() > 0 else -means

    with pytest.raises(ModelError, match=r"'moody' cannot be written as a graph \(.+\); `sightline serve`"):
        graph.traced(graph.Heads(Classifier(Moody(), 3, 2)), "moody", SIZE)
