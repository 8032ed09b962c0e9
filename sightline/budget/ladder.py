"""Which networks and image sizes a budget may take, and what each needs to be worth its time."""

from __future__ import annotations

LADDER = {
    ("cnn", 32): 0,
    ("cnn", 48): 60,
    ("cnn", 64): 100,
    ("resnet18", 96): 200,
    ("resnet18", 128): 200,
    ("resnet50", 160): 200,
    ("resnet50", 192): 200,
    ("resnet50", 224): 200,
}
"""Networks and image sizes, with the passes over the target's images that each must be able to make in the budget: with
fewer the one before is as good (docs/log.md; from ResNet-18 on the number is not measured)."""
SIZES, PASSES = (64, 96, 128), 100
"""Image sizes, beside the project's own, for a network that the user or the weights to start from fix, and the passes
for all but the first that it takes."""
_RESNET = {"finetune.scratch": (0.2, 1.0), "finetune.recipe": (0.03, 0.0)}
STEPS = {"cnn": {"finetune.scratch": (0.3, 1.0)}, "resnet18": _RESNET, "resnet50": _RESNET}
"""Peak learning rate and `clip` by recipe, whatever the presets say (docs/log.md)."""
STEP = ("learning_rate", "clip")
