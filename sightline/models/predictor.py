"""From image bytes to an answer: a loaded bundle at work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.files import replacing
from sightline.images.normalise import normalise
from sightline.images.reading import decode
from sightline.models import bundle
from sightline.models.conformal import raps_sets
from sightline.models.device import exact
from sightline.models.temperature import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.models.bundle import Card
    from sightline.models.conformal import Conformal
    from sightline.models.zoo import Classifier

BATCH = 64


@dataclass(frozen=True)
class Answer:
    """What the model says of one image."""

    label: str
    probability: float
    probabilities: tuple[float, ...]
    """One for each class, in the order of the card."""
    abstain: bool | None
    """Whether the answer is too unsure for the accuracy that was wanted; None where the card has no threshold."""
    likely: tuple[str, ...] | None
    """Classes of the conformal set, the answer among them; None where the card cannot tell."""


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
        return cls(*bundle.load(Path(folder)))

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, classes) of images uint8 (N, size, size, 3), before the temperature, in full precision."""
        with torch.no_grad(), exact():
            parts = [
                self.model(normalise(torch.from_numpy(part).permute(0, 3, 1, 2))).numpy()
                for part in np.array_split(pixels, max(1, -(-len(pixels) // BATCH)))
            ]
        return np.concatenate(parts)

    def probabilities(self, images: Sequence[bytes]) -> NDArray[np.float64]:
        """Probabilities (N, classes) for image files.

        Raises UnreadableImage where one cannot be read.
        """
        return softmax(self.logits_of(images), self.card.temperature)

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
        return [self._answer(data, row) for data, row in zip(images, self.probabilities(images), strict=True)]

    def _answer(self, data: bytes, row: NDArray[np.float64]) -> Answer:
        card, best = self.card, int(row.argmax())
        return Answer(
            label=card.classes[best],
            probability=float(row[best]),
            probabilities=tuple(row.tolist()),
            abstain=None if card.abstain_below is None else float(row[best]) < card.abstain_below,
            likely=None if card.conformal is None else self._likely(card.conformal, data, row),
        )

    def _likely(self, conformal: Conformal, data: bytes, row: NDArray[np.float64]) -> tuple[str, ...]:
        """The randomised set with the answer added to it: right in at least the share that was asked for."""
        # The image's own bytes draw, so that the same file always gets the same set.
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8]))
        (members,) = raps_sets(conformal, row[None], rng)
        members[row.argmax()] = True
        order = np.argsort(-row, kind="stable")
        return tuple(self.card.classes[place] for place in order.tolist() if members[place])


def write_bundle(
    folder: Path, card: Card, weights: Path, golden: Sequence[bytes], logits: NDArray[np.floating[Any]] | None = None
) -> Predictor:
    """Make a bundle of `card` and the `weights` file, with a few `golden` images to check it by.

    logits: (N, classes) that the training form gives them; the bundle's own where there are none.
    """
    with replacing(folder) as scratch:
        bundle.write(scratch, card, weights)
        predictor = Predictor.load(scratch)
        found = predictor.logits_of(golden) if logits is None else logits
        bundle.write_golden(scratch, golden, found, softmax(found, card.temperature))
    return predictor
