"""What the benchmarks of the monitor share: a network, photographs that it never saw, and their shifted forms.

The network is the small cnn at 32 px, trained for a minute on photographs of Tiny ImageNet in ten classes (the 200
of the set, twenty after one another in the order of WordNet). What it makes of the other photographs is computed once.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from sightline.evaluate.reference import Reference
from sightline.images.normalise import MEAN, STD, normalise
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Outputs, Predictor
from sightline.models.zoo import build

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SET, SIDE, CLASSES = "source_tiny_imagenet", 32, 10
TRAIN, CALIB = 10_000, 500
SHIFTED = 4000
"""Photographs of which each shifted form is made."""
EPOCHS = 3
NOISES = {"noise small": 1.0, "noise medium": 10.0, "noise large": 100.0}
"""Standard deviations of the grey levels, as Rabanser et al. (2019) have them."""
WARPS = {"image small": (10, 0.05, 0.1), "image medium": (40, 0.2, 0.2), "image large": (90, 0.4, 0.4)}
"""Degrees, shift and zoom."""


@dataclass(frozen=True)
class Pool:
    """Photographs that the network never saw."""

    clean: Reference
    """All of them."""
    forms: dict[str, Reference]
    """Shifted forms of the first of them, by name."""

    def rows(self, places: NDArray[np.int64], form: str | None = None) -> Reference:
        """Some of them, as they are or shifted."""
        return rows(self.clean if form is None else self.forms[form], places)


def rows(images: Reference, places: NDArray[np.int64]) -> Reference:
    """Some of the images, each by itself."""
    names = ("labels", "probabilities", "features", "statistics", "energy", "foreign")
    parts: dict[str, Any] = {name: getattr(images, name)[places] for name in names}
    return replace(images, **parts, groups=np.arange(len(places)))


def joined(one: Reference, other: Reference) -> Reference:
    """Both behind one another."""
    names = ("labels", "probabilities", "features", "statistics", "energy", "foreign")
    parts: dict[str, Any] = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in names}
    return replace(one, **parts, groups=np.arange(len(parts["labels"])))


def pool(data: Path, work: Path) -> Pool:
    """The pool, made once in `work`."""
    work.mkdir(parents=True, exist_ok=True)
    kept = {name: work / f"{name}.npz" for name in ("clean", *NOISES, *WARPS, "adversarial")}
    if not all(path.is_file() for path in kept.values()):
        _make(data, kept)
    read = {name: Reference.decode(path.read_bytes()) for name, path in kept.items()}
    return Pool(read.pop("clean"), read)


def _make(data: Path, kept: dict[str, Path]) -> None:
    pixels, labels = _photographs(data)
    order = np.random.default_rng(0).permutation(len(pixels))
    pixels, labels = pixels[order], labels[order]
    served = _trained(pixels[: TRAIN + CALIB], labels[: TRAIN + CALIB])
    unseen, truth = pixels[TRAIN + CALIB :], labels[TRAIN + CALIB :]
    forms: dict[str, Any] = {name: partial(noisy, size=size) for name, size in NOISES.items()}
    forms |= {
        name: partial(warped, degrees=degrees, shift=shift, zoom=zoom) for name, (degrees, shift, zoom) in WARPS.items()
    }
    forms["adversarial"] = partial(_adversarial, served, labels=truth[:SHIFTED])
    for name, path in kept.items():
        shown = unseen if name == "clean" else forms[name](unseen[:SHIFTED])
        found = served.outputs(shown)
        known = {"bundle": "", "release": "", "classes": served.card.classes, "groups": np.arange(len(shown))}
        made = Reference.of(served, Outputs(*found), labels=truth[: len(shown)], **known)
        path.write_bytes(made.encode())
        print(f"{name}: {len(shown):,} photographs, {made.right.mean():.3f} right", flush=True)


def _photographs(data: Path) -> tuple[Pixels, NDArray[np.int64]]:
    images, names = [], []
    with tarfile.open(data / SET / f"{SET}.tar") as tar:
        for member in tar:
            if member.name.endswith(".JPEG") and (handle := tar.extractfile(member)):
                with Image.open(io.BytesIO(handle.read())) as image:
                    images.append(np.asarray(image.convert("RGB").resize((SIDE, SIDE))))
                names.append(member.name.split("/")[-2])
    known = sorted(set(names))
    per_class = len(known) // CLASSES
    return np.stack(images), np.array([known.index(name) // per_class for name in names], dtype=np.int64)


def _trained(pixels: Pixels, labels: NDArray[np.int64]) -> Predictor:
    torch.manual_seed(0)
    model = build("cnn", CLASSES, SIDE).train()
    batch, steps = 64, EPOCHS * (TRAIN // 64)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps)
    inputs, truth = torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels)
    for _ in range(steps):
        chosen = torch.randint(TRAIN, (batch,))
        shown = inputs[chosen].flip(3) if torch.rand(()) < 0.5 else inputs[chosen]
        loss = functional.cross_entropy(model(normalise(shown)), truth[chosen])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    card = Card("cnn", SIDE, tuple(f"part {number}" for number in range(CLASSES)), 1.0, "")
    served = Predictor(card, model)
    learned, calib = served.outputs(pixels[:2000]), served.outputs(pixels[TRAIN:])
    served.known = fit(learned.described, labels[:2000], calib.described, model.head.in_features)
    return served


def noisy(pixels: Pixels, size: float) -> Pixels:
    """With normal noise of that standard deviation."""
    rng = np.random.default_rng(1)
    noise = rng.normal(0, size, pixels.shape).astype(np.float32)
    found: Pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return found


def warped(pixels: Pixels, degrees: float, shift: float, zoom: float) -> Pixels:
    """Turned, moved and zoomed by up to so much, each by itself; the edge goes on outside."""
    rng, count = np.random.default_rng(2), len(pixels)
    angle, size = np.radians(rng.uniform(-degrees, degrees, count)), rng.uniform(1 - zoom, 1 + zoom, count)
    cos, sin, (down, right) = np.cos(angle) * size, np.sin(angle) * size, rng.uniform(-2 * shift, 2 * shift, (2, count))
    matrix = np.stack([np.stack([cos, -sin, right], axis=1), np.stack([sin, cos, down], axis=1)], axis=1)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    grid = functional.affine_grid(torch.from_numpy(matrix).float(), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return moved.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def _adversarial(served: Predictor, pixels: Pixels, *, labels: NDArray[np.int64]) -> Pixels:
    """One step of the sign of the gradient (Goodfellow et al. 2015), 4 grey levels wide."""
    found, mean, std = [], *(torch.tensor(one).view(3, 1, 1) * 255 for one in (MEAN, STD))
    for start in range(0, len(pixels), 256):
        shown = torch.from_numpy(pixels[start : start + 256]).permute(0, 3, 1, 2).float().requires_grad_()
        loss = functional.cross_entropy(
            served.model((shown - mean) / std), torch.from_numpy(labels[start : start + 256])
        )
        (slope,) = torch.autograd.grad(loss, shown)
        stepped = (shown + 4 * slope.sign()).detach().round().clamp(0, 255).byte()
        found.append(stepped.permute(0, 2, 3, 1).numpy())
    return np.concatenate(found)
