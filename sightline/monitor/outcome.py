"""What a look at the captured answers of one version found: the words of the monitor, and its JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sightline.heads.labels import CLASSIFY

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["prevalence", "covariate", "both"]
"""Of a shift: how often the classes come, what their images look like, or both."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An image that the version answered."""

    request: str
    place: int
    at: str
    """When, ISO 8601 in UTC."""
    file: str
    """Captured file that holds its row."""
    answer: str
    """Class that was answered."""
    score: float
    """How much it stands out, by what it is listed for; the list begins with the highest."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """The traffic is no longer like the reference. It stays until it is acknowledged, or the reference is another."""

    number: int
    """The first of this reference is 1."""
    since: str
    """Time of the image that raised it, ISO 8601 in UTC."""
    entered: int
    """Images that had entered the bet by then."""
    wealth: float
    """Of the bet, then."""
    threshold: float


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Something that is distributed otherwise than in the reference."""

    name: str
    p: float
    """Of its own test, corrected for all that were made beside it."""
    before: float
    """Mean or share in the reference …"""
    now: float
    """… and in the window."""


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What has shifted in the window of the latest images; asked once there is an alarm."""

    kind: Kind | None
    """None where the window shows nothing."""
    images: int
    """In the window."""
    groups: dict[str, float]
    """softmax, embedding, statistics, and boxes where there are such → p, corrected for all numbers."""
    statistics: tuple[Moved, ...]
    """Of the pixels."""
    classes: tuple[Moved, ...]
    """By how often they are estimated to come (BBSE)."""
    cameras: tuple[Moved, ...]
    """By the share of their images that are unlike all but 5 % of the reference."""
    sites: tuple[Moved, ...]
    boxes: tuple[Moved, ...] = ()
    """Means of how many there are, how sure and how large."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Accuracy in the window as the answers alone let it be guessed (ATC): a reason to label, never a verdict."""

    accuracy: float
    low: float
    high: float
    images: int
    reference: float
    """Accuracy on the reference."""


@dataclass(frozen=True, kw_only=True)
class Harm:
    """Whether the version errs more often than it may, by the labels of the audit sample alone."""

    harmed: bool
    """Stays true for this version."""
    since: str | None
    """Time of the image whose label showed it."""
    e_value: float
    """Evidence against "it errs in `bound` of the images at most"."""
    threshold: float
    bound: float
    """Upper 95 % bound of the error on the reference, and harm_margin."""
    labels: int
    """Audit images labelled so far …"""
    wrong: float
    """… of which were answered wrongly; an answer with several labels counts by what its F1 lacks."""
    drawn: int
    """Audit images so far, labelled or not."""
    fall_labels: int = 0
    """Labels since about the fall, by which harm was shown; 0 where it is not, or an earlier look did not count …"""
    fall_wrong: float = 0
    """… and what they lack."""
    asked: float | None = None
    """Error that harm_margin of now would allow, where it is another one than when the watch began."""

    @property
    def telling(self) -> tuple[int, float]:
        """Labels that tell most, and what they lack: those that showed harm; else all."""
        return (self.fall_labels, self.fall_wrong) if self.fall_labels else (self.labels, self.wrong)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One look at one version."""

    at: str
    """Of the look, ISO 8601 in UTC."""
    version: str
    digest: str
    """Of its bundle."""
    reference: str | None
    """Digest of what it is compared with; None where there is none, and then nothing was compared."""
    task: str = CLASSIFY
    seen: int = 0
    """Answers of the version so far …"""
    rows_new: int = 0
    """… of which this look is the first."""
    entered: int = 0
    """Images in the bet so far: one for each camera and interval."""
    wealth: float = 1.0
    """Of the bet now."""
    threshold: float = 0.0
    """Wealth that raises the next alarm."""
    alarm: Alarm | None = None
    """The one that nobody has acknowledged."""
    cause: Cause | None = None
    estimate: Estimate | None = None
    harm: Harm | None = None
    shifted: tuple[Seen, ...] = ()
    """Images of the window that are least like the reference; asked once there is an alarm."""
    telling: tuple[Seen, ...] = ()
    """Images of the window whose labels would teach most: for the labelling queue, never for the verdict."""
    trouble: tuple[str, ...] = field(default=())
    """What could not be seen, in sentences: where there is any, nothing else here may be taken for calm."""

    @property
    def is_calm(self) -> bool:
        """Whether everything was seen and nothing is wrong."""
        return not (self.trouble or self.alarm or (self.harm and self.harm.harmed))

    @property
    def moment(self) -> datetime:
        """When it was looked."""
        return datetime.fromisoformat(self.at)

    def as_json(self) -> dict[str, Any]:
        """For `--json` and the state."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        """What `as_json` made."""
        made = dict(values)
        made["alarm"] = Alarm(**values["alarm"]) if values["alarm"] else None
        made["estimate"] = Estimate(**values["estimate"]) if values["estimate"] else None
        made["harm"] = Harm(**values["harm"]) if values["harm"] else None
        if values["cause"]:
            cause = dict(values["cause"])
            # An earlier look knew no boxes.
            lists = {name: cause.get(name, ()) for name in ("statistics", "boxes", "classes", "cameras", "sites")}
            made["cause"] = Cause(**cause | {name: tuple(Moved(**one) for one in each) for name, each in lists.items()})
        made |= {name: tuple(Seen(**one) for one in values[name]) for name in ("shifted", "telling")}
        return cls(**made | {"trouble": tuple(values["trouble"])})
