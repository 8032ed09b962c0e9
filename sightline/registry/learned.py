"""What weights learned from: the data that a registered version names, and those of the weights that it began with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import RegistryError
from sightline.models.shipped import is_shipped
from sightline.registry.backbones import SCHEME, is_exact
from sightline.tracking.versions import find

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.tracking.versions import Versions

SOURCE, TARGET = "data.source", "data.target"
"""Tags of a version: the data that its backbone, and that it learned from itself."""
INIT = "backbone.init"
"""Tag of a version: what its backbone began with, as `backbones.pinned` writes it."""


@dataclass(frozen=True)
class Learned:
    """A version of a data set that weights learned from."""

    use: str
    digest: str
    raw: str | None
    """DVC digest of the raw folder, where DVC holds it."""
    of: str = ""
    """Registered version that learned from it, such as toy-backbone/1; empty for the source of this very backbone."""

    @property
    def words(self) -> str:
        """Whose data they are, before the path of an image."""
        return f"{self.of} {self.use}" if self.of else self.use


@dataclass(frozen=True)
class Past:
    """Everything that a backbone learned from."""

    data: tuple[Learned, ...] = ()
    unknown: tuple[str, ...] = ()
    """Weights on the way that nothing here says it of."""

    @property
    def doubt(self) -> str:
        """That it is not known, in a few words; empty where it is."""
        return f"what {' and '.join(self.unknown)} learned from is not known" if self.unknown else ""

    def without(self, lost: Sequence[Learned]) -> Past:
        """The same, where those data cannot be had."""
        names = dict.fromkeys([*self.unknown, *(one.of for one in lost)])
        return Past(tuple(one for one in self.data if one not in lost), tuple(names))


def past_of(versions: Versions, tags: Mapping[str, str]) -> Past:
    """What the backbone of a version with these `tags` learned from."""
    if not _has_backbone(tags):
        return Past()
    return past(versions, _own(tags, ""), _began_with(tags))


def past(versions: Versions, own: tuple[Learned, ...], init: str | None) -> Past:
    """The same of a backbone that learned from `own` data and began with `init`."""
    data, unknown = {(one.use, one.digest): one for one in own if one.use == "source"}, []
    waiting, seen = [init] if init else [], set()
    while waiting:
        asked = waiting.pop()
        name = asked.removeprefix(SCHEME)
        # Those that come with this package learned from no photograph.
        if asked in seen or is_shipped(asked):
            continue
        seen.add(asked)
        tags = _tags(versions, asked)
        taught, before = _own(tags, name), _began_with(tags)
        for one in taught:
            data.setdefault((one.use, one.digest), one)
        waiting += [before] if before else []
        if not taught and not before:
            unknown.append(name)
    return Past(tuple(data.values()), tuple(unknown))


def _tags(versions: Versions, asked: str) -> Mapping[str, str]:
    """Of the version that `asked` names; none where it names no version, or one that is gone."""
    if not is_exact(asked):
        return {}
    try:
        tags: Mapping[str, str] = find(versions, asked.removeprefix(SCHEME)).tags
    except RegistryError:
        return {}
    return tags


def _own(tags: Mapping[str, str], name: str) -> tuple[Learned, ...]:
    """The data that a version itself names."""
    uses = [("source", SOURCE)] if _has_backbone(tags) else []
    found = [(use, tags[tag], tags.get(f"raw.{use}")) for use, tag in [*uses, ("target", TARGET)] if tags.get(tag)]
    return tuple(Learned(use, digest, raw, name) for use, digest, raw in found)


def _has_backbone(tags: Mapping[str, str]) -> bool:
    """Whether a version came from a backbone, or is one; one that does not say counts as if."""
    stages = [one["stage"] for one in json.loads(tags.get("training", "[]"))]
    return not stages or "pretrain" in stages


def _began_with(tags: Mapping[str, str]) -> str | None:
    """What its backbone began with; versions that were registered before that was noted tell it by their plan."""
    if not _has_backbone(tags):
        return None
    plan = json.loads(tags.get("plan", "{}"))
    init: str | None = tags.get(INIT) or plan.get("params", {}).get("pretrain", {}).get("init")
    return init
