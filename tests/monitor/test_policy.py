"""Tests of the retrain policy: what is a reason, what stands against it, and what it asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sightline.monitor.policy import Facts, decide
from sightline.params import Retrain

LIMITS = Retrain(new_labels=0.1, age=90, drop=0.02, cooldown=12, hours=50, chance=0.1)
CALM = Facts(
    champion="3", age=10, harmed=False, lost=0, shifted=False, drop=0, changed=True, new_labels=20, learned=1000,
    running=None, since=30, spent=4, chance=0.8, needed=0,
)  # fmt: skip


def test_nothing_happens_where_nothing_asks_for_it() -> None:
    """A few new labels are no reason, and nobody is asked to label."""
    decision = decide(CALM, LIMITS)
    assert (decision.train, decision.reasons, decision.ask) == (False, (), 0)
    assert decision.sentence == "no training: nothing asks for it"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"harmed": True, "lost": 0.08}, "audit labels show harm, 8.0 points more wrong answers than allowed"),
        ({"shifted": True, "drop": 0.03}, "the traffic has shifted, and accuracy is estimated to be 3.0 points lower"),
        ({"new_labels": 100}, "100 new labels since the last training, on 1,000 images"),
        ({"age": 91}, "the champion is 91 days old, and there are 20 new labels"),
        ({"champion": None}, "there is no champion yet"),
    ],
)
def test_each_reason_suffices(changes: dict[str, object], said: str) -> None:
    """Harm, a shift with an estimated loss, new labels, age with any new label, no champion."""
    decision = decide(replace(CALM, **changes), LIMITS)  # type: ignore[arg-type]
    assert (decision.train, decision.reasons) == (True, (said,))
    assert decision.sentence == f"train: {said}"


@pytest.mark.parametrize(
    "changes",
    [
        {"shifted": True, "drop": 0.01},
        {"shifted": False, "drop": 0.5},
        {"age": 200, "new_labels": 0},
        {"new_labels": 99},
    ],
)
def test_half_a_reason_is_none(changes: dict[str, object]) -> None:
    """A shift without a loss, a loss without a shift, age without labels, too few labels."""
    assert decide(replace(CALM, **changes), LIMITS).reasons == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"running": "train brave-fox"}, "train brave-fox runs"),
        ({"changed": False}, "the data are those of the last training"),
        ({"since": 11.5}, "the last training began 11.5 hours ago, and 12 must pass"),
        ({"spent": 50}, "50.0 of 50 hours of training in 30 days are spent"),
        ({"chance": 0.05, "harmed": False}, "the test release would show a gain of 2.0 points in 5% of cases only"),
    ],
)
def test_each_obstacle_suffices(changes: dict[str, object], said: str) -> None:
    """A run on its way, unchanged data, cooldown, budget, and a release that can show nothing."""
    decision = decide(replace(CALM, new_labels=200, **changes), LIMITS)  # type: ignore[arg-type]
    assert (decision.train, decision.against) == (False, (said,))
    assert decision.sentence.startswith(f"no training: {said}, although 200 new labels")


def test_harm_is_not_held_up_by_a_small_release() -> None:
    """A person may decide about what the release cannot show; the labels that would help are asked for."""
    decision = decide(replace(CALM, harmed=True, lost=0.08, chance=0.01, needed=640), LIMITS)
    assert (decision.train, decision.ask) == (True, 640)


def test_labels_are_asked_for_where_they_would_help() -> None:
    """An alarm without new data asks for as many as are a reason; a release too small for as many as it lacks."""
    alarm = replace(CALM, shifted=True, drop=0.04, changed=False, new_labels=0)
    assert decide(alarm, LIMITS).ask == 100
    blind = decide(replace(CALM, new_labels=200, chance=0.02, needed=450), LIMITS)
    assert (blind.train, blind.ask) == (False, 450)
    assert blind.sentence.endswith("; labels of about 450 more images would help")


@pytest.mark.parametrize("changes", [{"since": 0.1}, {"spent": 100.0}])
def test_obstacles_count_for_the_first_champion(changes: dict[str, object]) -> None:
    """A night that trained one in vain is followed by none before it may be."""
    decision = decide(replace(CALM, champion=None, **changes), LIMITS)  # type: ignore[arg-type]
    assert (decision.train, len(decision.against)) == (False, 1)
    assert "although there is no champion yet" in decision.sentence


@pytest.mark.parametrize("changes", [{"chance": 0.0}, {"changed": False}])
def test_first_champion_needs_neither_other_data_nor_a_large_release(changes: dict[str, object]) -> None:
    """It is compared with none, and another recipe may bring it."""
    assert decide(replace(CALM, champion=None, **changes), LIMITS).train  # type: ignore[arg-type]


def test_one_run_at_a_time_even_for_the_first_champion() -> None:
    """While the first training runs no second one starts."""
    assert not decide(replace(CALM, champion=None, running="train one"), LIMITS).train
