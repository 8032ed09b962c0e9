"""The training stages in their order: pretrain → transfer → fine-tune, from scratch beside it, then the choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.recipe import Chance

if TYPE_CHECKING:
    from collections.abc import Container

    from sightline.params import Params, Pretrain, Transfer
    from sightline.recipe import Recipe
    from sightline.train.result import Trained

PRETRAIN, TRANSFER, FINETUNE, SCRATCH = "pretrain", "transfer", "finetune", "scratch"
FROM_BACKBONE = (PRETRAIN, TRANSFER, FINETUNE)


class Trainer(Protocol):
    """Whoever carries the stages out: the tasks of a flow, or this process."""

    def pretrain(self, params: Pretrain, chance: Chance) -> Trained:
        """The backbone, from the source or from the given weights."""
        ...

    def transfer(self, backbone: Trained, params: Transfer, augmentation: Recipe, chance: Chance) -> Trained:
        """A linear head on the frozen backbone."""
        ...

    def finetune(self, head: Trained, recipe: Recipe, chance: Chance) -> Trained:
        """Backbone and head together."""
        ...

    def scratch(self, network: str, recipe: Recipe, chance: Chance) -> Trained:
        """The network from random weights."""
        ...


@dataclass(frozen=True)
class Candidates:
    """What the stages left behind; None for those that were not asked for."""

    backbone: Trained | None
    head: Trained | None
    tuned: Trained | None
    plain: Trained | None

    @property
    def classifiers(self) -> tuple[Trained, ...]:
        """Those that answer for the target."""
        return tuple(one for one in (self.plain, self.head, self.tuned) if one is not None)

    @property
    def all(self) -> tuple[Trained, ...]:
        """The backbone too, first."""
        return (self.backbone, *self.classifiers) if self.backbone is not None else self.classifiers

    @property
    def from_backbone(self) -> tuple[Trained | None, ...]:
        """Backbone, head and fine-tuned network: each was made from the one before it."""
        return self.backbone, self.head, self.tuned

    @property
    def start(self) -> Trained | None:
        """What fine-tuning begins with: the head, else the backbone."""
        return self.head or self.backbone

    def choose(self) -> tuple[Trained, str]:
        """The best classifier, as `choose` says; of equals the fine-tuned one comes before the head."""
        return choose(self.tuned, self.head, self.plain)


def recipes_of(params: Params) -> dict[str, Recipe]:
    """The recipe of each stage that has one."""
    return {PRETRAIN: params.pretrain.recipe, FINETUNE: params.finetune.recipe, SCRATCH: params.finetune.scratch}


def stages_of(params: Params) -> tuple[str, ...]:
    """The stages of a run: only from scratch where there is neither a source nor given weights."""
    has_backbone = "source" in params.datasets or params.pretrain.init is not None
    if not has_backbone:
        return (SCRATCH,)
    # Boxes are answered by what learns with the backbone: no head can be fitted on frozen features alone.
    located = of(params.task_of("target")).is_located
    return (*(one for one in FROM_BACKBONE if not (located and one == TRANSFER)), SCRATCH)


def learned(params: Params, stage: str) -> str:
    """The task of a stage's network, as far as its speed goes by it: one label or several cost the same."""
    task = params.task_of("source" if stage == PRETRAIN and "source" in params.datasets else "target")
    return task if of(task).is_located else CLASSIFY


def train(trainer: Trainer, params: Params, stages: Container[str]) -> Candidates:
    """Carry out those of the `stages` in their order; fine-tuning begins with the head, else with the backbone."""
    chance = Chance(seed=params.project.seed, deterministic=params.project.deterministic)
    finetune = params.finetune
    backbone = head = tuned = plain = None
    if PRETRAIN in stages:
        backbone = trainer.pretrain(params.pretrain, chance)
    if backbone is not None and TRANSFER in stages:
        head = trainer.transfer(backbone, params.transfer, finetune.recipe.augmentation, chance)
    start = head if TRANSFER in stages else backbone
    if start is not None and FINETUNE in stages:
        tuned = trainer.finetune(start, finetune.recipe, chance)
    if SCRATCH in stages:
        plain = trainer.scratch(params.pretrain.network, finetune.scratch, chance)
    return Candidates(backbone, head, tuned, plain)


def choose(*candidates: Trained | None) -> tuple[Trained, str]:
    """The candidate that does best on the validation images, and a sentence that says so.

    Of those that are right equally often it is the one of the lowest log loss, each at the temperature that fits it.
    """
    there = [candidate for candidate in candidates if candidate is not None]
    best = max(there, key=lambda one: (one.val_accuracy, -one.val_fitted_loss))
    others = ", ".join(f"{one.stage} {one.val_accuracy:.3f}" for one in there if one is not best)
    reason = f"{best.stage} is best on the validation images: {best.val_accuracy:.3f}"
    if sum(one.val_accuracy == best.val_accuracy for one in there) > 1:
        reason += ", and the lower log loss"
    return best, f"{reason} (beside {others})" if others else f"{best.stage} is the only candidate"
