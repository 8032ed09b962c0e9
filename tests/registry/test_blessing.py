"""All checks, or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sightline.registry.blessing import ANSWERED, OVERALL, REQUIRED, Blessing, Bound, decide

BOUND = Bound(data="d", code="c", weights="w", release="r")
ALL = [Blessing(name=name, verdict="passed", sentence=f"{name} is well", digests=BOUND) for name in REQUIRED]


def without(name: str) -> list[Blessing]:
    return [one for one in ALL if one.name != name]


def instead(name: str, **changes: object) -> list[Blessing]:
    return [replace(one, **changes) if one.name == name else one for one in ALL]  # type: ignore[arg-type]


def test_all_passed_and_bound_is_promoted() -> None:
    """Every required blessing, passed and about this version: the only way."""
    assert decide(ALL, BOUND).promote


@pytest.mark.parametrize("name", REQUIRED)
def test_check_switched_off_blocks(name: str) -> None:
    """A run that leaves a check out is refused, and the check is named."""
    decision = decide(without(name), BOUND)
    assert decision.verdict == "failed"
    assert f"{name}: the check did not run" in decision.sentence


@pytest.mark.parametrize("part", ["data", "code", "weights", "release"])
def test_blessing_about_something_else_blocks(part: str) -> None:
    """A passed check of other data, code, weights or another release says nothing about this version."""
    other = replace(BOUND, **{part: "other"})
    decision = decide(instead("slices", digests=other), BOUND)
    assert decision.verdict == "failed"
    assert f"slices: the check is about another {part}" in decision.sentence


def test_blessing_given_twice_blocks() -> None:
    """Two answers of one check are none."""
    assert "answered 2 times" in decide([*ALL, ALL[0]], BOUND).sentence


def test_insufficient_waits_for_a_person() -> None:
    """Where too few images are all that is wrong, nothing is refused; with a failure beside it, it is."""
    few = instead(OVERALL, verdict="insufficient", sentence="too few")
    assert decide(few, BOUND).verdict == "insufficient"
    assert "waits for a person" in decide(few, BOUND).sentence
    both = [replace(one, verdict="failed") if one.name == "cost" else one for one in few]
    assert decide(both, BOUND).verdict == "failed"


@pytest.mark.parametrize("name", REQUIRED)
def test_nothing_to_compare_with_blocks_nothing_and_is_not_counted(name: str) -> None:
    """Only integrity, data and the comparison itself must always have been answered."""
    decision = decide(instead(name, verdict="not applicable", sentence="no champion"), BOUND)
    assert decision.promote == (name not in ANSWERED)
    if decision.promote:
        assert decision.sentence.endswith(f"all {len(REQUIRED) - 1} checks passed, 1 had nothing to compare with")


def test_comparison_that_another_check_made_needless_is_no_reason() -> None:
    """The check that blocks is told, and decides whether a person is waited for."""
    apart = [replace(one, verdict="not applicable") if one.name == OVERALL else one for one in ALL]
    few = [replace(one, verdict="insufficient", sentence="few") if one.name == "fresh data" else one for one in apart]
    assert decide(few, BOUND).verdict == "insufficient"
    bad = [replace(one, verdict="failed", sentence="lost") if one.name == "slices" else one for one in apart]
    assert (decide(bad, BOUND).verdict, decide(bad, BOUND).sentence) == ("failed", "slices: lost")


def test_warning_stands_in_the_headline() -> None:
    """What blocks nothing and must be known is told with the decision."""
    weak = instead("robustness", warning="right in 9.9% under lowered contrast")
    assert f"right in 9.9% under lowered contrast; all {len(REQUIRED)} checks passed" in decide(weak, BOUND).sentence


def test_override_is_loud() -> None:
    """A check that a person sets aside does not block, and stands in the sentence and in the record."""
    decision = decide(instead("cost", verdict="failed", sentence="twice as slow"), BOUND, override=["cost", "slices"])
    assert decision.promote
    assert "OVERRIDDEN cost: twice as slow" in decision.sentence
    assert decision.overridden == ("cost",)


def test_same_reason_is_told_once() -> None:
    """Checks that fail for one reason share its sentence."""
    broken = [
        replace(one, verdict="missing", sentence="gone") if one.name in {"cost", "slices"} else one for one in ALL
    ]
    assert decide(broken, BOUND).sentence == "slices, cost: gone"
