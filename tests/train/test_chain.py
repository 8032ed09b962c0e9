"""The order of the training stages, as every one of its users carries it out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from sightline import config
from sightline.recipe import Chance
from sightline.scaffold import template
from sightline.train import chain
from sightline.train.result import Trained

if TYPE_CHECKING:
    from sightline.params import Params, Pretrain, Transfer
    from sightline.recipe import Recipe


@dataclass
class Noting:
    """A trainer that notes what it is asked for, and answers at once."""

    asked: list[tuple[str, object]] = field(default_factory=list)

    def pretrain(self, params: Pretrain, chance: Chance) -> Trained:
        """Note it."""
        return self._answer("pretrain", (params.network, chance))

    def transfer(self, backbone: Trained, params: Transfer, augmentation: Recipe, chance: Chance) -> Trained:
        """Note it."""
        return self._answer("transfer", (backbone.stage, params, augmentation, chance))

    def finetune(self, head: Trained, recipe: Recipe, chance: Chance) -> Trained:
        """Note it."""
        return self._answer("finetune", (head.stage, recipe, chance))

    def scratch(self, network: str, recipe: Recipe, chance: Chance) -> Trained:
        """Note it."""
        return self._answer("scratch", (network, recipe, chance))

    def _answer(self, stage: str, inputs: object) -> Trained:
        self.asked.append((stage, inputs))
        figures = {"val_accuracy": 0.5, "val_loss": 1.0, "val_fitted_loss": 1.0, "seconds": 0.0}
        return Trained(stage=stage, path=stage, weights=stage, network="cnn", size=8, classes=(), **figures)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def params() -> Params:
    """The values of the demonstration, which has a source."""
    return config.load(template(config.PARAMS).parent)


def test_each_stage_starts_from_the_one_before(params: Params) -> None:
    """Backbone, head and fine-tuned network follow from one another; from scratch comes last, from nothing."""
    trainer = Noting()
    found = chain.train(trainer, params, chain.stages_of(params))
    finetune, chance = params.finetune, Chance(seed=params.project.seed)
    assert trainer.asked == [
        ("pretrain", (params.pretrain.network, chance)),
        ("transfer", ("pretrain", params.transfer, finetune.recipe.augmentation, chance)),
        ("finetune", ("transfer", finetune.recipe, chance)),
        ("scratch", (params.pretrain.network, finetune.scratch, chance)),
    ]
    assert [one.stage for one in found.all] == ["pretrain", "scratch", "transfer", "finetune"]
    assert [one.stage for one in found.classifiers] == ["scratch", "transfer", "finetune"]
    best, _ = found.choose()
    assert best.stage == "finetune", "of equals the fine-tuned one"


def test_without_a_backbone_there_is_from_scratch_alone(params: Params) -> None:
    """Neither a source nor weights to start from: one stage. Given weights alone bring the others back."""
    alone = replace(params, datasets={"target": params.datasets["target"]})
    assert chain.stages_of(alone) == ("scratch",)
    assert [one.stage for one in chain.train(Noting(), alone, chain.stages_of(alone)).all] == ["scratch"]
    given = replace(alone, pretrain=replace(alone.pretrain, init="weights.safetensors"))
    assert chain.stages_of(given) == chain.stages_of(params)


def test_boxes_are_fine_tuned_from_the_backbone_itself(params: Params) -> None:
    """No linear head answers where something lies."""
    boxed = replace(params, project=replace(params.project, task="detect"))
    trainer = Noting()
    found = chain.train(trainer, boxed, chain.stages_of(boxed))
    assert [stage for stage, _ in trainer.asked] == ["pretrain", "finetune", "scratch"]
    assert trainer.asked[1][1][0] == "pretrain"  # type: ignore[index]
    assert found.head is None


def test_only_what_is_asked_for_is_trained(params: Params) -> None:
    """The line of a head ends with it: neither fine-tuning nor from scratch."""
    trainer = Noting()
    found = chain.train(trainer, params, ("pretrain", "transfer"))
    assert [stage for stage, _ in trainer.asked] == ["pretrain", "transfer"]
    assert (found.tuned, found.plain) == (None, None)
