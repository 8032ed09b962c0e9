"""What people see of a decision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from conftest import COLOURS, draw

from sightline.registry.blessing import REQUIRED, Blessing, Bound, decide
from sightline.registry.candidate import Request
from sightline.registry.differences import Difference
from sightline.registry.judge import Judgement
from sightline.registry.outcome import Outcome
from sightline.report.gate import beside, check_rows, markdown, odds, write_gate_report

if TYPE_CHECKING:
    from sightline.project import Paths

BOUND = Bound(data="d", code="c", weights="w", release="r")
COSTS = {"candidate": {"p50_ms": 2.0, "memory_mb": 310.0}, "champion": {"p50_ms": 2.5, "memory_mb": 300.0}}
FIGURES: dict[str, dict[str, Any]] = {
    "overall": {"accuracy": 0.93, "champion_accuracy": 0.91, "gained": 3, "lost": 1, "images": 45, "level": 0.002},
    "robustness": {"candidate": {"noise": 0.6, "blur": 0.8}, "champion": {"noise": 0.5, "blur": 0.7}},
    "cost": COSTS,
}
IDLE = ("fresh data", "slices")


def outcome(verdict: str = "insufficient", warning: str = "") -> Outcome:
    """A decision in which the comparison says `verdict` and two checks have nothing to compare with."""
    words = {name: "not applicable" if name in IDLE else "passed" for name in REQUIRED} | {"overall": verdict}
    found = [
        Blessing(
            name=name,
            verdict=word,  # type: ignore[arg-type]
            sentence=f"{name} says a|b",
            figures=FIGURES.get(name, {}),
            digests=BOUND,
            warning=warning if name == "robustness" else "",
        )
        for name, word in words.items()
    ]
    one = Difference(
        path="red/0001.png",
        label="red",
        gained=True,
        candidate="red",
        candidate_probability=0.9,
        champion="blue",
        champion_probability=0.7,
    )
    decision = decide(found, BOUND)
    judged = Judgement(version="2", champion="1", release="r1", bound=BOUND, decision=decision, differences=(one,))
    return Outcome("2", "1", decision.verdict, decision.sentence, decision.blessings, judgement=judged)


def test_only_what_was_asked_is_counted() -> None:
    """Two checks of nine had nothing to compare with: they are no passes, and no reason is told twice."""
    said = outcome(warning="weak: right in 9.9% under lowered contrast").words
    assert said == (
        "version 2 is insufficient for overall; 6 of 7 checks passed, 2 had nothing to compare with; "
        "weak: right in 9.9% under lowered contrast"
    )


def test_override_is_loud_in_the_few_words() -> None:
    """What a person set aside is named beside the decision."""
    asked = Request(version="2", reason="test", actor="ann", override=("overall",))
    said = replace(outcome(), request=asked, decision="promoted").words
    assert said.startswith("version 2 is promoted, OVERRIDDEN: overall; 6 of 7 checks passed")


def test_pages_of_prefect_and_mlflow_show_the_table() -> None:
    """Each check with verdict and sentence in a row that no bar breaks, and the candidate beside the champion."""
    text = markdown(outcome())
    assert "| overall | insufficient | overall says a\\|b |" in text
    assert "| right when corrupted | 70.0% | 60.0% |" in text
    assert all(text.count(f"| {name} says") == 1 for name in REQUIRED)


def test_figures_of_a_check_have_names() -> None:
    """Each number of a slice says what it is; what is not known is left out."""
    slices = [
        {"name": "label=cat", "images": 20, "accuracy": 0.85, "champion": None},
        {"name": "label=dog", "images": 9},
    ]
    one = replace(
        outcome().blessings[0], figures={"slices": slices, "missing": ["a"], "p": None, "at": {"f1": 0.51234}}
    )
    (row,) = check_rows(replace(outcome(), blessings=(one,)))
    assert row.figures == (
        ("slices", "label=cat: images 20, accuracy 0.85"),
        ("slices", "label=dog: images 9"),
        ("missing", "a"),
        ("at.f1", "0.5123"),
    )


def test_candidate_stands_beside_the_champion() -> None:
    """What both were measured in, with its unit."""
    rows = {name: (own, other) for name, own, other in beside(outcome())}
    assert rows["right answers"] == ("93.0%", "91.0%")
    assert rows["an answer takes (ms)"] == ("2.0", "2.5")
    assert rows["memory (MB)"] == ("310", "300")


def test_odds_say_what_the_images_can_show() -> None:
    """Three gained and one lost: better at 4.33 to 1 (26 to 6 of 32 outcomes), and what 45 images show at all."""
    differ, can = odds(outcome())
    assert "gains 3 and loses 1: the odds that it is better are 4.33 to 1" in differ
    assert can.startswith("45 test images show a gain of 1, 2, 3, 5 points in")
    assert "would show 2 points in half of cases" in can


def test_page_shows_the_images_where_they_differ(toy: Paths) -> None:
    """The person who decides sees the picture, what both say of it, and how sure they are."""
    path = toy.raw("target") / "red" / "0001.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(1, COLOURS["red"]).save(path)
    page = write_gate_report(toy, outcome(), "decide").read_text(encoding="utf-8")
    assert "Gained: only the candidate is right (1)" in page
    assert "data:image/png" in page
    assert "90.0" in page
    assert "red/0001.png" in page
    assert "Lost" not in page


@pytest.mark.parametrize("verdict", ["passed", "insufficient"])
def test_page_without_differences_has_no_odds(toy: Paths, verdict: str) -> None:
    """Where nobody is asked there is nothing to weigh."""
    plain = Outcome("2", "1", "refused", "no", outcome(verdict).blessings)
    assert "odds" not in write_gate_report(toy, plain, "page").read_text(encoding="utf-8")
