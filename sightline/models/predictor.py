"""From image bytes to an answer: preprocessing, network, temperature and class names in one bundle."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.data.reading import decode
from sightline.errors import ModelError
from sightline.lineage import file_digest
from sightline.models.zoo import Classifier, build
from sightline.train.augment import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BUNDLE, WEIGHTS, GOLDEN = "bundle.json", "weights.safetensors", "golden.json"
BATCH = 64


@dataclass(frozen=True)
class Card:
    """Everything that serving needs besides the weights."""

    network: str
    size: int
    classes: tuple[str, ...]
    temperature: float
    """Logits are divided by it before the softmax (Guo et al. 2017)."""
    weights: str
    """SHA-256 of the weights file: confident answers alone would not show every change."""


@dataclass(frozen=True)
class Answer:
    """What the model says of one image."""

    label: str
    probability: float
    probabilities: tuple[float, ...]
    """One for each class, in the order of the card."""


class Predictor:
    """A loaded bundle."""

    def __init__(self, card: Card, model: Classifier) -> None:
        self.card = card
        self.model = model.eval()

    @classmethod
    def load(cls, folder: Path | str) -> Predictor:
        """The predictor in a bundle folder.

        Raises ModelError where a file is missing, was changed or does not fit.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        folder = Path(folder)
        try:
            values = json.loads((folder / BUNDLE).read_text(encoding="utf-8"))
            card = Card(**{**values, "classes": tuple(values["classes"])})
            if file_digest(folder / WEIGHTS) != card.weights:
                raise ModelError(f"{folder / WEIGHTS} was changed since it was registered: do not use this model")
            model = build(card.network, len(card.classes), card.size)
            model.load_state_dict(load_file(folder / WEIGHTS))
        except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(f"{folder} is not a whole model bundle: {error}") from error
        return cls(card, model)

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, classes) of images uint8 (N, size, size, 3), before the temperature, in full precision."""
        with torch.no_grad():
            parts = [
                self.model(normalise(torch.from_numpy(part).permute(0, 3, 1, 2))).numpy()
                for part in np.array_split(pixels, max(1, -(-len(pixels) // BATCH)))
            ]
        return np.concatenate(parts)

    def probabilities(self, images: Sequence[bytes]) -> NDArray[np.float64]:
        """Probabilities (N, classes) for image files.

        Raises UnreadableImage where one cannot be read.
        """
        return _softmax(self.logits_of(images), self.card.temperature)

    def logits_of(self, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Logits (N, classes) for image files, before the temperature.

        Raises UnreadableImage where one cannot be read.
        """
        if not images:
            return np.empty((0, len(self.card.classes)), dtype=np.float32)
        parts = []
        for start in range(0, len(images), BATCH):
            pixels = np.stack([decode(data, self.card.size) for data in images[start : start + BATCH]])
            parts.append(self.logits(pixels))
        return np.concatenate(parts)

    def predict(self, images: Sequence[bytes]) -> list[Answer]:
        """One answer for each image file, in order.

        Raises UnreadableImage where one cannot be read.
        """
        return [
            Answer(self.card.classes[int(row.argmax())], float(row.max()), tuple(row.tolist()))
            for row in self.probabilities(images)
        ]


def _softmax(logits: NDArray[np.floating[Any]], temperature: float) -> NDArray[np.float64]:
    cooled = logits.astype(np.float64) / temperature
    odds = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def write_bundle(
    folder: Path, card: Card, weights: Path, golden: Sequence[bytes], logits: NDArray[np.floating[Any]] | None = None
) -> Predictor:
    """Make a bundle of `card` and the `weights` file, with a few `golden` images to check it by.

    logits: (N, classes) that the training form gives them; the bundle's own where there are none.
    """
    import base64

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(weights, folder / WEIGHTS)
    (folder / BUNDLE).write_text(json.dumps(asdict(card), indent=1) + "\n", encoding="utf-8")
    predictor = Predictor.load(folder)
    found = predictor.logits_of(golden) if logits is None else logits
    rows = zip(golden, found.tolist(), _softmax(found, card.temperature).tolist(), strict=True)
    told = [
        {"image": base64.b64encode(data).decode(), "logits": before, "probabilities": after}
        for data, before, after in rows
    ]
    (folder / GOLDEN).write_text(json.dumps(told) + "\n", encoding="utf-8")
    return predictor
