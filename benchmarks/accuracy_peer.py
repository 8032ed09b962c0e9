"""ResNet-18 from scratch with timm, or by torchvision's reference recipe, in a given time.

    python accuracy_peer.py timm|torchvision FOLDER SECONDS SIZE FLIP

FOLDER has train/CLASS and test/CLASS. The clock starts at once. A few steps are timed, then as many epochs are planned
as the rest of the time holds, so that the schedule ends; a run that turns out slower is cut at its time. FLIP = 0 turns
mirroring off, for images where left and right mean something. The last line is a JSON object.

timm: dataset, loader with its augmentation, optimiser and scheduler come from the package; values are the defaults of
its train.py (SGD with Nesterov, 0.1 per 256 images, batches of 128, cosine with 5 epochs of warm-up, label smoothing
0.1, colour jitter 0.4, weight decay 2e-5). torchvision: the defaults of its classification reference (SGD 0.1 per 256
images, momentum 0.9, weight decay 1e-4, batches of 32, rate × 0.1 at each third of the run, random resized crops and
flips), resized to the same share of the crop for the test.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sightline.models.operators import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STARTED = time.perf_counter()
WARMUP = 5
TIMED = 4
"""Steps that the plan is made from, after the first."""
TIMM_BATCH, TORCHVISION_BATCH = 128, 32
BASE_RATE, BASE_BATCH = 0.1, 256
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet."""


class Peer:
    """One way to train: its batches, network, loss, optimiser, and what it does after each epoch."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    loss: nn.Module
    train: Iterable[Any]
    test: Iterable[Any]
    at_epoch: Callable[[int], None]

    def plan(self, epochs: int) -> None:
        """Make the schedule for so many epochs."""
        raise NotImplementedError


class Timm(Peer):
    """timm's parts with the defaults of its script."""

    def __init__(self, folder: Path, size: int, *, flip: bool) -> None:
        from timm import create_model
        from timm.data import create_dataset, create_loader
        from timm.loss import LabelSmoothingCrossEntropy
        from timm.optim import create_optimizer_v2

        # Named, because a class without test images would else shift the numbers of those behind it.
        numbers = {name: number for number, name in enumerate(sorted(one.name for one in (folder / "train").iterdir()))}
        sets = {
            side: create_dataset("", root=str(folder / side), is_training=side == "train", class_map=numbers)
            for side in SIDES
        }
        batch = min(TIMM_BATCH, len(sets["train"]))
        shared: dict[str, Any] = {
            "input_size": (3, size, size),
            "batch_size": batch,
            "mean": MEAN,
            "std": STD,
            "num_workers": 2,
            "device": torch.device("cpu"),
            "persistent_workers": True,
        }
        self.train = create_loader(
            sets["train"],
            is_training=True,
            scale=(0.08, 1.0),
            ratio=(3 / 4, 4 / 3),
            hflip=0.5 if flip else 0.0,
            color_jitter=0.4,
            interpolation="random",
            **shared,
        )
        self.test = create_loader(sets["test"], is_training=False, crop_pct=0.875, interpolation="bilinear", **shared)
        self.model = create_model("resnet18", pretrained=False, num_classes=len(numbers))
        rate = BASE_RATE * batch / BASE_BATCH
        self.optimiser = create_optimizer_v2(self.model, opt="sgd", lr=rate, weight_decay=2e-5, momentum=0.9)
        self.loss = LabelSmoothingCrossEntropy(smoothing=0.1)

    def plan(self, epochs: int) -> None:
        """The cosine of timm, its warm-up no longer than a third of a short run."""
        from timm.scheduler import create_scheduler_v2

        scheduler, _ = create_scheduler_v2(
            self.optimiser,
            sched="cosine",
            num_epochs=epochs,
            warmup_epochs=min(WARMUP, epochs // 3),
            warmup_lr=1e-5,
            min_lr=0.0,
        )
        self.at_epoch = scheduler.step


class Torchvision(Peer):
    """torchvision's reference recipe with the values of its page."""

    def __init__(self, folder: Path, size: int, *, flip: bool) -> None:
        from torchvision import datasets, models, transforms

        ready = [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float), transforms.Normalize(MEAN, STD)]
        mirror = [transforms.RandomHorizontalFlip()] if flip else []
        change = transforms.Compose([transforms.RandomResizedCrop(size), *mirror, *ready])
        # 224 of 256, as there.
        keep = transforms.Compose([transforms.Resize(size * 8 // 7), transforms.CenterCrop(size), *ready])
        train = datasets.ImageFolder(str(folder / "train"), change, allow_empty=True)
        test = datasets.ImageFolder(str(folder / "test"), keep, allow_empty=True)
        workers: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}
        self.train = torch.utils.data.DataLoader(train, TORCHVISION_BATCH, shuffle=True, **workers)
        self.test = torch.utils.data.DataLoader(test, TORCHVISION_BATCH, **workers)
        self.model = models.resnet18(num_classes=len(train.classes))
        rate = BASE_RATE * TORCHVISION_BATCH / BASE_BATCH
        self.optimiser = torch.optim.SGD(self.model.parameters(), rate, momentum=0.9, weight_decay=1e-4)
        self.loss = nn.CrossEntropyLoss()

    def plan(self, epochs: int) -> None:
        """A tenth of the rate after each third: 30 of 90 epochs there."""
        steps = torch.optim.lr_scheduler.StepLR(self.optimiser, max(1, epochs // 3), gamma=0.1)
        self.at_epoch = lambda _: steps.step()


SIDES = ("train", "test")


def main() -> None:
    """Train within the time, then judge."""
    method, folder, seconds, size, flip = sys.argv[1:]
    # A torchvision whose operators were built for another torch still trains.
    ensure()
    torch.manual_seed(0)
    peer = {"timm": Timm, "torchvision": Torchvision}[method](Path(folder), int(size), flip=flip == "1")
    epochs, steps = run(peer, STARTED + float(seconds))
    took = time.perf_counter() - STARTED
    right, count = judge(peer)
    print(json.dumps({"accuracy": right / count, "seconds": took, "test": count, "epochs": epochs, "steps": steps}))


def run(peer: Peer, end: float) -> tuple[int, int]:
    """Time a few steps, plan, train: the planned epochs and the steps made."""
    peer.model.train()
    fresh = copy.deepcopy((peer.model.state_dict(), peer.optimiser.state_dict()))
    marks = [time.perf_counter()]
    for images, targets in peer.train:
        step(peer, images, targets)
        marks.append(time.perf_counter())
        if len(marks) > TIMED + 1 or marks[-1] > end:
            break
    counted = marks[1:] if len(marks) > 2 else marks
    each = (counted[-1] - counted[0]) / (len(counted) - 1)
    # What was learned while the clock was read is forgotten.
    peer.model.load_state_dict(fresh[0])
    peer.optimiser.load_state_dict(fresh[1])
    epochs = max(1, int((end - time.perf_counter()) / (each * len(peer.train))))  # type: ignore[arg-type]
    peer.plan(epochs)
    number = 0
    for epoch in range(epochs):
        for images, targets in peer.train:
            if time.perf_counter() > end:
                return epochs, number
            step(peer, images, targets)
            number += 1
        peer.at_epoch(epoch + 1)
    return epochs, number


def step(peer: Peer, images: torch.Tensor, targets: torch.Tensor) -> None:
    """One step as both scripts make it."""
    loss = peer.loss(peer.model(images), targets)
    peer.optimiser.zero_grad()
    loss.backward()
    peer.optimiser.step()


@torch.no_grad()
def judge(peer: Peer) -> tuple[int, int]:
    """Right answers and images."""
    peer.model.eval()
    right = count = 0
    for images, targets in peer.test:
        right += int((peer.model(images).argmax(1) == targets).sum())
        count += len(targets)
    return right, count


if __name__ == "__main__":
    main()
