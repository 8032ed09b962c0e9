"""The audit sample: images of the traffic drawn uniformly at random, and the labels that people gave them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sightline.monitor.state import State, place
from sightline.serve.capture import drawn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.project import Paths


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An image of the audit sample."""

    request: str
    place: int
    at: str
    """When it was answered, ISO 8601 in UTC."""
    version: str
    digest: str
    answer: str
    """What was answered, as a label."""
    sha256: str
    """Of the image file."""
    file: str
    """Captured file that holds its row."""
    label: str | None
    """What is true, once a person has said it."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a person says of an image of the audit sample."""

    request: str
    place: int
    label: str


def is_drawn(request: str, place: int, share: float) -> bool:
    """Whether an image belongs to the audit sample: by its id alone, whatever was answered."""
    return drawn("audit", f"{request} {place}", share)


def sample(paths: Paths) -> list[Drawn]:
    """The audit sample as far as the monitor has seen the traffic, in order of time, labelled or not."""
    if not place(paths).is_file():
        return []
    with State(paths, reading=True) as state:
        return [Drawn(**row) for row in state.audit()]


def hand_in(paths: Paths, labels: Iterable[Label]) -> list[Label]:
    """Take labels of the audit sample; those that were taken.

    Others are not drawn at random, and would bias the verdict: they are left out, as are those of images whose label
    has counted already. One that has not is corrected.
    """
    now = datetime.now(UTC).isoformat()
    with State(paths) as state:
        return [one for one in labels if state.label(one.request, one.place, one.label, now)]
