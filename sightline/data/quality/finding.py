"""A finding, and what the finders share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.data.manifest import HELD_BACK, OK

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

ENOUGH = 100_000
"""More images than this are not compared class by class: it would only take longer."""
LOOK = 24
"""Most groups of images that a finding shows."""
TOGETHER = 6
"""Most images of one group that a finding shows."""


@dataclass(frozen=True, kw_only=True)
class WrongBox:
    """A drawn box that is probably wrong, or one that is probably missing; edges are pixels of the upright image."""

    path: str
    kind: str
    """missing, class, place or nothing: see `labels.box_errors`."""
    given: str | None
    """Class of the drawn box; None where nobody drew it."""
    likely: str | None
    """Class of what was found; None where nothing was."""
    drawn: tuple[float, ...] | None
    """Left, top, right and bottom of the drawn box."""
    found: tuple[float, ...] | None
    doubt: float
    """0 … 1, the more the likelier an error."""

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        if self.given is None:
            return f"{self.likely} without a box"
        if self.likely is None:
            return f"nothing in the box of {self.given}"
        return f"{self.given}, badly placed" if self.likely == self.given else f"{self.given}, likely {self.likely}"


@dataclass(frozen=True, kw_only=True)
class WrongLabel:
    """A label that is probably wrong; of several labels of an image, one of them."""

    path: str
    given: str
    likely: str
    doubt: float
    """0 … 1, the more the likelier an error."""

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        return f"{self.given}, likely {self.likely}"


@dataclass(frozen=True)
class Finding:
    """Something odd, and the images to look at."""

    id: str
    title: str
    sentence: str
    """What was found and what to do about it."""
    cases: int
    """Images, or groups of images, concerned."""
    groups: tuple[tuple[str, ...], ...]
    """Paths of the first images to look at; those of one tuple belong side by side."""
    boxes: tuple[WrongBox, ...] = ()
    """All that are probably wrong, where it is about boxes."""
    labels: tuple[WrongLabel, ...] = ()
    """All that are probably wrong, where it is about labels."""

    @property
    def examples(self) -> list[str]:
        """The first image of every group, then the others."""
        firsts = [group[0] for group in self.groups]
        return firsts + [path for group in self.groups for path in group[1:]]


def usable(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that are not in quarantine."""
    return rows[rows["status"].isin([OK, HELD_BACK])]


def enough(images: pd.DataFrame) -> pd.DataFrame:
    """At most ENOUGH images, the first of every class: neighbours stay neighbours."""
    if len(images) <= ENOUGH:
        return images
    return images[images.groupby("label").cumcount() < max(1, ENOUGH // images["label"].nunique())]


def singles(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Make the first of `paths` groups of their own."""
    return tuple((str(path),) for path, _ in zip(paths, range(LOOK), strict=False))


def together(rows: pd.DataFrame, key: str) -> tuple[tuple[str, ...], ...]:
    """Put the paths of `rows` with one value of `key` side by side, in the order of the manifest."""
    first = rows[key].drop_duplicates().head(LOOK)
    chosen = rows[rows[key].isin(first)]
    return tuple(tuple(paths[:TOGETHER]) for paths in chosen.groupby(key, sort=False)["path"].agg(list))
