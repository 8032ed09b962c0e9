"""The training stages: pretrain, transfer (a linear head on frozen features), fine-tune and from scratch."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import torch

from sightline.data.loader import Images, load
from sightline.digests import digest_of
from sightline.errors import DataError
from sightline.heads.known import of
from sightline.models.device import repeatable
from sightline.models.weights import save_weights
from sightline.train import distributed, parts
from sightline.train.chain import FINETUNE, PRETRAIN, SCRATCH, TRANSFER
from sightline.train.checkpoint import Checkpoint, Epoch
from sightline.train.inference import scored
from sightline.train.loop import Progress, quiet, train
from sightline.train.machine import machine
from sightline.train.probe import fit_head, frozen_features
from sightline.train.result import CHECKPOINT, Trained, finish

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.models.networks import Network
    from sightline.params import Pretrain, Transfer
    from sightline.recipe import Chance, Recipe


@dataclass(frozen=True)
class Place:
    """Where a stage works: the project, a folder of its own in it, the images, and who is told of its progress."""

    root: Path
    folder: Path
    shards: Path
    on_epoch: Callable[[Epoch], None]
    on_progress: Callable[[Progress], None] = quiet
    workers: int = 1
    """Processes that train together."""
    deterministic: bool = False
    """Whether the same run gives the same weights on a GPU too."""
    code: str = ""
    """Digest of the code of the stage: what is kept between runs counts for the same code alone."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A stage at its work: the network that it trains, and the images that it sees."""

    place: Place
    stage: str
    network: str
    model: Network
    images: Images
    val: Images
    started: float = field(default_factory=time.perf_counter)
    """On the clock of `time.perf_counter`."""

    @property
    def size(self) -> int:
        """Side of the images, pixels."""
        return int(self.images.pixels.shape[2])


@dataclass(frozen=True)
class InProcess:
    """The stages of `sightline.train.chain` in this process, one after the other and without a cache."""

    place: Callable[[str, str], Place]
    """Stage, and source or target → where it works."""
    has_source: bool

    def pretrain(self, params: Pretrain, chance: Chance) -> Trained:
        """The backbone, from the source or from the given weights."""
        use = "source" if self.has_source else "target"
        return backbone(self.place(PRETRAIN, use), use, params, chance.seed)

    def transfer(self, backbone: Trained, params: Transfer, augmentation: Recipe, chance: Chance) -> Trained:
        """A linear head on the frozen backbone."""
        return transfer(self.place(TRANSFER, "target"), backbone, params, augmentation, chance.seed)

    def finetune(self, head: Trained, recipe: Recipe, chance: Chance) -> Trained:
        """Backbone and head together."""
        return finetune(self.place(FINETUNE, "target"), head, recipe, chance.seed)

    def scratch(self, network: str, recipe: Recipe, chance: Chance) -> Trained:
        """The network from random weights."""
        return scratch(self.place(SCRATCH, "target"), network, recipe, chance.seed)


def backbone(place: Place, use: str, params: Pretrain, seed: int) -> Trained:
    """The backbone: trained where the images are those of the source, else the given weights as they are."""
    return (pretrain if use == "source" else adopt)(place, params, seed)


def pretrain(place: Place, params: Pretrain, seed: int) -> Trained:
    """Train the backbone on the source."""
    from sightline.models.zoo import load_init

    work = _fresh(place, PRETRAIN, params.network, seed)
    if params.init:
        load_init(work.model, params.init, params.network)
    return _run(work, params.recipe, seed)


def adopt(place: Place, params: Pretrain, seed: int) -> Trained:
    """The backbone of `pretrain.init` as it is, where there is no source to train on."""
    from sightline.models.zoo import load_init

    work = _fresh(place, PRETRAIN, params.network, seed)
    assert params.init is not None  # noqa: S101 — the flow asks for this only then
    load_init(work.model, params.init, params.network)
    return _save(work, is_scored=False)


def scratch(place: Place, network: str, recipe: Recipe, seed: int) -> Trained:
    """Train `network` on the target from random weights: what the backbone is compared with."""
    return _run(_fresh(place, SCRATCH, network, seed), recipe, seed)


def transfer(place: Place, backbone: Trained, params: Transfer, augmentation: Recipe, seed: int) -> Trained:
    """Fit a linear head on the frozen features of `backbone`; they are computed once and kept.

    Few images are seen changed as by `augmentation`, too: as fine-tuning will see them.
    """
    from sightline.models.zoo import Classifier

    work = _fresh(place, TRANSFER, backbone.network, seed)
    model, images = work.model, work.images
    assert isinstance(model, Classifier)  # noqa: S101 — `chain` asks this of no detector
    model.backbone.load_state_dict(backbone.load(place.root).backbone.state_dict())
    key = digest_of([backbone.weights, images.digest, work.size, asdict(augmentation), seed, place.code])
    cache = place.root / "runs" / "features" / f"{key[:16]}.safetensors"
    with repeatable(place.deterministic):
        features = frozen_features(model.backbone, images.pixels, augmentation, seed, cache)
        penalty, chosen_by = fit_head(
            model.head, features, images.labels, params.penalties, seed, images.groups, of(images.task)
        )
    notes = (("penalty", penalty), ("cross_validated_accuracy", chosen_by), ("backbone", backbone.weights))
    return _save(work, notes=notes)


def finetune(place: Place, head: Trained, recipe: Recipe, seed: int) -> Trained:
    """Train backbone and head together from the fitted head: LP-FT (Kumar et al. 2022).

    Where `head` is the backbone itself, what answers begins at random: a detector has no head to be fitted before.
    """
    if head.stage == PRETRAIN:
        from sightline.models.beginning import begin_from

        work = _fresh(place, FINETUNE, head.network, seed)
        begin_from(work.model.backbone, head.load(place.root).backbone.state_dict(), work.size)
        return _run(work, recipe, seed, notes=(("backbone", head.weights),))
    images, val = _open(place)
    model = head.load(place.root)
    work = Work(place=place, stage=FINETUNE, network=head.network, model=model, images=images, val=val)
    return _run(work, recipe, seed, notes=(("head", head.weights),))


def _open(place: Place) -> tuple[Images, Images]:
    images, val = load(place.shards, "train"), load(place.shards, "val")
    if not len(images):
        raise DataError(f"{place.shards} holds no training images; look at the quarantine list of its data set")
    return images, val


def _fresh(place: Place, stage: str, network: str, seed: int) -> Work:
    """The work of a stage that begins with random weights."""
    from sightline.models.networks import build

    images, val = _open(place)
    torch.manual_seed(seed)
    model = build(images.task, network, len(images.classes), int(images.pixels.shape[2]))
    of(images.task).begin(model, images.labels)
    return Work(place=place, stage=stage, network=network, model=model, images=images, val=val)


def _run(work: Work, recipe: Recipe, seed: int, notes: tuple[tuple[str, object], ...] = ()) -> Trained:
    place, model = work.place, work.model
    parts.check(model, work.network, recipe.size or work.size, recipe, work.stage, len(work.images))
    if recipe.size:
        from sightline.models.zoo import try_out

        try_out(model, work.network, recipe.size, f"change `size` in the recipe of {work.stage}, or leave it out")
    if place.workers > 1 or distributed.has_other_nodes():
        threads = distributed.threads_each(place.workers)
        job = distributed.Job(
            shards=str(place.shards.resolve()),
            network=work.network,
            recipe=recipe,
            seed=seed,
            threads=threads,
            deterministic=place.deterministic,
        )
        history = distributed.train(model, place.folder, place.workers, job, place.on_epoch, place.on_progress)
    else:
        checkpoint = Checkpoint(place.folder / CHECKPOINT)
        with repeatable(place.deterministic):
            history = train(model, work.images, work.val, recipe, seed, checkpoint, place.on_epoch, place.on_progress)
    return _save(work, history=tuple(asdict(epoch) for epoch in history), notes=notes)


def _save(
    work: Work,
    *,
    is_scored: bool = True,
    history: tuple[dict[str, float], ...] = (),
    notes: tuple[tuple[str, object], ...] = (),
) -> Trained:
    """What the stage leaves behind; not `is_scored` where its weights answer for other classes than these images."""
    loss, accuracy, fitted = scored(work.model, work.val) if is_scored else (0.0, 0.0, 0.0)
    place = work.place
    trained = Trained(
        stage=work.stage,
        path=place.folder.relative_to(place.root).as_posix(),
        weights=save_weights(work.model, place.folder),
        network=work.network,
        size=work.size,
        classes=work.images.classes,
        task=work.images.task,
        val_loss=loss,
        val_accuracy=accuracy,
        val_fitted_loss=fitted,
        seconds=time.perf_counter() - work.started,
        history=history,
        notes=(("machine", machine() | {"workers": str(place.workers)}), *notes),
    )
    return finish(trained, place.root)
