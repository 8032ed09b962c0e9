"""What tells foreign images of a candidate, fitted on its training and calib images and asked about the test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.data.loader import load
from sightline.heads.known import of
from sightline.models.foreign import describe, fit
from sightline.train.inference import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.data.loader import Images
    from sightline.models.foreign import Known
    from sightline.models.networks import Network
    from sightline.models.predictor import Predictor
    from sightline.project import Paths
    from sightline.train.result import Trained

MOST = 2000
"""Images of a role that are looked at; more would change little."""


def known(paths: Paths, trained: Trained) -> Known | None:
    """What the network knows, from some of its training images; None where the calib images are too few for a limit."""
    training, calib = load(paths.shards("target"), "train"), load(paths.shards("target"), "calib")
    if not len(calib):
        return None
    model = trained.load(paths.root)
    (learned, labels), (kept, _) = (_described(model, images) for images in (training, calib))
    return fit(learned, labels, kept, model.width)


def figures(served: Predictor, pixels: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Share of the test images uint8 (N, S, S, 3) that are called foreign, for JSON; None where none can be told."""
    if served.known is None:
        return None
    scores = served.known.scores(served.outputs(pixels).described)
    return {"share": float((scores > 1).mean()), "median_score": float(np.median(scores))}


class _Both(nn.Module):
    """What a network makes of images, features and outputs, side by side in one row for each."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """(N, D + …)."""
        features, found = self.model.described(images)
        return torch.cat([features, found.flatten(1)], dim=1)


def _described(model: Network, images: Images) -> tuple[NDArray[np.floating[Any]], NDArray[np.integer]]:
    rows = np.sort(np.random.default_rng(0).permutation(len(images))[:MOST])
    pixels = images.take(torch.from_numpy(rows))
    head = of(images.task)
    found = predict(_Both(model), pixels, exact=True).numpy()
    features, outputs = found[:, : model.width], found[:, model.width :]
    # Rows of boxes are six numbers each, however many there are.
    apart = outputs.reshape(len(outputs), -1, *head.none(len(images.classes)).shape[2:])
    evidence = head.evidence(apart, len(images.classes))
    kinds = head.strata(images.labels).numpy()[rows]
    return describe(features, evidence, pixels.permute(0, 2, 3, 1).numpy()), kinds
