"""Training that starts from weights which are there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sightline.tracking.runs import connect

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
