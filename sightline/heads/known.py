"""Every task that there is, by its name in `project.task`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.heads.classify import Classify
from sightline.heads.detect import Detect
from sightline.heads.multilabel import Multilabel

if TYPE_CHECKING:
    from sightline.heads.protocol import Head

ONE: Head = Classify()
HEADS: dict[str, Head] = {one.name: one for one in (ONE, Multilabel(), Detect())}


def of(task: str) -> Head:
    """The head of a task; raises KeyError where there is no such task."""
    return HEADS[task]
