"""From image bytes to an answer: a loaded bundle at work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch

from sightline.files import replacing
from sightline.heads.known import of
from sightline.images.normalise import normalise
from sightline.images.reading import UnreadableImage, decode
from sightline.models import bundle
from sightline.models.device import exact
from sightline.models.foreign import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.bundle import Card
    from sightline.models.foreign import Known
    from sightline.models.networks import Network
    from sightline.models.runtimes import Run

BATCH = 64
Given = TypeVar("Given")
Made = TypeVar("Made")


class Outputs(NamedTuple):
    """What the network makes of N images, float32."""

    logits: NDArray[np.float32]
    """(N, classes) before the temperature, or what else the head of the task makes answers of."""
    described: NDArray[np.floating[Any]]
    """(N, D) by which foreign images are told: the backbone's features, and statistics of the pixels."""


class Predictor:
    """A loaded bundle."""

    def __init__(self, card: Card, model: Network, known: Known | None = None, max_pixels: float | None = None) -> None:
        self.card = card
        self.max_pixels = card.max_pixels if max_pixels is None else max_pixels
        """Larger images are not decoded: by the project that asks, else by the one that the bundle is of."""
        self.model = model.eval()
        self.known = known
        self.task = of(card.task)
        """By which outputs become answers."""
        self.run: Run = self._by_torch
        """Pixels uint8 (N, size, size, 3) → features, and logits or candidates; another runtime may take torch's
        place."""

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
            logits.append(self.task.settled(found))
            described.append(describe(features, self.task.evidence(found, len(self.card.classes)), part))
        return Outputs(np.concatenate(logits), np.concatenate(described))

    def _by_torch(self, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with torch.no_grad(), exact():
            features, found = self.model.described(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
            return [features.numpy(), found.numpy()]

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, classes) of images uint8 (N, size, size, 3), before the temperature, in full precision."""
        return self.outputs(pixels).logits

    def probabilities(self, images: Sequence[bytes]) -> NDArray[np.float64]:
        """Probabilities (N, classes) for image files.

        Raises UnreadableImage where one cannot be read.
        """
        return self.task.probabilities(self.logits_of(images), self.card)

    def logits_of(self, images: Sequence[bytes]) -> NDArray[np.float32]:
        """Logits (N, classes) for image files, before the temperature.

        Raises UnreadableImage where one cannot be read.
        """
        parts = [
            self.logits(np.stack([self.decode(data) for data in images[start : start + BATCH]]))
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate([self.task.none(len(self.card.classes)), *parts])

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Pixels (size, size, 3) of an image file, as the network takes them.

        Raises UnreadableImage where it cannot be read.
        """
        return decode(data, self.card.size, self.max_pixels, self.card.fit, self.card.white)

    def predict(self, images: Sequence[bytes], names: Sequence[str] | None = None) -> list[Answer]:
        """One answer for each image file, in order.

        Raises UnreadableImage where one cannot be read, by its name where there are `names`, one for each image.
        """
        found: list[Answer] = []
        called = [""] * len(images) if names is None else names
        for start in range(0, len(images), BATCH):
            part = images[start : start + BATCH]
            pairs = zip(called[start : start + BATCH], part, strict=True)
            found += self.answers(part, np.stack([naming(name, self.decode, data) for name, data in pairs]))
        return found

    def answers(self, images: Sequence[bytes], pixels: NDArray[np.uint8]) -> list[Answer]:
        """One answer for each image file, whose pixels (N, size, size, 3) are decoded already."""
        return self.described(images, pixels)[0]

    def described(
        self, images: Sequence[bytes], pixels: NDArray[np.uint8]
    ) -> tuple[list[Answer], NDArray[np.floating[Any]]]:
        """The same, and what they were told by: `Outputs.described`."""
        found = self.outputs(pixels)
        rows = self.task.probabilities(found.logits, self.card)
        scores = [None] * len(rows) if self.known is None else self.known.scores(found.described).tolist()
        answers = (
            self.task.answer(data, row, self.card, score) for data, row, score in zip(images, rows, scores, strict=True)
        )
        return list(answers), found.described


def naming(name: str, read: Callable[[Given], Made], given: Given) -> Made:
    """What `read` makes of an image. Raises UnreadableImage, which begins with the `name` where that is not empty."""
    try:
        return read(given)
    except UnreadableImage as error:
        raise UnreadableImage(f"{name}: {error}" if name else str(error)) from None


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
        bundle.write_golden(scratch, golden, found, predictor.task.probabilities(found, card))
    return predictor
