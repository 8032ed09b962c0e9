"""The network of a task: a classifier of the zoo, or a detector on one of its backbones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.heads.known import of

if TYPE_CHECKING:
    from sightline.models.pyramid import Pyramid
    from sightline.models.zoo import Classifier

    Network = Classifier | Pyramid


def build(task: str, network: str, classes: int, size: int) -> Network:
    """A fresh `network` with so many classes for square images of `size` pixels; weights from torch's random state.

    Raises ModelError for an unknown name, or where the network cannot take images of that size or, of a detector, gives
    no maps to find boxes on.
    """
    if of(task).is_located:
        from sightline.models import detector

        return detector.build(network, classes, size)
    from sightline.models import zoo

    return zoo.build(network, classes, size)
