"""What the name of a network says: whose backbone it is, and how boxes are found on its maps."""

from __future__ import annotations

FASTER_RCNN = "fasterrcnn:"
"""Before the name of a network: by Faster R-CNN; else by FCOS."""


def backbone_of(network: str) -> str:
    """The name of the network whose backbone it is."""
    return network.removeprefix(FASTER_RCNN)
