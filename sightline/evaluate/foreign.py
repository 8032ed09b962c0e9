"""What tells foreign images of a candidate, fitted on its training and calib images and asked about the test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.data.loader import load
from sightline.heads.known import of
from sightline.models.foreign import describe, fit
from sightline.train.inference import predict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.data.loader import Images
    from sightline.models.foreign import Known
    from sightline.models.predictor import Predictor
    from sightline.models.zoo import Classifier
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
    return fit(learned, labels, kept, model.head.in_features)


def figures(served: Predictor, pixels: NDArray[np.uint8]) -> dict[str, Any] | None:
    """Share of the test images uint8 (N, S, S, 3) that are called foreign, for JSON; None where none can be told."""
    if served.known is None:
        return None
    scores = served.known.scores(served.outputs(pixels).described)
    return {"share": float((scores > 1).mean()), "median_score": float(np.median(scores))}


def _described(model: Classifier, images: Images) -> tuple[NDArray[np.floating[Any]], NDArray[np.integer]]:
    rows = np.sort(np.random.default_rng(0).permutation(len(images))[:MOST])
    pixels = images.take(torch.from_numpy(rows))
    features = predict(model.backbone, pixels, exact=True)
    logits = predict(model.head, features, exact=True, prepared=torch.as_tensor).numpy()
    kinds = of(images.task).strata(images.labels).numpy()[rows]
    return describe(features.numpy(), logits, pixels.permute(0, 2, 3, 1).numpy()), kinds
