"""The serving form: image bytes in, answers out."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import ModelError
from sightline.heads.conformal import Conformal
from sightline.images.reading import UnreadableImage
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import save_weights
from sightline.models.zoo import build
from sightline.train.inference import predict

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.models.zoo import Classifier

CLASSES = ("cat", "dog")


def picture(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def bundle(tmp_path: Path) -> tuple[Path, Classifier]:
    torch.manual_seed(0)
    model = build("cnn", 2, 16).eval()
    (tmp_path / "training").mkdir()
    card = Card("cnn", 16, CLASSES, 2.0, save_weights(model, tmp_path / "training"))
    write_bundle(tmp_path / "bundle", card, tmp_path / "training" / "weights.safetensors", [picture(0)])
    return tmp_path / "bundle", model


def test_serving_form_agrees_with_training_form(bundle: tuple[Path, Classifier]) -> None:
    """Bytes through the bundle give the probabilities of the network on the same pixels, at its temperature."""
    folder, model = bundle
    images = [picture(seed) for seed in range(5)]
    pixels = torch.stack(
        [torch.from_numpy(np.asarray(Image.open(io.BytesIO(data))).copy()) for data in images]
    ).permute(0, 3, 1, 2)
    expected = torch.softmax(predict(model, pixels, exact=True).double() / 2.0, 1).numpy()
    assert np.abs(Predictor.load(folder).probabilities(images) - expected).max() < 1e-5


def test_answer_names_the_most_probable_class(bundle: tuple[Path, Classifier]) -> None:
    """Label and probability are those of the largest entry."""
    (answer,) = Predictor.load(bundle[0]).predict([picture(3)])
    assert answer.probability == max(answer.probabilities)
    assert answer.label == CLASSES[answer.probabilities.index(answer.probability)]


def test_unreadable_bytes_are_refused(bundle: tuple[Path, Classifier]) -> None:
    """Text instead of an image is told as such."""
    with pytest.raises(UnreadableImage, match="not an image"):
        Predictor.load(bundle[0]).predict([b"hello"])


def test_golden_answers_travel_with_the_bundle(bundle: tuple[Path, Classifier]) -> None:
    """The bundle carries images and the answers that it gave when it was made."""
    (golden,) = json.loads((bundle[0] / "golden.json").read_text())
    assert golden["probabilities"] == Predictor.load(bundle[0]).probabilities([picture(0)])[0].tolist()


def test_broken_bundle_is_told(bundle: tuple[Path, Classifier]) -> None:
    """Weights cut short are noticed before they are read."""
    weights = bundle[0] / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ModelError, match="was changed since"):
        Predictor.load(bundle[0])


def test_missing_card_is_told(bundle: tuple[Path, Classifier]) -> None:
    """A bundle without its card gives a model error that names the folder."""
    (bundle[0] / "bundle.json").unlink()
    with pytest.raises(ModelError, match="not a whole model bundle"):
        Predictor.load(bundle[0])


def test_answer_tells_when_to_ask_a_person(bundle: tuple[Path, Classifier]) -> None:
    """An answer below the threshold abstains; the set holds the answer, most likely first, the same every time."""
    folder, model = bundle
    conformal = Conformal(threshold=0.6, coverage=0.9, penalty=0.01, free_ranks=5, images=100)
    images = [picture(seed) for seed in range(40)]
    plain = Predictor.load(folder)
    middle = float(np.median(plain.probabilities(images).max(axis=1)))
    unsure = Predictor(replace(plain.card, abstain_below=middle, conformal=conformal), model)
    answers = unsure.predict(images)
    assert [one.abstain for one in answers] == [one.probability < middle for one in answers]
    assert {len(one.likely or ()) for one in answers} == {1, 2}
    assert all(one.likely and one.likely[0] == one.label for one in answers)
    assert unsure.predict(images[::-1])[::-1] == answers


def test_card_travels_with_threshold_and_sets(bundle: tuple[Path, Classifier], tmp_path: Path) -> None:
    """Threshold and conformal quantile are read from the bundle as they were written."""
    conformal = Conformal(threshold=0.6, coverage=0.9, penalty=0.01, free_ranks=5, images=100)
    card = replace(Predictor.load(bundle[0]).card, wanted_accuracy=0.99, abstain_below=0.7, conformal=conformal)
    write_bundle(tmp_path / "again", card, bundle[0] / "weights.safetensors", [picture(0)])
    assert Predictor.load(tmp_path / "again").card == card


def knowing(bundle: tuple[Path, Classifier], folder: Path) -> Predictor:
    """A bundle that knows dark noise; its card asks for no confidence."""
    plain = Predictor.load(bundle[0])
    rng = np.random.default_rng(0)
    described = plain.outputs(rng.integers(0, 100, (200, 16, 16, 3), dtype=np.uint8)).described
    known = fit(described[:120], np.arange(120) % 2, described[120:], plain.model.width)
    return write_bundle(folder, plain.card, bundle[0] / "weights.safetensors", [picture(0)], known=known)


def test_foreign_image_abstains(bundle: tuple[Path, Classifier], tmp_path: Path) -> None:
    """An image unlike those of training is foreign, with its score, and abstains whatever the confidence is."""
    predictor = knowing(bundle, tmp_path / "knowing")
    dark, bright = io.BytesIO(), picture(1)
    Image.fromarray(np.random.default_rng(5).integers(0, 100, (16, 16, 3), dtype=np.uint8)).save(dark, "PNG")
    usual, foreign = predictor.predict([dark.getvalue(), bright])
    assert (usual.foreign, usual.abstain) == (False, False)
    assert (foreign.foreign, foreign.abstain) == (True, True)
    assert usual.foreign_score is not None
    assert foreign.foreign_score is not None
    assert usual.foreign_score <= 1 < foreign.foreign_score
    assert foreign.probabilities == pytest.approx(Predictor.load(bundle[0]).probabilities([bright])[0], abs=1e-6)


def test_what_is_known_is_under_the_card(bundle: tuple[Path, Classifier], tmp_path: Path) -> None:
    """A changed file of what the model knows is refused like changed weights."""
    knowing(bundle, tmp_path / "knowing")
    file = tmp_path / "knowing" / "known.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="was changed since"):
        Predictor.load(tmp_path / "knowing")


def test_bundle_from_before_still_loads(bundle: tuple[Path, Classifier]) -> None:
    """A bundle that knows neither threshold nor sets answers, and says that it cannot tell."""
    path = bundle[0] / "bundle.json"
    values = json.loads(path.read_text())
    kept = {key: values[key] for key in ("network", "size", "classes", "temperature", "weights")}
    path.write_text(json.dumps(kept))
    (answer,) = Predictor.load(bundle[0]).predict([picture(3)])
    assert answer.probability == max(answer.probabilities)
    assert answer.abstain is None
    assert answer.likely is None
    assert (answer.foreign, answer.foreign_score) == (None, None)
