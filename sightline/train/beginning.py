"""Whether a run begins with a backbone that comes with Sightline: where it fits the network, and labels are few."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.models import shipped
from sightline.models.named import backbone_of

if TYPE_CHECKING:
    from sightline.params import Params

FEW = 20
"""Training images per class, on average, up to which what was learned from formulas is used (docs/performance.md)."""


def begun(params: Params, images: int, classes: int) -> tuple[Params, str]:
    """The values for `images` training images of so many classes, and what there is to say, or nothing.

    A shipped backbone is named with its digest, so that those of another release are another input. It is left out for
    a network that it has no weights for, and, where it would be the backbone as it is, for a target with many labels.
    Raises ModelError where there is no such backbone.
    """
    init, network = params.pretrain.init, backbone_of(params.pretrain.network)
    if init is None or not shipped.is_shipped(init):
        return params, ""
    known = shipped.networks(init)
    if network not in known:
        said = f"{init} has weights for {' and '.join(known)}: {network} begins without a backbone"
        return _without(params), said
    if "source" not in params.datasets and images > FEW * classes:
        return _without(params), f"{init} is left out: with more than {FEW} images per class it brings nothing"
    return replace(params, pretrain=replace(params.pretrain, init=shipped.exact(init, network))), ""


def _without(params: Params) -> Params:
    return replace(params, pretrain=replace(params.pretrain, init=None))
