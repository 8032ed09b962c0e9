"""Answers at locations: who answers for which box, what that costs, and what is made of it; beside torchvision's."""

from __future__ import annotations

import pytest
import torch

from sightline.heads import fcos
from sightline.heads.nms import nms, suppress, suppress_in_classes
from sightline.heads.targets import CLASS, CROWD, DIFFICULT, KIND, OBJECT, packed
from sightline.models.operators import ensure

SIZE, CLASSES = 256, 3
CPU = torch.device("cpu")


def boxes_of(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 180
    return torch.cat([low, low + 4 + torch.rand(count, 2, generator=generator) * 70], dim=1)


def targets_of(*rows: tuple[float, ...]) -> torch.Tensor:
    return torch.from_numpy(packed([torch.tensor(rows).double().view(-1, 6).numpy()]))


def ideal(targets: torch.Tensor) -> torch.Tensor:
    """Raw answers that are sure and right wherever a location answers for a box."""
    where = fcos.places(SIZE, CPU)
    raw = torch.zeros(len(targets), len(where), CLASSES + fcos.REST)
    raw[..., :CLASSES], raw[..., -3:], raw[..., -4] = -12.0, where, -12.0
    for number, rows in enumerate(targets):
        objects = rows[(rows[:, CLASS] >= 0) & (rows[:, KIND] == OBJECT)]
        answers, _ = fcos.assign(where, objects[:, :CLASS])
        places = (answers >= 0).nonzero().squeeze(1)
        mine = objects[answers[places]]
        raw[number, places, mine[:, CLASS].long()] = 12.0
        raw[number, places, CLASSES : CLASSES + 4] = mine[:, :CLASS]
        raw[number, places, -4] = torch.logit(fcos.centredness_of(where[places, :2], mine[:, :CLASS]), eps=1e-6)
    return raw


def by_rule(boxes: torch.Tensor, scores: torch.Tensor, least: float) -> list[int]:
    """Suppression as it is told: the best stays, and whatever overlaps it too much goes."""
    left, kept = sorted(range(len(boxes)), key=lambda place: -float(scores[place])), []
    while left:
        best = left.pop(0)
        kept.append(best)
        left = [one for one in left if float(overlap(boxes[best], boxes[one])) <= least]
    return kept


def overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    shared = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0).prod()
    return shared / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared)


@pytest.mark.parametrize("least", [0.0, 0.3, 0.6])
def test_suppression_is_that_of_the_rule(least: float) -> None:
    """Box by box, best first."""
    boxes, scores = boxes_of(80), torch.rand(80, generator=torch.Generator().manual_seed(1))
    assert nms(boxes, scores, least).tolist() == by_rule(boxes, scores, least)
    assert nms(boxes[:0], scores[:0], least).tolist() == []
    order = scores.argsort(descending=True)
    assert order[suppress(boxes[order], least, 3)].tolist() == by_rule(boxes, scores, least)[:3]


def test_suppression_is_that_of_the_compiled_operator() -> None:
    """Where torchvision's own operator loads both keep the same boxes."""
    if not ensure():
        pytest.skip("torchvision's compiled operators do not load beside this torch")
    from torchvision.ops import batched_nms
    from torchvision.ops import nms as compiled

    boxes, scores = boxes_of(400), torch.rand(400, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(400) % 3
    for least in (0.2, 0.5, 0.7):
        assert torch.equal(nms(boxes, scores, least), compiled(boxes, scores, least))
        order = scores.argsort(descending=True)
        kept = order[suppress_in_classes(boxes[order], labels[order], least)]
        assert torch.equal(kept, batched_nms(boxes, scores, labels, least))


def test_classes_do_not_suppress_one_another() -> None:
    """Two boxes at one place stay where their classes differ."""
    boxes = boxes_of(1).expand(3, 4)
    assert suppress_in_classes(boxes, torch.tensor([1, 1, 0]), 0.5).tolist() == [0, 2]
    assert len(suppress_in_classes(boxes[:0], torch.tensor([]), 0.5)) == 0
    # Nor does what has no area suppress anything.
    flat = torch.tensor([[5.0, 5, 5, 9], [7, 7, 7, 9], [5, 5, 5, 9]])
    assert suppress_in_classes(flat, torch.tensor([0, 1, 0]), 0.5).tolist() == [0, 1, 2]


def test_losses_are_those_of_torchvision() -> None:
    """Focal and GIoU loss, with their gradients, equal torchvision's."""
    ensure()
    from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(50, CLASSES, generator=generator).double().requires_grad_()
    wanted = (torch.rand(50, CLASSES, generator=generator) < 0.2).double()
    ours, theirs = fcos.focal_loss(logits, wanted), sigmoid_focal_loss(logits, wanted)
    assert torch.allclose(ours, theirs)
    boxes, others = boxes_of(50, 3).double().requires_grad_(), boxes_of(50, 4).double()
    mine, its = fcos.giou_loss(boxes, others), generalized_box_iou_loss(boxes, others)
    assert torch.allclose(mine, its, atol=1e-6)
    for one, other, value in ((ours, theirs, logits), (mine, its, boxes)):
        first, second = (torch.autograd.grad(loss.sum(), value)[0] for loss in (one, other))
        assert torch.allclose(first, second, atol=1e-6)


def test_who_answers_for_a_box() -> None:
    """Locations near its middle, on the map of its size; the smaller of two boxes; no box is too small or too large."""
    where = fcos.places(SIZE, CPU)
    boxes = torch.tensor([[40.0, 40, 80, 80], [44, 44, 60, 60], [101, 101, 103, 102], [2, 2, 254, 254]])
    answers, inside = fcos.assign(where, boxes)
    for number, stride in ((0, 8), (1, 8), (2, 8), (3, 32)):
        mine = where[answers == number]
        assert len(mine) > 0
        assert mine[:, 2].unique().tolist() == [stride]
        middle = (boxes[number, :2] + boxes[number, 2:]) / 2
        assert ((mine[:, :2] - middle).abs() <= 1.5 * stride).all()
        assert inside[answers == number, number].all() or number == 2
    at = (where[:, :2] == torch.tensor([52.0, 52.0])).all(1) & (where[:, 2] == 8)
    assert answers[at].tolist() == [1]
    none, inside = fcos.assign(where, boxes[:0])
    assert (none == -1).all()
    assert inside.shape == (len(where), 0)


def test_right_answers_cost_nearly_nothing_and_come_back() -> None:
    """What answers rightly is cheap, decodes to the very boxes, and dearer when its class or box is wrong."""
    targets = targets_of((10, 10, 60, 50, 0, OBJECT), (100, 90, 220, 200, 2, OBJECT), (30, 150, 50, 170, 1, OBJECT))
    raw = ideal(targets)
    right = float(fcos.loss_of(raw, targets, None))
    answers = fcos.suppressed(fcos.candidates(raw, SIZE))[0]
    found = answers[answers[:, CLASS] >= 0]
    assert found.shape == (3, 6)
    for row in targets[0]:
        (same,) = found[found[:, CLASS] == row[CLASS]]
        assert same[:CLASS].tolist() == pytest.approx(row[:CLASS].tolist())
        assert same[5] > 0.5
    assert (answers[3:, 5] == 0).all()
    moved, mistaken = raw.clone(), raw.clone()
    moved[..., CLASSES : CLASSES + 4] += 6
    mistaken[..., :CLASSES] = raw[..., :CLASSES].roll(1, dims=-1)
    assert float(fcos.loss_of(moved, targets, None)) > right + 0.1
    assert float(fcos.loss_of(mistaken, targets, None)) > right + 1
    weighed = fcos.loss_of(mistaken, targets, torch.tensor([5.0, 5.0, 5.0]))
    assert float(weighed) > float(fcos.loss_of(mistaken, targets, None)) + 1


@pytest.mark.parametrize("kind", [DIFFICULT, CROWD])
def test_what_need_not_be_found_costs_nothing(kind: int) -> None:
    """An answer inside a crowd or a difficult object is no mistake, elsewhere it is one."""
    objects, region = (10, 10, 60, 50, 0, OBJECT), (100, 100, 200, 200, 1, kind)
    raw = ideal(targets_of(objects))
    sure = ideal(targets_of((110, 110, 180, 180, 1, OBJECT)))
    found = sure[..., 1] > 0
    raw[found] = sure[found]
    with_region = fcos.loss_of(raw, targets_of(objects, region), None)
    assert float(with_region) == pytest.approx(
        float(fcos.loss_of(ideal(targets_of(objects)), targets_of(objects), None)), abs=1e-3
    )
    assert float(fcos.loss_of(raw, targets_of(objects), None)) > float(with_region) + 1


def test_an_object_inside_a_crowd_is_learned() -> None:
    """Where a location answers for an object, it is asked for its class, whatever else is around."""
    targets = targets_of((110, 110, 180, 180, 1, OBJECT), (90, 90, 210, 210, 0, CROWD))
    raw = ideal(targets)
    mistaken = raw.clone()
    mistaken[..., :CLASSES] = raw[..., :CLASSES].roll(1, dims=-1)
    assert float(fcos.loss_of(mistaken, targets, None)) > float(fcos.loss_of(raw, targets, None)) + 1


def test_a_batch_in_parts_costs_what_it_costs_whole() -> None:
    """The losses of parts, each with what it counts, add up to the loss of the batch; images without boxes too."""
    targets = torch.cat(
        [
            torch.cat([targets_of((10, 10, 60, 50, 0, OBJECT)), targets_of((0, 0, 0, 0, -1, OBJECT))], dim=1),
            targets_of((0, 0, 0, 0, -1, OBJECT), (0, 0, 0, 0, -1, OBJECT)),
            targets_of((100, 90, 220, 200, 2, OBJECT), (30, 150, 50, 170, 1, OBJECT)),
            targets_of((0, 0, 80, 90, 2, OBJECT), (30, 150, 60, 170, 0, OBJECT)),
        ]
    )
    raw = ideal(targets) + torch.randn(4, 1, 1, generator=torch.Generator().manual_seed(0))
    raw[..., -3:] = fcos.places(SIZE, CPU)
    whole, parts = fcos.counts(targets), targets.split([1, 1, 2])
    added = sum(
        fcos.loss_of(some, mine, None) * fcos.counts(mine) / whole
        for some, mine in zip(raw.split([1, 1, 2]), parts, strict=True)
    )
    assert float(added) == pytest.approx(float(fcos.loss_of(raw, targets, None)), rel=1e-5)
    assert float(fcos.loss_of(raw[1:2], targets[1:2], None)) > 0
