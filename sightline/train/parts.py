"""The parts that a batch is learned in: one image alone is too few where batch normalisation sees one pixel of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import ConfigError
from sightline.models.beginning import BATCH_NORM
from sightline.models.zoo import try_out
from sightline.train import chain
from sightline.train.schedule import plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import Tensor, nn

    from sightline.data.reference import DataRef
    from sightline.models.networks import Network
    from sightline.params import Params
    from sightline.recipe import Recipe


def check_ahead(params: Params, datasets: Iterable[DataRef]) -> None:
    """Raise ConfigError, before anything is trained, where a stage of the run would have such parts."""
    from sightline.models.networks import build

    known, network = {data.use: data for data in datasets}, params.pretrain.network
    for stage, recipe in chain.recipes_of(params).items():
        data = known.get("source" if stage == chain.PRETRAIN else "target")
        if stage not in chain.stages_of(params) or data is None:
            continue
        images, size = dict(data.counts).get("train", 0), recipe.size or data.size
        if images and _is_alone(recipe, images):
            model = build(data.task, network, len(data.classes), data.size)
            check(model, network, size, recipe, stage, images)


def check(model: Network, network: str, size: int, recipe: Recipe, stage: str, images: int) -> None:
    """Raise ConfigError where parts of one image, of `images` of `size` pixels, cannot be learned from in a `stage`."""
    if not _is_alone(recipe, images) or not _sees_one_pixel(model, network, size, recipe):
        return
    raise ConfigError(
        f"{stage}: of {images} training images with batch_size = {recipe.batch_size} and accumulate = "
        f"{recipe.accumulate} a part of a batch is one image, and at {size} px {network} normalises a single pixel of "
        "it, which has no spread: raise batch_size or lower accumulate"
    )


def _is_alone(recipe: Recipe, images: int) -> bool:
    """Whether a part of a batch is one image, and is normalised by what stands in it."""
    batch = plan(recipe, images).batch
    part = -(-batch // recipe.accumulate)
    return not recipe.freeze_statistics and (part == 1 or batch % part == 1)


def _sees_one_pixel(model: Network, network: str, size: int, recipe: Recipe) -> bool:
    """Whether batch normalisation that learns sees one value of an image in each of its channels."""
    frozen = set(model.get_submodule("backbone").modules()) if recipe.freeze_backbone else set()
    seen: list[bool] = []

    def see(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].shape[2:].numel() == 1)

    parts = [part for part in model.modules() if isinstance(part, BATCH_NORM) and part not in frozen]
    hooks = [part.register_forward_pre_hook(see) for part in parts]
    try:
        try_out(model, network, size, f"set preprocess.size, or size in the recipe, higher than {size}")
    finally:
        for hook in hooks:
            hook.remove()
    return any(seen)
