"""The linear head on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from sightline.images.normalise import normalise
from sightline.recipe import Recipe
from sightline.train import probe
from sightline.train.probe import COPIES, SEEN, copies, fit_head, frozen_features

if TYPE_CHECKING:
    from pathlib import Path


def clusters(per_class: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat_interleave(per_class)
    centres = torch.tensor([[0.0, 0.0], [30.0, 0.0], [0.0, 900.0]])
    return centres[labels] + torch.randn(len(labels), 2, generator=generator) * torch.tensor([3.0, 90.0]), labels


def test_head_separates_clusters_of_unequal_scale() -> None:
    """The folded standardisation gives the right answers on the features as they are."""
    features, labels = clusters()
    head = nn.Linear(2, 3)
    penalty, accuracy = fit_head(head, features[None], labels, [1e-3, 1e-1, 10.0], seed=0)
    assert (head(features).argmax(1) == labels).float().mean() > 0.95
    assert accuracy > 0.9
    assert penalty < 10.0


def test_head_takes_one_image_per_class() -> None:
    """With one image a class nothing can be held out: the middle penalty is taken and the head still fits."""
    features, labels = torch.eye(3) * 5, torch.arange(3)
    head = nn.Linear(3, 3)
    penalty, _ = fit_head(head, features[None], labels, [1e-3, 1e-1, 10.0], seed=0)
    assert penalty == 1e-1
    assert (head(features).argmax(1) == labels).all()


def test_indistinguishable_penalties_give_the_strictest() -> None:
    """Where the folds cannot tell penalties apart the largest is taken; one that is clearly too large is not."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat_interleave(6)
    features = torch.eye(3)[labels] * 3 + torch.randn(18, 3, generator=generator)
    penalty, _ = fit_head(nn.Linear(3, 3), features[None], labels, [1e-3, 2e-3, 4e-3, 1e6], seed=0)
    assert penalty == 4e-3


def test_nearly_dead_feature_gets_no_huge_weight() -> None:
    """A feature of a millionth of the others' spread is not blown up to theirs."""
    features, labels = clusters()
    dead = torch.cat([features, 1e-6 * labels[:, None] + 1.0], 1)
    head = nn.Linear(3, 3)
    fit_head(head, dead[None], labels, [1e-2], seed=0)
    assert head.weight[:, 2].abs().max() < 1.0


def test_features_are_computed_once(tmp_path: Path) -> None:
    """The second call reads the cache and does not touch the backbone."""
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    backbone = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    first = frozen_features(backbone, pixels, Recipe(epochs=1), 0, tmp_path / "f.safetensors")
    assert first.shape == (1 + COPIES, 2, 3)
    again = frozen_features(nn.Identity(), pixels, Recipe(epochs=1), 0, tmp_path / "f.safetensors")
    assert torch.equal(first, again)


def test_damaged_features_are_made_anew(tmp_path: Path) -> None:
    """A flipped byte, a cut and another cache's file under this name are noticed, and give the same features again."""
    pixels = torch.arange(2 * 64 * 3, dtype=torch.uint8).view(2, 3, 8, 8)
    file, other = tmp_path / "f.safetensors", tmp_path / "g.safetensors"

    def features(pixels: torch.Tensor, file: Path) -> torch.Tensor:
        return frozen_features(nn.Flatten(), pixels, Recipe(epochs=1), 0, file)

    first, _ = features(pixels, file), features(255 - pixels, other)
    whole, told = file.read_bytes(), (tmp_path / "f.safetensors.json").read_bytes()
    for damage in (whole[:-3] + bytes([whole[-3] ^ 64]) + whole[-2:], whole[:-3], b"", other.read_bytes()):
        file.write_bytes(damage)
        assert torch.equal(features(pixels, file), first)
        assert file.read_bytes() == whole
    theirs = (tmp_path / "g.safetensors.json").read_bytes()
    for damage in (told[:20], told.replace(b"f.safe", b"g.safe"), theirs):
        (tmp_path / "f.safetensors.json").write_bytes(damage)
        assert torch.equal(features(pixels, file), first)


def test_few_images_are_seen_changed(tmp_path: Path) -> None:
    """Each image once as it is, then changed as by the recipe, another way each time; many images only as they are."""
    pixels = torch.arange(2 * 64 * 3, dtype=torch.uint8).view(2, 8, 8, 3).permute(0, 3, 1, 2)
    seen = frozen_features(nn.Flatten(), pixels, Recipe(epochs=1, flip=True), 0, tmp_path / "f.safetensors")
    assert torch.allclose(seen[0], normalise(pixels).flatten(1), atol=0.1)
    assert len(seen[:, 0].unique(dim=0)) > COPIES // 2
    assert copies(SEEN + 1) == 0


def test_looks_are_what_changes_images() -> None:
    """Another rate gives the same augmentation, another augmentation others; the side stays that of serving."""
    plain = Recipe(epochs=5, learning_rate=0.3, clip=1.0, size=96).augmentation
    assert plain == Recipe(epochs=1).augmentation
    assert plain.size == 0
    assert all(
        plain != Recipe(epochs=1, **change).augmentation
        for change in ({"flip": False}, {"rotate": 10.0}, {"crop": 0.2})
    )


def test_copies_of_an_image_are_held_out_together() -> None:
    """Labels that nothing tells stay unknown to cross-validation, however often an image is seen."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 200, generator=generator).expand(5, 40, 200)
    labels = torch.randperm(40, generator=generator) % 2
    _, accuracy = fit_head(nn.Linear(200, 2), features, labels, [1e-3, 1e-1], seed=0)
    assert accuracy < 0.75


def test_images_of_a_group_are_held_out_together() -> None:
    """Labels drawn by object stay unknown to cross-validation, though each object is seen in ten images."""
    generator = torch.Generator().manual_seed(0)
    objects = torch.arange(400) % 40
    features = torch.randn(40, 200, generator=generator)[objects] + 0.1 * torch.randn(400, 200, generator=generator)
    labels = (torch.randperm(40, generator=generator) % 2)[objects]
    _, accuracy = fit_head(nn.Linear(200, 2), features[None], labels, [1e-3, 1e-1], 0, objects)
    assert accuracy < 0.7
    _, leaked = fit_head(nn.Linear(200, 2), features[None], labels, [1e-3, 1e-1], 0)
    assert leaked == 1.0


def test_groups_of_one_image_change_nothing() -> None:
    """Folds, penalty, accuracy and weights are those of images that nobody grouped, whatever their numbers."""
    features, labels = clusters(7)
    numbers = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1)) - 9
    plain, grouped = nn.Linear(2, 3), nn.Linear(2, 3)
    found = fit_head(plain, features[None], labels, [1e-3, 1e-1, 10.0], 0)
    assert fit_head(grouped, features[None], labels, [1e-3, 1e-1, 10.0], 0, numbers) == found
    assert torch.equal(plain.weight, grouped.weight)


def test_class_of_one_group_leaves_nothing_to_hold_out() -> None:
    """Where all images of a class show one object the middle penalty is taken, as with one image a class."""
    features, labels = clusters()
    groups = torch.where(labels == 2, 99, torch.arange(len(labels)))
    penalty, accuracy = fit_head(nn.Linear(2, 3), features[None], labels, [1e-3, 1e-1, 10.0], 0, groups)
    assert penalty == 1e-1
    assert accuracy != accuracy  # noqa: PLR0124 — nan


def test_groups_of_several_classes_are_spread_by_the_rarest() -> None:
    """Objects that are seen as common and as rare ones are in every fold, so that no fold lacks the rare class."""
    labels, groups = torch.tensor([0, 1] * 5 + [0] * 60), torch.tensor([0, 0, 1, 1, 2, 2, 3, 3, 4, 4, *range(5, 65)])
    folds = probe._folds(labels, probe._sets(groups), 5, 0)
    assert sorted(folds[labels == 1].tolist()) == [0, 1, 2, 3, 4]
    assert torch.equal(folds[0:10:2], folds[1:10:2])
