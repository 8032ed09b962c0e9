"""Which candidates are not worth a comparison."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sightline.params import Gate
from sightline.registry.blessing import Blessing
from sightline.registry.candidate import Request
from sightline.registry.ledger import Ledger
from sightline.registry.objections import favours, objection
from sightline.registry.rules import Scored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHECKS = ("data", "slices", "cost")


def scored(right: int, n: int, sure: float = 0.9) -> Scored:
    """Answers for `n` images of two classes, so many of them right, each with that probability."""
    labels = np.zeros(n, dtype=np.int64)
    own = np.where(np.arange(n) < right, sure, 1 - sure)
    return Scored(version="1", labels=labels, probabilities=np.stack([own, 1 - own], axis=1))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield made
    made.close()


def plan(seed: int, **gate: Any) -> dict[str, str]:
    values = {"project": {"seed": seed}, "gate": gate, "evaluate": {"release": "r1"}}
    return {"data.target": "d", "code.training": "c", "plan": json.dumps({"params": values})}


def candidate(ledger: Ledger, version: str, **more: Any) -> Any:
    """As much of one as is looked at: each version's tags, its answers for validation images, what checks have said."""
    tags = more.get("tags", {})
    validation = more.get("validation", {version: scored(95, 100), "1": scored(90, 100)})
    return SimpleNamespace(
        found=more.get("found", [Blessing(name=name, verdict="passed", sentence="well") for name in CHECKS]),
        request=Request(version=version, reason="", actor="", **more.get("asked", {})),
        ledger=ledger,
        model="m",
        testing=SimpleNamespace(name="r1"),
        tracker=SimpleNamespace(version=lambda _, one: SimpleNamespace(tags=tags.get(one, {}))),
        tags=tags.get(version, {}),
        limits=Gate(),
        on_role=lambda _, one: validation[one],
    )


def test_sound_candidate_is_worth_it(ledger: Ledger) -> None:
    """Where all checks pass and validation favours it nothing speaks against a comparison."""
    assert objection(candidate(ledger, "2"), "1", CHECKS) is None


def test_candidate_that_another_check_refuses_is_not_compared(ledger: Ledger) -> None:
    """One that failed, and one that did not run, are named; those that a person set aside are not."""
    found = [
        Blessing(name="data", verdict="not applicable", sentence="no champion"),
        Blessing(name="slices", verdict="failed", sentence="lost"),
    ]
    against = objection(candidate(ledger, "2", found=found), "1", CHECKS)
    assert against is not None
    assert "data, slices, cost block" in against.sentence
    assert against.verdict == "not applicable"
    aside = candidate(ledger, "2", found=found, asked={"override": CHECKS})
    assert objection(aside, "1", CHECKS) is None


def test_same_data_and_plan_are_compared_once(ledger: Ledger) -> None:
    """Another draw of what was compared before is refused with its version; another seed or champion is not."""
    tags = {"2": plan(0), "3": plan(0, approval=True), "4": plan(1)}
    ledger.comparisons.spend("m", "r1", "2", "1", "better")
    assert objection(candidate(ledger, "2", tags=tags), "1", CHECKS) is None
    again = objection(candidate(ledger, "3", tags=tags), "1", CHECKS)
    assert again is not None
    assert "data and plan are those of version 2" in again.sentence
    assert again.verdict == "failed"
    assert objection(candidate(ledger, "4", tags=tags), "1", CHECKS) is None
    other = {"3": scored(95, 100), "9": scored(90, 100)}
    assert objection(candidate(ledger, "3", tags=tags, validation=other), "9", CHECKS) is None
    unknown: dict[str, dict[str, str]] = {"2": {}, "3": {}}
    assert objection(candidate(ledger, "3", tags=unknown), "1", CHECKS) is None


def test_candidate_that_validation_does_not_favour_is_not_compared(ledger: Ledger) -> None:
    """It is told with both shares; by rule `no_worse` one point less is no objection."""
    validation = {"2": scored(890, 1000), "1": scored(900, 1000)}
    against = objection(candidate(ledger, "2", validation=validation), "1", CHECKS)
    assert against is not None
    assert "89.0% of 1000 images right, champion version 1 90.0%" in against.sentence
    small = {"2": scored(895, 1000), "1": scored(900, 1000)}
    assert objection(candidate(ledger, "2", validation=small, asked={"rule": "no_worse"}), "1", CHECKS) is None


def test_ties_are_broken_by_log_loss() -> None:
    """Of two that are right equally often the surer is favoured; without validation images all are."""
    assert favours(scored(95, 100, 0.95), scored(95, 100))
    assert not favours(scored(95, 100), scored(95, 100, 0.95))
    assert not favours(scored(95, 100), scored(95, 100))
    assert favours(scored(0, 0), scored(0, 0))
