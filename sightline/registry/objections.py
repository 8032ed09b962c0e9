"""What speaks against comparing a candidate with the champion at all.

Every comparison may promote a candidate by luck, so that one without prospects is better not made: it spends nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.registry.blessing import NOT_APPLICABLE
from sightline.registry.rules import NO_WORSE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.registry.candidate import Candidate
    from sightline.registry.rules import Scored, Word

MADE_BY = ("data.target", "shards.target", "code.training", "backbone.weights")
"""Tags that decide, with the plan, which weights come out but for chance."""


@dataclass(frozen=True)
class Objection:
    """Why no comparison is asked for."""

    sentence: str
    verdict: Word


def objection(candidate: Candidate, champion: str, checks: Sequence[str]) -> Objection | None:
    """What speaks against comparing the candidate: another of the `checks`, one like it before, or validation."""
    asked = {one.name: one for one in candidate.found}
    blocking = [
        name for name in checks if name not in candidate.request.override and (name not in asked or asked[name].blocks)
    ]
    if blocking:
        return Objection(f"not compared with champion version {champion}: {', '.join(blocking)} block", NOT_APPLICABLE)
    twin = _twin(candidate, champion)
    if twin is not None:
        return Objection(f"its data and plan are those of version {twin}, compared with this champion before", "failed")
    return _validation(candidate, champion)


def favours(candidate: Scored, champion: Scored, slack: float = 0.0) -> bool:
    """Whether the candidate is right more often, less often by no more than `slack`, or as often with less log loss.

    What is gained of a score of its own counts as much as the figures of images.
    """
    if not len(candidate.labels):
        return True
    score = candidate.gained(champion)
    difference = float(candidate.right.mean() - champion.right.mean()) + slack + (score.difference if score else 0.0)
    if difference:
        return difference > 0
    return float(candidate.log_losses.mean()) < float(champion.log_losses.mean())


def _validation(candidate: Candidate, champion: str) -> Objection | None:
    own, other = (candidate.on_role("val", version) for version in (candidate.request.version, champion))
    if favours(own, other, candidate.limits.margin if candidate.request.rule == NO_WORSE else 0.0):
        return None
    said = (
        f"validation does not favour it: {own.head.told(float(own.right.mean()), len(own.labels))}, "
        f"champion version {champion} {other.right.mean():.1%}"
    )
    if (score := own.gained(other)) is not None:
        said += f"; {score.seen}"
    return Objection(said, "failed")


def _twin(candidate: Candidate, champion: str) -> str | None:
    """An earlier version of the same data and plan that was compared with this champion on this release."""
    own, comparisons = _made_by(candidate.tags), candidate.ledger.comparisons
    rule, version = candidate.request.rule, candidate.request.version
    before = comparisons.made(candidate.model, candidate.testing.name, champion, rule)
    if not own or version in before:
        return None
    tags = ((one, dict(candidate.tracker.version(candidate.model, one).tags)) for one in before)
    return next((one for one, tag in tags if _made_by(tag) == own), None)


def _made_by(tags: Mapping[str, str]) -> tuple[object, ...]:
    """Data, code and plan of training; empty where the version does not tell them."""
    if "plan" not in tags:
        return ()
    values = json.loads(tags["plan"])["params"]
    plan = {name: value for name, value in values.items() if name not in {"evaluate", "gate"}}
    return (*(tags.get(name) for name in MADE_BY), json.dumps(plan, sort_keys=True))
