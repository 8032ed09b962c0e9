"""Every task that a network can be trained for, by its name: those of `known`, and detection, which ends there.

Unlike `known` it imports torch: only training asks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.heads.detect import Detect
from sightline.heads.known import HEADS

if TYPE_CHECKING:
    from sightline.heads.protocol import Learner

LEARNERS: dict[str, Learner] = {**HEADS, Detect.name: Detect()}


def learner(task: str) -> Learner:
    """A task as training knows it; raises KeyError where there is no such task."""
    return LEARNERS[task]
