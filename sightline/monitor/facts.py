"""What is known now, for the decision whether to train: read from where each thing is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sightline.data import manifest
from sightline.data.versions import archive
from sightline.duration import CLOCKS
from sightline.errors import DataError
from sightline.evaluate import release
from sightline.monitor.look import last
from sightline.monitor.policy import Facts, expected
from sightline.registry import prospects
from sightline.registry.ledger import CHANGES
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.monitor.outcome import Outcome
    from sightline.project import Paths
    from sightline.tracking.runs import Past, Tracker

FLOW = "train"
WINDOW = 30
"""Days over which hours of training are counted."""
HOUR, DAY = 3600.0, 86_400.0


def gather(paths: Paths, now: datetime | None = None, assumed: Mapping[str, Any] | None = None) -> Facts:
    """The facts of `now`, those of the names in `assumed` with the values there.

    The chance of a gain, and what it needs, follow from the others, assumed ones included. Raises RegistryError where
    MLflow or the ledger do not answer.
    """
    now = now or datetime.now(UTC)
    tracker = connect(paths)
    champion, crowned = _champion(paths, tracker)
    outcome = next((one for one in reversed(last(paths)) if one.version == champion), None)
    harmed, lost = _harm(outcome)
    changed, new_labels, learned = _labels(paths, tracker)
    runs = [one for one in tracker.past(FLOW) if not one.idle]
    # What a clock that went ahead has written holds nothing up until its date comes.
    past = [one for one in runs if one.began - now <= CLOCKS]
    facts = Facts(
        champion=champion,
        age=0.0 if crowned is None else max(0.0, (now - crowned).total_seconds() / DAY),
        harmed=harmed,
        lost=lost,
        shifted=outcome is not None and outcome.alarm is not None,
        drop=_drop(outcome),
        changed=changed,
        new_labels=new_labels,
        learned=learned,
        running=next((one.name for one in runs if one.ended is None), None),
        since=min((max(0.0, (now - one.began).total_seconds()) / HOUR for one in past), default=None),
        spent=_spent(past, now),
        chance=1.0,
        needed=0,
        clock_ahead=len(runs) - len(past),
    )
    facts = replace(facts, **assumed or {})
    # Without a champion there may be no test release yet, and whoever asks makes none.
    if champion and facts.champion:
        chance, needed = _shown(paths, expected(facts.harmed, facts.lost, facts.shifted, facts.drop))
        facts = replace(facts, **{"chance": chance, "needed": needed, **(assumed or {})})
    return facts


def _champion(paths: Paths, tracker: Tracker) -> tuple[str | None, datetime | None]:
    """The champion, and when it became that: by the clock, or by an earlier time of a row that came later."""
    ledger = open_ledger(paths)
    try:
        version = ledger.champion(tracker.classifier_model)
        rows = ledger.history(tracker.classifier_model)
    finally:
        ledger.close()
    changed = [number for number, row in enumerate(rows) if row.version == version and row.decision in CHANGES]
    since = [datetime.fromisoformat(row.at) for row in rows[changed[-1] :]] if changed else []
    return version, min(since, default=None)


def _harm(outcome: Outcome | None) -> tuple[bool, float]:
    harm = outcome.harm if outcome else None
    if harm is None or not harm.harmed:
        return False, 0.0
    labels, wrong = harm.telling
    return True, max(0.0, wrong / labels - harm.bound)


def _drop(outcome: Outcome | None) -> float:
    estimate = outcome.estimate if outcome else None
    return max(0.0, estimate.reference - estimate.accuracy) if estimate else 0.0


def _labels(paths: Paths, tracker: Tracker) -> tuple[bool, int, int]:
    """Whether the data changed since the last training, labels that it has not seen, images that it learned from."""
    versions = tracker.versions(tracker.classifier_model)
    if not versions:
        return True, 0, 0
    tags = max(versions, key=lambda one: int(one.version)).tags
    now, then = archive.current(paths, "target"), tags.get("data.target", "")
    rows = archive.rows(paths, now)
    usable = rows[rows["status"] == manifest.OK]
    try:
        before = archive.rows(paths, archive.Version("target", then, tags.get("raw.target")))
    except DataError:
        # Nobody knows any more what it learned from: all may be new.
        return now.digest != then, len(usable), len(usable)
    seen = before[before["status"] == manifest.OK]
    known = set(zip(seen["sha256"], seen["label"], strict=True))
    fresh = set(zip(usable["sha256"], usable["label"], strict=True)) - known
    return now.digest != then, len(fresh), len(known)


def _shown(paths: Paths, gain: float) -> tuple[float, int]:
    """The chance that the test release of now shows that gain, and how many more labelled images would do."""
    testing = release.current(paths, paths.params.evaluate.release)
    return prospects.shown(paths, len(testing.images), paths.params.gate, gain)


def _spent(past: Sequence[Past], now: datetime) -> float:
    """Hours; a run lasts until now at most, and no run takes hours back where a clock was set back in it."""
    recent = [one for one in past if (now - one.began).total_seconds() < WINDOW * DAY]
    return sum(max(0.0, (min(one.ended or now, now) - one.began).total_seconds()) for one in recent) / HOUR
