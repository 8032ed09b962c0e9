"""ResNet-18 from scratch with plain binary cross-entropy, by torchvision's reference recipe or timm's, in a given time.

    python multilabel_peer.py torchvision|timm FOLDER SECONDS SEED

FOLDER holds images and a labels.jsonl with path, labels and split; `benchmarks/multilabel.py` makes it. The clock
starts at once; a few steps are timed, then as many epochs are planned as the rest of the time holds. torchvision: SGD
0.1 per 256 images, momentum 0.9, weight decay 1e-4, batches of 32, rate × 0.1 at each third. timm: SGD with Nesterov
0.1 per 256, batches of 128, cosine with 5 epochs of warm-up, weight decay 2e-5, its own binary cross-entropy with
smoothing 0.1 and colour jitter 0.4. Both: random crops of at least 0.35 of the area (smaller ones lose labels), no
mirroring, 64 pixels. The last line is a JSON object with the scores of the test images.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from multilabel import classes_of, rows_of
from PIL import Image
from torch import nn

from sightline.models.operators import ensure

if TYPE_CHECKING:
    from collections.abc import Callable

STARTED = time.perf_counter()
SIZE, TIMED = 64, 4
AREA = (0.35, 1.0)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Listed(torch.utils.data.Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The images of a split and their labels as 0 and 1."""

    def __init__(self, folder: Path, split: str, change: Callable[[Image.Image], torch.Tensor]) -> None:
        self.folder, self.rows, self.change, names = folder, rows_of(folder, split), change, classes_of(folder)
        self.labels = torch.tensor([[float(name in row["labels"]) for name in names] for row in self.rows])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        with Image.open(self.folder / self.rows[row]["path"]) as image:
            return self.change(image.convert("RGB")), self.labels[row]


def main() -> None:
    """Train within the time, then answer the test images."""
    method, given, seconds, seed = sys.argv[1:]
    ensure()
    torch.manual_seed(int(seed))
    from torchvision import models, transforms

    folder, timm = Path(given), method == "timm"
    ready = [transforms.PILToTensor(), transforms.ConvertImageDtype(torch.float), transforms.Normalize(MEAN, STD)]
    jitter = [transforms.ColorJitter(0.4, 0.4, 0.4)] if timm else []
    crop = transforms.RandomResizedCrop(SIZE, scale=AREA)
    train = Listed(folder, "train", transforms.Compose([crop, *jitter, *ready]))
    test = Listed(folder, "test", transforms.Compose([transforms.Resize((SIZE, SIZE)), *ready]))
    batch = min(128 if timm else 32, len(train))
    workers: dict[str, Any] = {"num_workers": 2, "persistent_workers": True}
    batches = torch.utils.data.DataLoader(train, batch, shuffle=True, **workers)
    classes = len(classes_of(folder))
    loss: nn.Module = nn.BCEWithLogitsLoss()
    if timm:
        from timm import create_model
        from timm.loss import BinaryCrossEntropy

        model, loss = create_model("resnet18", num_classes=classes), BinaryCrossEntropy(smoothing=0.1)
    else:
        model = models.resnet18(num_classes=classes)
    rate, decay = 0.1 * batch / 256, 2e-5 if timm else 1e-4
    optimiser = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=decay, nesterov=timm)
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    end, marks = STARTED + float(seconds), [time.perf_counter()]
    for images, targets in batches:
        step(model, loss, optimiser, images, targets)
        marks.append(time.perf_counter())
        if len(marks) > TIMED + 1 or marks[-1] > end:
            break
    counted = marks[1:] if len(marks) > 2 else marks  # the first step is slower
    each = (counted[-1] - counted[0]) / (len(counted) - 1)
    model.load_state_dict(fresh)
    optimiser.state.clear()
    epochs = max(1, int((end - time.perf_counter()) / (each * len(batches))))
    learn(model, loss, optimiser, batches, schedule(optimiser, epochs, timm=timm), epochs, end)
    took = time.perf_counter() - STARTED
    model.eval()
    with torch.no_grad():
        parts = [model(images) for images, _ in torch.utils.data.DataLoader(test, 64)]
    print(json.dumps({"scores": torch.cat(parts).tolist(), "seconds": took, "epochs": epochs}))


def schedule(optimiser: torch.optim.Optimizer, epochs: int, *, timm: bool) -> torch.optim.lr_scheduler.LRScheduler:
    """A cosine behind a warm-up no longer than a third of a short run, or a tenth of the rate after each third."""
    if not timm:
        return torch.optim.lr_scheduler.StepLR(optimiser, max(1, epochs // 3), gamma=0.1)
    warm = min(5, epochs // 3)
    parts: list[torch.optim.lr_scheduler.LRScheduler] = [
        torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, epochs - warm))
    ]
    if not warm:
        return parts[0]
    parts.insert(0, torch.optim.lr_scheduler.LinearLR(optimiser, 1e-4, total_iters=warm))
    return torch.optim.lr_scheduler.SequentialLR(optimiser, parts, [warm])


def learn(
    model: nn.Module,
    loss: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Any,
    steps: torch.optim.lr_scheduler.LRScheduler,
    epochs: int,
    end: float,
) -> None:
    """The planned epochs, cut at the end of the time."""
    for _ in range(epochs):
        for images, targets in batches:
            if time.perf_counter() > end:
                return
            step(model, loss, optimiser, images, targets)
        steps.step()


def step(
    model: nn.Module, loss: nn.Module, optimiser: torch.optim.Optimizer, images: torch.Tensor, targets: torch.Tensor
) -> None:
    """One step as both scripts make it."""
    model.train()
    value = loss(model(images), targets)
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


if __name__ == "__main__":
    main()
