"""Training that starts from weights which are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sightline.config import write_value
from sightline.models.shipped import FRACTALS, exact
from sightline.registry.learned import Past, past_of
from sightline.tracking.runs import connect
from sightline.train import beginning

if TYPE_CHECKING:
    from sightline.project import Paths


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_given_weights_start_the_target(toy: Paths) -> None:
    """Without a source the champion's weights are the backbone as they are; what is learned from them is compared."""
    from flows.train import train

    assert "pretrain" not in {row.name for row in train().rows}
    summary = train({"pretrain.init": "champion"})
    assert {row.name: row.what for row in summary.rows}["pretrain"] == "cnn, the given weights"
    assert summary.backbone_accuracy is None
    assert len(summary.scores) == len({"scratch", "transfer", "finetune"})
    tracker = connect(toy)
    (backbone,) = tracker.versions("toy-backbone")
    assert backbone.tags["backbone.init"] == "registry:toy-classifier/1"
    assert tracker.version("toy-classifier", "2").tags["backbone.init"] == "registry:toy-classifier/1"


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_shipped_backbone_competes_with_training_from_scratch(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backbone that comes with Sightline is named by its digest in the lineage; run again, nothing is trained."""
    from flows.train import train

    monkeypatch.setattr(beginning, "FEW", 100)
    write_value(toy.root, "pretrain.init", FRACTALS)
    summary = train()
    assert len(summary.scores) == len({"scratch", "transfer", "finetune"})
    assert "is best on the validation images" in summary.choice
    tracker = connect(toy)
    version = tracker.version("toy-classifier", "1")
    assert version.tags["backbone.init"] == exact(FRACTALS, "cnn")
    (data,) = (one for one in tracker.versions("toy-backbone"))
    assert data.tags["backbone.init"] == exact(FRACTALS, "cnn")
    assert past_of(tracker, version.tags) == Past()
    again = train()
    assert "nothing" in again.outcome.sentence or again.outcome.version == again.outcome.champion
    assert {row.outcome for row in again.rows} <= {"cached", "up to date"}


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_shipped_backbone_is_left_out_where_labels_are_many(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more images per class than it is worth anything for, the run trains from scratch alone."""
    from flows.train import train

    monkeypatch.setattr(beginning, "FEW", 40)
    summary = train({"pretrain.init": FRACTALS})
    assert [score.name for score in summary.scores] == ["from scratch"]
    assert connect(toy).versions("toy-backbone") == []
