"""By how much correct float32 answers may differ: what every other form of a bundle is held against."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from sightline.heads.rows import EPSILON
from sightline.images.normalise import normalise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.models.predictor import Outputs, Predictor

ROUNDINGS = 50
"""Largest error of the golden logits, in units of the error of this process's own float32 answers; both against double.

Over 20 networks of the zoo, two draws each, float32 on a CPU is off by 2e-7 to 6e-6 of the largest logit: channels
first or last, by oneDNN or torch, one thread or two, one image or eight at a time, by at most three times as much as
one another. Winograd's convolutions on GPUs err seven times as much (Lavin & Gray 2016, F(4×4, 3×3) beside direct).
With the factors of their convolutions rounded to TF32 the same networks are off by 1e-4 to 7e-3: at least 200 times as
much as in float32.
"""


class Reference(NamedTuple):
    """What the network answers when nothing is rounded to float32."""

    logits: NDArray[np.float64]
    """(N, classes), in double precision."""
    allowed: float
    """By how much a logit in correct float32 may miss them."""
    own: Outputs
    """What this process makes of them in float32."""


def reference(predictor: Predictor, images: Sequence[bytes]) -> Reference:
    """The right logits of image files, and the rounding that is no fault."""
    pixels = np.stack([predictor.decode(data) for data in images])
    own = predictor.outputs(pixels)
    with torch.no_grad():
        normal = normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))
        right: NDArray[np.float64] = deepcopy(predictor.model).double()(normal.double()).numpy()
    least = float(np.abs(right).max()) * EPSILON
    return Reference(right, ROUNDINGS * max(least, predictor.task.off(own.logits, right)), own)
