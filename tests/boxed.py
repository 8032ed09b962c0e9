"""Toys with boxes: red and green squares on noise, none or two of them an image, as COCO or YOLO."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from sightline.heads.labels import DETECT
from sightline.heads.matching import SCORE
from sightline.images.reading import png
from sightline.models import detector
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = ("green", "red")
SIDES = (80, 64)
"""Of an image, one way round or the other."""


class Square(NamedTuple):
    """What is painted."""

    name: str
    left: int
    top: int
    right: int
    bottom: int


def draw(seed: int) -> tuple[NDArray[np.uint8], list[Square]]:
    """Pixels of an image, and what it shows; every seed gives another one, each eighth without a square."""
    rng = np.random.default_rng(seed)
    width, height = SIDES if seed % 2 else SIDES[::-1]
    pixels = rng.integers(0, 60, (height, width, 3)).astype(np.uint8)
    squares = []
    for place in range(2 if seed % 8 else 0):
        side = int(rng.integers(14, 26))
        left = int(rng.integers(0, width // 2 - 12)) + place * width // 2
        top = int(rng.integers(0, height - side))
        name = CLASSES[int(rng.integers(0, 2))]
        square = Square(name, left, top, min(width, left + side), top + side)
        pixels[square.top : square.bottom, square.left : square.right, int(name == "green")] = 230
        squares.append(square)
    return pixels, squares


def make_coco(folder: Path, count: int, first: int = 0) -> Path:
    """Images, and a COCO JSON beside them."""
    folder.mkdir(parents=True)
    told: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    told["categories"] = [{"id": number + 1, "name": name} for number, name in enumerate(CLASSES)]
    for seed in range(first, first + count):
        pixels, squares = draw(seed)
        name = f"{seed:05d}.png"
        Image.fromarray(pixels).save(folder / name)
        told["images"].append({"id": seed, "file_name": name, "width": pixels.shape[1], "height": pixels.shape[0]})
        for one in squares:
            sides = [one.right - one.left, one.bottom - one.top]
            told["annotations"].append(
                {
                    "id": len(told["annotations"]) + 1,
                    "image_id": seed,
                    "category_id": CLASSES.index(one.name) + 1,
                    "bbox": [one.left, one.top, *sides],
                    "area": sides[0] * sides[1],
                    "iscrowd": 0,
                }
            )
    (folder / "coco.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def make_yolo(folder: Path, count: int, first: int = 0) -> Path:
    """The same as YOLO's text: images/ and labels/, with a data.yaml."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "data.yaml").write_text(f"path: .\ntrain: images\nnames: {list(CLASSES)}\n", encoding="utf-8")
    for seed in range(first, first + count):
        pixels, squares = draw(seed)
        height, width, _ = pixels.shape
        Image.fromarray(pixels).save(folder / "images" / f"{seed:05d}.png")
        lines = [
            f"{CLASSES.index(one.name)} {(one.left + one.right) / 2 / width:.6f} "
            f"{(one.top + one.bottom) / 2 / height:.6f} {(one.right - one.left) / width:.6f} "
            f"{(one.bottom - one.top) / height:.6f}\n"
            for one in squares
        ]
        (folder / "labels" / f"{seed:05d}.txt").write_text("".join(lines), encoding="utf-8")
    return folder


SIZE = 64


def write(home: Path) -> Path:
    """A detector with random weights whose scores are spread, and which abstains and knows foreign images."""
    torch.manual_seed(0)
    model = detector.build("cnn", len(CLASSES), SIZE).eval()
    assert isinstance(model, detector.Detector)
    with torch.no_grad():
        model.classes.weight.mul_(60)
        model.edges.weight.mul_(30)
    decoding = {"shifts": (0.3, -0.2), "thresholds": (0.5, 0.5), "images": 9}
    known = {"task": DETECT, "decoding": decoding, "fit": "letterbox"}
    card = Card("cnn", SIZE, CLASSES, 1.5, save_weights(model, home), 0.9, **known)  # type: ignore[arg-type]
    files = [png(draw(seed)[0]) for seed in range(60)]
    predictor = Predictor(card, model)
    found = predictor.outputs(np.stack([predictor.decode(data) for data in files]))
    rows = predictor.task.probabilities(found.logits, card)
    # About three boxes of an image are shown.
    least = float(np.quantile(np.sort(rows[..., SCORE], axis=1)[:, -4], 0.5))
    card = replace(card, decoding=decoding | {"thresholds": (least, least + 1e-3)})
    sure = float(np.median([predictor.task.decided(row, card)[1] for row in rows]))
    foreign = fit(found.described[:30], np.arange(30) % 2, found.described[30:], model.width)
    write_bundle(home / "bundle", replace(card, abstain_below=sure + 1e-4), home / WEIGHTS, files[:8], known=foreign)
    return home / "bundle"
