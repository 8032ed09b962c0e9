"""The sections about data: which images there are, what they must fulfil, and how they become training data."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from sightline.params.section import Section, Task
from sightline.recipe import SMALLEST

ROLES = ("train", "val", "calib", "test")


@dataclass(frozen=True, kw_only=True)
class Fractions(Section):
    """Shares of the four roles; they sum to 1."""

    train: float
    val: float
    calib: float = 0.0
    test: float = 0.0

    def __post_init__(self) -> None:
        values = [getattr(self, role) for role in ROLES]
        if min(values) < 0 or abs(sum(values) - 1) > 1e-6 or self.train == 0 or self.val == 0:
            raise ValueError(f"roles {dict(zip(ROLES, values, strict=True))} must sum to 1, with train and val above 0")


@dataclass(frozen=True, kw_only=True)
class Grouping(Section):
    """Which images belong together where no table names their group."""

    pattern: str | None = None
    """Regular expression searched in the path below the raw folder; its brackets name the group."""
    burst: float | None = None
    """Shots of one camera at most so many seconds apart, by EXIF, belong together."""

    def __post_init__(self) -> None:
        if self.burst is not None and self.burst < 0:
            raise ValueError(f"group.burst = {self.burst:g} must be at least 0 seconds, or null")
        if self.pattern is None:
            return
        try:
            brackets = re.compile(self.pattern).groups
        except re.error as error:
            raise ValueError(f"group.pattern {self.pattern!r} is no regular expression: {error}") from None
        if not brackets:
            raise ValueError(f"group.pattern {self.pattern!r} needs brackets around what names the group")


@dataclass(frozen=True, kw_only=True)
class Dataset(Section):
    """One data set of the project."""

    images: str
    """Folder of the raw images: data/raw/NAME, or an absolute path where they are external."""
    roles: Fractions
    """Shares of the roles, by hash of the group."""
    raw: Literal["raw", "external"] = "raw"
    """`raw`: the images lie in data/raw/NAME, under DVC. `external`: their folder stays where it is, for sets too large
    to copy; the manifest's digests are their version, and `dvc pull` cannot bring them back."""
    group: Grouping = field(default_factory=Grouping)
    """Images of one group stay on one side of every split."""
    task: Task | None = None
    """How its labels are meant, where not as `project.task` says: a source may have one class for each image."""
    train_per_class: int | None = None
    """Keep at most so many training images per class (the rest is held back): a few-shot experiment."""

    def __post_init__(self) -> None:
        if self.train_per_class is not None and self.train_per_class < 1:
            raise ValueError(f"train_per_class = {self.train_per_class} must be at least 1, or null for all")


@dataclass(frozen=True, kw_only=True)
class Ingest(Section):
    """Limits for reading files."""

    max_megapixels: float = 25.0
    """Larger images are quarantined before they are decoded."""
    max_megabytes: float = 64.0
    """Larger files are quarantined unread."""
    max_seconds: float = 20.0
    """A file that takes more computing time than this to decode is quarantined."""
    max_memory: float = 320.0
    """A file is quarantined if reading and decoding it takes more than so many MB."""

    def __post_init__(self) -> None:
        if not 0 < self.max_megapixels <= 89:
            raise ValueError(
                f"max_megapixels = {self.max_megapixels:g} must be above 0 and at most 89: beyond, Pillow sees a bomb"
            )
        if min(self.max_megabytes, self.max_seconds, self.max_memory) <= 0:
            raise ValueError("max_megabytes, max_seconds and max_memory must be above 0")

    @property
    def max_pixels(self) -> float:
        """`max_megapixels`, in pixels."""
        return self.max_megapixels * 1e6


@dataclass(frozen=True, kw_only=True)
class Against(Section):
    """Largest changes against the version that `sightline data baseline` accepted; smaller ones are told."""

    new_classes: int = 0
    """Classes that it does not have."""
    lost_classes: int = 0
    """Classes that it has and that are gone."""
    loss: float = 0.5
    """Share of a class's images by which their number may fall."""
    shift: float = 0.25
    """Distance of a distribution (classes, formats, modes, sizes …): 0 = alike, 1 = nothing in common."""

    def __post_init__(self) -> None:
        _check_shares(self, "loss", "shift")
        _check_at_least(0, self, "new_classes", "lost_classes")


@dataclass(frozen=True, kw_only=True)
class Validate(Section):
    """What a data set must fulfil before anything is trained on it."""

    min_images_per_class: int = 2
    """Fewest images of each class in each role that the data set uses."""
    min_side: int = 8
    """Shortest side that an image may have, pixels."""
    max_side: int = 8192
    """Longest side that an image may have, pixels."""
    modes: list[str] = field(default_factory=lambda: ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B"])
    """Pillow's modes that are accepted."""
    max_quarantined: float = 0.05
    """Largest share of files that may be quarantined."""
    max_blank: float = 0.05
    """Largest share of usable images that may be blank."""
    blank: float = 0.01
    """Told: images whose grey levels spread less than this (standard deviation; black is 0, white 1)."""
    dark: float = 0.1
    """Told: images of which 95 % of the pixels are darker than this."""
    bright: float = 0.8
    """Told: images of which 95 % of the pixels are brighter than this."""
    blurred: float = 0.25
    """Told: images less than this many times as sharp as the median."""
    little_to_see: float = 0.5
    """Told: images with less than this many times the median entropy of the grey levels."""
    odd_size: float = 4.0
    """Told: images whose side is more than this many times larger or smaller than the median."""
    odd_shape: float = 2.0
    """Told: images more than this many times wider or taller, for their size, than the median."""
    imbalance: float = 20.0
    """Told: the largest class has more than this many times the images of the smallest."""
    shortcut: float = 0.95
    """Told: a class that size, brightness, format … alone tells with at least this balanced accuracy."""
    ungrouped: float = 0.6
    """Told: at least this share of images without a group resembles the next file (0.5 by chance)."""
    large_group: float = 0.01
    """Told: groups of near copies above this share of the set."""
    baseline: Against = field(default_factory=Against)
    """Where a version was accepted as the baseline: what later ones must keep."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_side <= self.max_side:
            raise ValueError(f"min_side = {self.min_side} and max_side = {self.max_side} leave no image: give 1 … 8192")
        _check_shares(self, "max_quarantined", "max_blank", "shortcut", "ungrouped", "large_group")
        for name in ("blank", "dark", "bright"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name):g} is outside 0 … 1: grey levels from black to white")
        _check_at_least(0, self, "min_images_per_class", "blurred", "little_to_see")
        _check_at_least(1, self, "odd_size", "odd_shape", "imbalance")


def _check_shares(section: Section, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(section, name) <= 1:
            raise ValueError(f"{name} = {getattr(section, name):g} is no share between 0 and 1")


def _check_at_least(least: int, section: Section, *names: str) -> None:
    for name in names:
        if getattr(section, name) < least:
            raise ValueError(f"{name} = {getattr(section, name):g} must be at least {least}")


@dataclass(frozen=True, kw_only=True)
class Preprocess(Section):
    """How images become training data."""

    size: int = 64
    """Height and width of the stored images, pixels."""
    fit: Literal["auto", "squeeze", "fold", "pad", "crop"] = "auto"
    """How images become square: both sides to `size` each by itself; long images cut into pieces that lie side by side;
    the longer side to `size` and the rest filled with the image's mirrored edges; or the largest square in the middle.
    `auto`: `fold` for a set in which one image in ten is more than twice as long as wide, or as wide as long, else
    `squeeze`."""
    store: Literal["raw", "jpeg"] = "raw"
    """How training images are stored: as pixels, or as JPEGs where pixels would not fit the disk: a tenth of the room,
    half of the speed. Images of the other roles are always stored as pixels."""
    quality: int = 90
    """Of the JPEGs."""

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= 1024:
            raise ValueError(f"size = {self.size} is outside {SMALLEST} … 1024 pixels")
        if not 50 <= self.quality <= 100:
            raise ValueError(f"quality = {self.quality} is outside 50 … 100")
