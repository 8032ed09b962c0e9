"""From image bytes to an answer: a loaded bundle at work."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sightline.files import replacing
from sightline.images.normalise import normalise
from sightline.images.reading import decode
from sightline.models import bundle
from sightline.models.conformal import answered_sets
from sightline.models.device import exact
from sightline.models.foreign import describe
from sightline.models.temperature import softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.models.bundle import Card
    from sightline.models.conformal import Conformal
    from sightline.models.foreign import Known
    from sightline.models.runtimes import Run
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
    """Whether a person had better answer: too unsure for the accuracy that was wanted, or foreign; None if untold."""
    likely: tuple[str, ...] | None
    """Classes of the conformal set, the answer among them; None where the card cannot tell."""
    foreign: bool | None
    """Whether the image is unlike those that the model knows; None where the bundle cannot tell."""
    foreign_score: float | None
    """How unlike; the bundle's threshold is 1."""


class Outputs(NamedTuple):
    """What the network makes of N images, float32."""

    logits: NDArray[np.float32]
    """(N, classes), before the temperature."""
    described: NDArray[np.floating[Any]]
    """(N, D) by which foreign images are told: the backbone's features, and statistics of the pixels."""


class Predictor:
    """A loaded bundle."""

    def __init__(
        self, card: Card, model: Classifier, known: Known | None = None, max_pixels: float | None = None
    ) -> None:
        self.card = card
        self.max_pixels = card.max_pixels if max_pixels is None else max_pixels
        """Larger images are not decoded: by the project that asks, else by the one that the bundle is of."""
        self.model = model.eval()
        self.known = known
        self.run: Run = self._by_torch
        """Pixels uint8 (N, size, size, 3) → features and logits; another runtime may take torch's place."""

    @classmethod
    def load(cls, folder: Path | str, max_pixels: float | None = None) -> Predictor:
        """The predictor in a bundle folder; `max_pixels` as `ingest.max_megapixels` of the project says now.

        Raises ModelError where a file is missing, was changed or does not fit.
        """
        return cls(*bundle.load(Path(folder)), max_pixels)

    def outputs(self, pixels: NDArray[np.uint8]) -> Outputs:
        """What the network makes of images uint8 (N, size, size, 3), in full precision."""
        logits, described = [], []
        for part in np.array_split(pixels, max(1, -(-len(pixels) // BATCH))):
            features, found = self.run(part)
            logits.append(found)
            described.append(describe(features, found, part))
        return Outputs(np.concatenate(logits), np.concatenate(described))

    def _by_torch(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with torch.no_grad(), exact():
            features = self.model.backbone(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
            return [features.numpy(), self.model.head(features).numpy()]

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, classes) of images uint8 (N, size, size, 3), before the temperature, in full precision."""
        return self.outputs(pixels).logits

    def probabilities(self, images: Sequence[bytes]) -> NDArray[np.float64]:
        """Probabilities (N, classes) for image files.

        Raises UnreadableImage where one cannot be read.
        """
        return softmax(self.logits_of(images), self.card.temperature)

    def logits_of(self, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Logits (N, classes) for image files, before the temperature.

        Raises UnreadableImage where one cannot be read.
        """
        parts = [
            self.logits(np.stack([self.decode(data) for data in images[start : start + BATCH]]))
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate([np.empty((0, len(self.card.classes)), dtype=np.float32), *parts])

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Pixels (size, size, 3) of an image file, as the network takes them.

        Raises UnreadableImage where it cannot be read.
        """
        return decode(data, self.card.size, self.max_pixels, self.card.fit, self.card.white)

    def predict(self, images: Sequence[bytes]) -> list[Answer]:
        """One answer for each image file, in order.

        Raises UnreadableImage where one cannot be read.
        """
        found: list[Answer] = []
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            found += self.answers(part, np.stack([self.decode(data) for data in part]))
        return found

    def answers(self, images: Sequence[bytes], pixels: NDArray[np.uint8]) -> list[Answer]:
        """One answer for each image file, whose pixels (N, size, size, 3) are decoded already."""
        return self.described(images, pixels)[0]

    def described(
        self, images: Sequence[bytes], pixels: NDArray[np.uint8]
    ) -> tuple[list[Answer], NDArray[np.floating[Any]]]:
        """The same, and what they were told by: `Outputs.described`."""
        found = self.outputs(pixels)
        rows = softmax(found.logits, self.card.temperature)
        scores = [None] * len(rows) if self.known is None else self.known.scores(found.described).tolist()
        return [self._answer(*one) for one in zip(images, rows, scores, strict=True)], found.described

    def _answer(self, data: bytes, row: NDArray[np.float64], score: float | None) -> Answer:
        card, best = self.card, int(row.argmax())
        unsure = None if card.abstain_below is None else float(row[best]) < card.abstain_below
        foreign = None if score is None else score > 1
        return Answer(
            label=card.classes[best],
            probability=float(row[best]),
            probabilities=tuple(row.tolist()),
            abstain=True if foreign else unsure if unsure is not None else foreign,
            likely=None if card.conformal is None else self._likely(card.conformal, data, row),
            foreign=foreign,
            foreign_score=score,
        )

    def _likely(self, conformal: Conformal, data: bytes, row: NDArray[np.float64]) -> tuple[str, ...]:
        """The randomised set with the answer added to it: right in at least the share that was asked for."""
        # The image's own bytes draw, so that the same file always gets the same set.
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8]))
        (members,) = answered_sets(conformal, row[None], rng)
        order = np.argsort(-row, kind="stable")
        return tuple(self.card.classes[place] for place in order.tolist() if members[place])


def write_bundle(
    folder: Path,
    card: Card,
    weights: Path,
    golden: Sequence[bytes],
    logits: NDArray[np.floating[Any]] | None = None,
    known: Known | None = None,
) -> Predictor:
    """Make a bundle of `card` and the `weights` file, with a few `golden` images to check it by.

    logits: (N, classes) that the training form gives them; the bundle's own where there are none. `known`: what tells
    foreign images.
    """
    with replacing(folder) as scratch:
        bundle.write(scratch, card, weights, known)
        predictor = Predictor.load(scratch)
        found = predictor.logits_of(golden) if logits is None else logits
        bundle.write_golden(scratch, golden, found, softmax(found, card.temperature))
    return predictor
