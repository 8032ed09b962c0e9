"""The sections about a model in use: what is recorded of its answers, how they are watched, when it is trained anew."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from sightline.params.section import Section

MOST_DAYS = 36_500
"""That captured answers may be kept: a hundred years, as far as a calendar reaches back."""


@dataclass(frozen=True, kw_only=True)
class Capture(Section):
    """What `sightline serve` records of its answers; decides nothing that is learned."""

    keep: Literal["none", "figures", "thumbnails", "images"] = "figures"
    """Nothing; what was answered, with features and statistics of the image; a small picture too; the file itself."""
    days: int = 90
    """Older ones are removed, whatever is kept."""
    share: float = 1.0
    """Of the requests, drawn by their ids."""
    folder: str = "captured"
    """Below the project, or an address that fsspec knows, such as s3://bucket/path."""

    def __post_init__(self) -> None:
        if not 1 <= self.days <= MOST_DAYS:
            raise ValueError(
                f"capture.days = {self.days} is outside 1 … {MOST_DAYS}; capture.keep: none records nothing"
            )
        if not 0 < self.share <= 1:
            raise ValueError(
                f"capture.share = {self.share:g} must be above 0 and at most 1; capture.keep: none records nothing"
            )
        if not self.folder.strip():
            raise ValueError("capture.folder is empty: name a folder, or an address such as s3://bucket/path")


@dataclass(frozen=True, kw_only=True)
class Monitor(Section):
    """How captured answers are watched; decides nothing that is learned."""

    alpha: float = 0.01
    """Chance of ever an alarm while nothing shifts; each one that is acknowledged adds half of the one before."""
    interval: float = 60.0
    """Seconds in which one image of a camera enters the bet: a burst is no evidence."""
    audit: float = 0.02
    """Share of the images that are drawn to be labelled: their labels alone say whether accuracy fell."""
    harm_margin: float = 0.02
    """Share of wrong answers, beyond what the reference allows, that is no harm yet."""
    alerts: list[str] = field(default_factory=list)
    """Prefect's notification blocks that are told of each alarm once, such as slack-webhook/ops."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.1:
            raise ValueError(
                f"monitor.alpha = {self.alpha:g} must be above 0 and at most 0.1, the chance of a false alarm"
            )
        if not 0 <= self.interval <= 86_400:
            raise ValueError(f"monitor.interval = {self.interval:g} is outside 0 … 86400 seconds")
        if not 0 < self.audit <= 1:
            raise ValueError(f"monitor.audit = {self.audit:g} must be a share above 0 and at most 1")
        if not 0 < self.harm_margin <= 0.5:
            raise ValueError(
                f"monitor.harm_margin = {self.harm_margin:g} must be above 0 and at most 0.5, a share of the images"
            )


@dataclass(frozen=True, kw_only=True)
class Retrain(Section):
    """When `train/on-signal` and `train/nightly` train; `sightline why-retrain` tells what they would do now."""

    new_labels: float = 0.1
    """New labels are a reason once they are this share of the images that the last training learned from."""
    age: float = 90.0
    """Days after which any new label is a reason."""
    drop: float = 0.02
    """Estimated loss of accuracy that is a reason while the monitor's alarm stands."""
    cooldown: float = 12.0
    """Hours between the beginnings of two trainings."""
    hours: float = 50.0
    """Of training within 30 days."""
    chance: float = 0.1
    """That the test release shows the hoped-for gain: below it a training could come to nothing."""

    def __post_init__(self) -> None:
        if not 0 < self.new_labels <= 10:
            raise ValueError(
                f"retrain.new_labels = {self.new_labels:g} must be above 0 and at most 10, a share of the images"
            )
        if not 0 < self.drop <= 1:
            raise ValueError(f"retrain.drop = {self.drop:g} must be above 0 and at most 1, a loss of accuracy")
        if min(self.age, self.cooldown, self.hours) < 0:
            raise ValueError("retrain.age, retrain.cooldown and retrain.hours must be at least 0")
        if not 0 <= self.chance < 1:
            raise ValueError(f"retrain.chance = {self.chance:g} must be at least 0 and below 1")
