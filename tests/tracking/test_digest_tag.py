"""One tag for the digests of a version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sightline.tracking.digest_tag import TAG
from sightline.tracking.runs import Tracker, connect

if TYPE_CHECKING:
    from sightline.project import Paths

TAGS = {
    "weights": "a" * 64,
    "git.commit": "b" * 40,
    "data.target": f"{'c' * 32}.dir",
    "code": "d" * 16,
    "stage": "finetune",
    "choice": "finetune is best",
    "seals": json.dumps({"MLmodel": "e" * 64}),
}
FOLDED = {"data.target", "code", "seals"}


@pytest.fixture
def tracker(toy: Paths) -> Tracker:
    """A registry with one version that has these tags."""
    tracker = connect(toy)
    (toy.root / "weights").mkdir()
    tracker.register_backbone(tracker.start("toy", {}), toy.root / "weights", TAGS)
    tracker.set_alias(tracker.backbone_model, "champion", "1")
    return tracker


def test_mlflow_shows_one_tag(tracker: Tracker) -> None:
    """What people read stands by itself."""
    shown = tracker.client.get_model_version(tracker.backbone_model, "1").tags
    assert shown.keys() == TAGS.keys() - FOLDED | {TAG}
    assert json.loads(shown[TAG]) == {key: TAGS[key] for key in FOLDED}


def test_we_read_each(tracker: Tracker) -> None:
    """However the version is asked for; what was set by itself since then counts."""
    name = tracker.backbone_model
    tracker.tag_version(name, "1", {"code": "f" * 16})
    asked = [
        tracker.version(name, "1"),
        *tracker.versions(name),
        tracker.aliased(name, "champion"),
        tracker.find_version(name, TAGS["weights"]),
        tracker.holding(TAGS["weights"]),
    ]
    assert [one and one.tags for one in asked] == [{**TAGS, "code": "f" * 16}] * 5


def test_weights_whose_answers_are_wanted_otherwise_are_another_version(tracker: Tracker) -> None:
    """A version that does not say what its answers shall keep is of the usual wish."""
    name, weights = tracker.backbone_model, TAGS["weights"]
    assert tracker.find_version(name, weights, "accuracy 0.99")
    assert tracker.find_version(name, weights, "accuracy 0.99, precision 0.9") is None
    tracker.tag_version(name, "1", {"wanted": "accuracy 0.8"})
    assert tracker.find_version(name, weights) is None


@pytest.mark.parametrize("strange", ["", "no JSON", "[1]", "3"])
def test_strange_tag_holds_none(tracker: Tracker, strange: str) -> None:
    """Whoever needs a digest then misses it."""
    tracker.tag_version(tracker.backbone_model, "1", {TAG: strange})
    assert FOLDED.isdisjoint(tracker.version(tracker.backbone_model, "1").tags)
