"""What a run can come to, before it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.registry import prospects

if TYPE_CHECKING:
    from sightline.project import Paths


def test_what_cannot_be_promised_is_told_before_training(ingested: Paths) -> None:
    """With so few calibration images 99 % is out of reach, which is said with what is needed; 50 % is not."""
    rows = manifest.read(ingested.manifest("target"))
    count = int((rows["role"] == "calib").sum())
    said = prospects.unpromised(ingested, 0.99)
    assert f"0.99 right answers cannot be promised with {count} calibration images" in said
    assert "368 are needed" in said
    assert prospects.unpromised(ingested, 0.5) == ""
