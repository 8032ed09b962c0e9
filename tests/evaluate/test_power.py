"""What a release can show."""

from __future__ import annotations

import pytest

from sightline.evaluate import power


def test_chances_rise_with_gain_and_images() -> None:
    """45 images show next to nothing, 5,000 nearly every gain of two points."""
    few, many = power.chances(45, 0.06, 0.0025), power.chances(5000, 0.06, 0.0025)
    assert list(few) == [0.01, 0.02, 0.03, 0.05]
    assert sorted(many.values()) == list(many.values())
    assert few[0.02] < 0.02
    assert many[0.02] > 0.98


def test_sentence_says_how_many_would_do() -> None:
    """The number of images that it names shows two points in half of cases; enough images need no further ones."""
    said = power.sentence(45, 0.06, 0.0025)
    needed = int(said.split(" would show")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert power.chances(needed, 0.06, 0.0025)[0.02] == pytest.approx(0.5, abs=0.02)
    assert "would show" not in power.sentence(10_000, 0.06, 0.0025)
