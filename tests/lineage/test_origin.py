"""What a version remembers of how it came to be."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from sightline import config
from sightline.lineage import origin
from sightline.scaffold import template
from sightline.train.result import Trained

if TYPE_CHECKING:
    from pathlib import Path


def stage(name: str) -> Trained:
    return Trained(
        stage=name,
        path="",
        weights=name,
        network="cnn",
        size=8,
        classes=(),
        val_accuracy=0.0,
        val_loss=0.0,
        val_fitted_loss=0.0,
        seconds=0.0,
    )


def test_line_holds_what_led_to_the_weights_alone() -> None:
    """A head has its backbone before it, a fine-tuned network both, and from scratch nothing."""
    backbone, head, tuned, plain = (stage(name) for name in ("pretrain", "transfer", "finetune", "scratch"))
    assert origin.line_of(head, backbone, head, tuned) == [backbone, head]
    assert origin.line_of(tuned, backbone, head, tuned) == [backbone, head, tuned]
    assert origin.line_of(plain, backbone, head, tuned) == [plain]
    assert origin.line_of(plain, None, None, None) == [plain]


def test_old_version_tells_no_stages() -> None:
    """Where nothing was recorded nothing is told."""
    assert origin.stages_of({}) == []
    assert origin.plan_of({}) is None


def test_recorded_values_load_without_their_preset(tmp_path: Path) -> None:
    """The values of a run with a preset are a params.yaml of their own, with the recipes that the preset gave."""
    params = config.load(template(config.PARAMS).parent, {"project.preset": "best"})
    origin.write_params(tmp_path, {"params": asdict(params), "overrides": {}})
    assert config.load(tmp_path) == replace(params, project=replace(params.project, preset=None))


def test_version_from_before_there_was_a_choice_was_squeezed(tmp_path: Path) -> None:
    """Trained again it sees its images as it saw them then, whatever their shapes are."""
    values = asdict(config.load(template(config.PARAMS).parent))
    del values["preprocess"]["fit"]
    origin.write_params(tmp_path, {"params": values, "overrides": {}})
    assert config.load(tmp_path).preprocess.fit == "squeeze"
