"""Every task that there is, by its name in `project.task`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.heads.classify import Classify
from sightline.heads.detect import Detect
from sightline.heads.multilabel import Multilabel

if TYPE_CHECKING:
    from sightline.heads.protocol import Head, Learner

ONE: Head = Classify()
HEADS: dict[str, Head] = {one.name: one for one in (ONE, Multilabel())}
LEARNERS: dict[str, Learner] = {**HEADS, Detect.name: Detect()}
"""Those too that can be trained and nothing more."""


def of(task: str) -> Head:
    """The head of a task; raises KeyError where there is no such task."""
    return HEADS[task]


def learner(task: str) -> Learner:
    """A task as training knows it; raises KeyError where there is no such task."""
    return LEARNERS[task]
