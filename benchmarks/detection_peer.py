"""A detector from scratch by another trainer's own recipe, in a given time.

    python detection_peer.py torchvision|ultralytics FOLDER SECONDS SEED ANSWERS

FOLDER holds images as Ultralytics reads them (data.yaml, a list for each split); `benchmarks/detection.py` makes it.
The clock starts at once. torchvision: SSDlite320 on MobileNetV3-Large, the detector for processors of its reference
scripts, with their values: SGD 0.15 for 192 images in proportion to the batch of 24, momentum 0.9, weight decay 4e-5,
warm-up over the first pass, cosine over the time, crops by overlap and mirroring. Ultralytics: its smallest network
with its own defaults and its own `time`, which plans by itself.
ANSWERS gets for each val image a list of edges in pixels, class and score, of at most 300 boxes.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

from sightline.models.operators import ensure

Found = tuple[int, list[list[list[float]]]]
"""Steps, and the boxes of each val image."""
STARTED = time.perf_counter()
NETWORK = "yolo26n.yaml"
BATCH, RATE, DECAY = 24, 0.15 * 24 / 192, 4e-5
MOST, LEAST = 300, 0.001
"""Boxes of an image, and the least score of one, as Ultralytics' own evaluation has them."""


def main() -> None:
    """Train within the time, then answer the val images."""
    method, given, seconds, seed, out = sys.argv[1:]
    ensure()
    folder = Path(given)
    listed = {split: (folder / f"{split}.txt").read_text().splitlines() for split in ("train", "val")}
    images = {split: [folder / line for line in lines] for split, lines in listed.items()}
    steps, answers = METHODS[method](folder, images, float(seconds), int(seed))
    took = time.perf_counter() - STARTED
    told = dict(zip((line.removeprefix("./") for line in listed["val"]), answers, strict=True))
    Path(out).write_text(json.dumps({"answers": told, "steps": steps, "seconds": took}), encoding="utf-8")


def ultralytics(folder: Path, images: dict[str, list[Path]], seconds: float, seed: int) -> Found:
    """By its own train method; the clock of the whole is kept by its option `time`, in hours."""
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_CONFIG_DIR": str(folder)}
    from ultralytics import YOLO

    model = YOLO(NETWORK)
    left = seconds - (time.perf_counter() - STARTED)
    words = {"device": "cpu", "seed": seed, "workers": 0, "project": str(folder / "yolo"), "plots": False}
    steps = []
    model.add_callback("on_train_batch_end", lambda _: steps.append(1))
    model.train(data=str(folder / "data.yaml"), time=left / 3600, **words)
    found = []
    for path in images["val"]:
        boxes = model.predict(str(path), conf=LEAST, max_det=MOST, device="cpu", verbose=False)[0].boxes
        found.append(rows(boxes.xyxy, boxes.cls, boxes.conf))
    return len(steps), found


def torchvision(_: Path, images: dict[str, list[Path]], seconds: float, seed: int) -> Found:
    """The loop of its reference scripts."""
    import torch

    torch.manual_seed(seed)
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large

    train = [loaded(path) for path in images["train"]]
    last = max(int(one[1]["labels"].max()) for one in train if len(one[1]["labels"]))
    model = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=1 + last)
    optimiser = torch.optim.SGD(model.parameters(), RATE, momentum=0.9, weight_decay=DECAY)
    began = time.perf_counter()
    left, length = STARTED + seconds - began, -(-len(train) // BATCH)
    for number, batch in enumerate(passes(train)):
        gone = (time.perf_counter() - began) / left
        if gone >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (number + 1) / length) * (1 + math.cos(math.pi * gone)) / 2
        step(model, optimiser, batch)
    model.eval()
    found = []
    with torch.no_grad():
        for path in images["val"]:
            told = model([tensor_of(path)])[0]
            found.append(rows(told["boxes"], told["labels"] - 1, told["scores"]))
    return number, found


def passes(train: list[Any]) -> Any:
    """Batches without end, each image cropped by the overlap with its boxes and mirrored by chance."""
    import torch
    from torchvision.transforms import v2

    change = v2.Compose([v2.RandomIoUCrop(), v2.RandomHorizontalFlip(), v2.SanitizeBoundingBoxes()])
    while True:
        order = torch.randperm(len(train)).tolist()
        for start in range(0, len(order), BATCH):
            yield [change(*train[row]) for row in order[start : start + BATCH]]


def step(model: Any, optimiser: Any, batch: list[Any]) -> None:
    """One step of the reference scripts."""
    import torch

    model.train()
    images = [image.to(torch.float32) / 255 for image, _ in batch]
    told = [{name: one.as_subclass(torch.Tensor) for name, one in boxes.items()} for _, boxes in batch]
    value = sum(model(images, told).values())
    optimiser.zero_grad()
    value.backward()
    optimiser.step()


def loaded(path: Path) -> tuple[Any, dict[str, Any]]:
    """An image and its boxes: classes from 1 up, for 0 is the ground."""
    import torch
    from torchvision import tv_tensors

    image = pixels(path)
    height, width = image.shape[1:]
    text = path.with_suffix(".txt").read_text()
    values = torch.tensor([[float(word) for word in line.split()] for line in text.splitlines()]).reshape(-1, 5)
    centre, half = values[:, 1:3], values[:, 3:5] / 2
    edges = torch.cat([centre - half, centre + half], 1) * torch.tensor([width, height, width, height])
    boxes = tv_tensors.BoundingBoxes(edges, format="XYXY", canvas_size=(height, width))
    return tv_tensors.Image(image), {"boxes": boxes, "labels": values[:, 0].long() + 1}


def pixels(path: Path) -> Any:
    """(3, height, width) uint8."""
    import numpy as np
    import torch
    from PIL import Image

    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def tensor_of(path: Path) -> Any:
    """(3, height, width) from 0 to 1."""
    return pixels(path).float() / 255


def rows(edges: Any, classes: Any, scores: Any) -> list[list[float]]:
    """Edges, class and score of each box."""
    told = zip(edges.tolist(), classes.tolist(), scores.tolist(), strict=True)
    return [[*four, float(number), score] for four, number, score in told]


METHODS = {"torchvision": torchvision, "ultralytics": ultralytics}


if __name__ == "__main__":
    main()
