"""What the name of a network says: whose backbone it is, and how boxes are found on its maps; and of its weights."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FASTER_RCNN = "fasterrcnn:"
"""Before the name of a network: by Faster R-CNN; else by FCOS."""


def backbone_of(network: str) -> str:
    """The name of the network whose backbone it is."""
    return network.removeprefix(FASTER_RCNN)


def placed(root: Path, init: str) -> Path:
    """The file that `init` means where it is a path: from `root` on, or from the home folder where it begins with ~."""
    return root / os.path.expanduser(init)  # noqa: PTH111 — which leaves a name alone that is no user's
