"""Faster R-CNN: what it looks at in maps, what it learns from, and that its bundle answers the same everywhere."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from boxed import CLASSES, draw
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.heads import boxed
from sightline.heads.detect import Detect
from sightline.heads.labels import DETECT
from sightline.heads.targets import CLASS, CROWD, DIFFICULT, OBJECT, packed
from sightline.images.reading import png
from sightline.models import networks, zoo
from sightline.models.backend import quicken
from sightline.models.bundle import Card
from sightline.models.detector import build
from sightline.models.graph import Heads, traced
from sightline.models.operators import ensure
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.regions import FasterRCNN, _told
from sightline.models.roi_align import roi_align
from sightline.models.weights import WEIGHTS, save_weights
from sightline.registry.backbones import check

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

SIZE, NETWORK = 64, "fasterrcnn:cnn"


def detector(network: str = NETWORK, classes: int = 2) -> FasterRCNN:
    torch.manual_seed(0)
    model = build(network, classes, SIZE)
    assert isinstance(model, FasterRCNN)
    return model


def targets_of(*images: list[tuple[float, ...]]) -> Tensor:
    return torch.from_numpy(packed([np.array(rows, dtype=np.float64).reshape(-1, 6) for rows in images]))


def regions_of(count: int, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    low = torch.rand(count, 2, generator=generator) * size * 0.8
    high = torch.minimum(low + 0.1 + torch.rand(count, 2, generator=generator) * size, torch.tensor(float(size)))
    images = torch.randint(0, 3, (count, 1), generator=generator).float()
    # An image without any is one of four.
    return torch.cat([images, low, high], dim=1)


def aligned_by_torchvision(maps: Tensor, regions: Tensor, sides: tuple[int, int], scale: float, times: int) -> Tensor:
    """Its compiled operator where that loads, else the plain one, which computes each place by four look-ups."""
    compiled = ensure()
    module = sys.modules["torchvision.ops.roi_align"]
    if compiled:
        return torch.ops.torchvision.roi_align(maps, regions, scale, *sides, times, False)  # type: ignore[no-any-return]
    found: Tensor = module._roi_align.__wrapped__(maps, regions, scale, *sides, times, False)
    return found


@pytest.mark.parametrize("sides", [(7, 7), (2, 3)])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (5, 9), (1, 1)])
def test_what_regions_show_is_what_torchvision_sees(sides: tuple[int, int], height: int, width: int) -> None:
    """Values and gradients, also of regions at the edges, narrow ones, and images without any."""
    maps = torch.randn(4, 5, height, width, generator=torch.Generator().manual_seed(0)).double().requires_grad_()
    regions = regions_of(40, 8 * min(height, width)).double()
    ours, theirs = (one(maps, regions, sides, 1 / 8, 2) for one in (roi_align, aligned_by_torchvision))
    assert torch.allclose(ours, theirs)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2)).double()
    mine, its = (torch.autograd.grad((one * weight).sum(), maps)[0] for one in (ours, theirs))
    assert torch.allclose(mine, its)
    assert roi_align(maps, regions[:0], sides).shape == (0, 5, *sides)


@pytest.mark.parametrize("network", ["cnn", "resnet18", "mobilenet_v3_small"])
def test_costs_in_training_and_boxes_else(network: str) -> None:
    """On every backbone: what each class and the rest cost, and a hundred rows of answers at most."""
    model = detector(f"fasterrcnn:{network}", 3)
    images = torch.randn(2, 3, SIZE, SIZE)
    costs = model(images, targets_of([(8, 8, 40, 30, 2, OBJECT)], []))
    assert costs.shape == (4,)
    assert costs[:2].tolist() == [0, 0]
    assert float(costs[2]) > 0
    assert float(costs[3]) > 0
    costs.sum().backward()
    assert all(one.grad is not None for name, one in model.named_parameters() if not name.startswith("backbone"))
    answers = model.eval()(images)
    assert answers.shape == (2, boxed.MOST, 6)
    there = answers[answers[..., CLASS] >= 0]
    assert len(there) > 0
    assert there[:, :CLASS].min() >= 0
    assert there[:, :CLASS].max() <= SIZE
    assert set(there[:, CLASS].tolist()) <= {0, 1, 2}


def test_classes_weigh_what_they_are_told() -> None:
    """The costs of a class are multiplied by its weight, those of the rest by none."""
    costs = torch.tensor([1.0, 2.0, 4.0])
    assert float(Detect().loss(costs, targets_of([]), None, 0.0)) == 7
    assert float(Detect().loss(costs, targets_of([]), torch.tensor([3.0, 0.5]), 0.0)) == 8


@pytest.mark.parametrize("kind", [DIFFICULT, CROWD])
def test_what_need_not_be_found_is_no_example(kind: int) -> None:
    """In a crowd or a difficult object neither anchors nor regions are examples of nothing; objects stay examples."""
    model = detector()
    rows: list[tuple[float, ...]] = [(8, 8, 28, 28, 0, OBJECT), (30, 30, 60, 60, 1, kind)]
    seen: list[Tensor] = []
    model.proposals.fg_bg_sampler = _Watched(model.proposals.fg_bg_sampler, seen)
    model.regions.fg_bg_sampler = _Watched(model.regions.fg_bg_sampler, seen)
    images = torch.randn(1, 3, SIZE, SIZE)
    model(images, targets_of(rows))
    anchors, _ = seen
    generator = model.proposals.anchor_generator
    (boxes,) = generator(_listed(images), list(model.maps(model.seen(images))))
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    within = ((middle >= 30) & (middle <= 60)).all(1)
    assert (anchors[within] != 0).all()
    assert (anchors[~within] == 0).any()
    assert (anchors == 1).any()
    told = model.regions.select_training_samples
    proposed = torch.tensor([[40.0, 40, 50, 50], [0, 40, 10, 60], [9, 9, 28, 28]])

    (kept,), _, (labels,), _ = told([proposed], [_told(targets_of(rows)[0])])
    assert [40, 40, 50, 50] not in kept.tolist()
    assert sorted(labels.tolist()) == [0, 1, 1]


class _Watched:
    """A sampler that keeps the labels it chose among."""

    def __init__(self, sampler: nn.Module, seen: list[Tensor]) -> None:
        self.sampler, self.seen = sampler, seen

    def __call__(self, labels: list[Tensor]) -> object:
        self.seen.append(labels[0].clone())
        return self.sampler(labels)


def _listed(images: Tensor) -> object:
    from torchvision.models.detection.image_list import ImageList

    return ImageList(images, [(SIZE, SIZE)] * len(images))


def test_nothing_anywhere_and_boxes_without_width() -> None:
    """Images without objects, and an object narrower than a pixel, cost a number."""
    model, images = detector(), torch.randn(2, 3, SIZE, SIZE)
    for targets in (targets_of([], []), targets_of([(5, 5, 5, 9, 1, OBJECT)], [(0, 0, 64, 64, 0, CROWD)])):
        costs = model(images, targets)
        assert costs.isfinite().all()


def test_few_images_at_a_time_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images are answered a few together, for the memory's sake; that changes no answer."""
    model, images = detector().eval(), torch.randn(3, 3, SIZE, SIZE)
    whole = model(images)
    monkeypatch.setattr("sightline.models.pyramid.PIXELS", 2 * SIZE**2)
    assert torch.allclose(model(images), whole, atol=1e-4)


def test_its_backbone_is_that_of_the_name(tmp_path: Path) -> None:
    """Weights of a classifier begin it, and where classes are learned the name is that of a classifier."""
    classifier = networks.build("classify", "fasterrcnn:resnet18", 5, SIZE)
    assert isinstance(classifier, zoo.Classifier)
    save_weights(classifier, tmp_path)
    model = detector("fasterrcnn:resnet18")
    zoo.load_init(model, str(tmp_path / WEIGHTS), "fasterrcnn:resnet18")
    for name, value in classifier.backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value)
    with pytest.raises(ModelError, match="did you mean"):
        zoo.check("fasterrcnn:resnet19", None)


def test_it_finds_boxes_alone(toy: Paths) -> None:
    """Where each image has one class, the remedy is named."""
    params = toy.params
    with pytest.raises(ModelError, match=r"set pretrain\.network to resnet18"):
        check(toy, replace(params, pretrain=replace(params.pretrain, network="fasterrcnn:resnet18")))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A detector with random weights that shows some boxes."""
    model = detector().eval()
    decoding = {"shifts": (0.3, -0.2), "thresholds": (0.1, 0.1), "images": 9}
    card = Card(
        NETWORK, SIZE, CLASSES, 1.5, save_weights(model, tmp_path), task=DETECT, decoding=decoding, fit="letterbox"
    )
    write_bundle(tmp_path / "bundle", card, tmp_path / WEIGHTS, [png(draw(seed)[0]) for seed in range(4)])
    return tmp_path / "bundle"


def test_a_bundle_answers_the_same_when_it_is_loaded(bundle: Path) -> None:
    """The same boxes, bit for bit."""
    files = [png(draw(seed)[0]) for seed in range(8)]
    one, other = (Predictor.load(bundle).predict(files) for _ in range(2))
    assert one == other
    assert sum(len(answer.boxes or ()) for answer in one) > 0
    own = Predictor(Predictor.load(bundle).card, detector())
    assert own.predict(files) == one


@pytest.mark.slow
def test_no_graph_is_told_and_torch_answers(bundle: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Proposals suppress one another inside of it: export says so, and whatever serves goes on in torch."""
    with pytest.raises(ModelError, match=r"suppress one another.*`sightline serve` answers with it"):
        traced(Heads(detector()), NETWORK, SIZE)
    predictor = Predictor.load(bundle)
    assert not quicken(predictor, bundle)
    assert "suppress one another" in caplog.text
    assert len(predictor.predict([png(draw(1)[0])])) == 1
