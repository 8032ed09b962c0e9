"""What a version remembers of how it came to be."""

from __future__ import annotations

from sightline import origin
from sightline.train.result import Trained


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
