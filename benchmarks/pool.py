"""What the benchmarks of the monitor share: a network, photographs that it never saw, and their shifted forms.

The network is the small cnn at 32 px, trained for a minute on photographs of apple leaves in four classes; all photos
of a leaf are on one side. What it makes of the photographs of the other leaves is computed once. They are the
population: references, streams and windows are drawn from them with replacement.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from sightline.evaluate.reference import Reference
from sightline.heads.temperature import fit_temperature
from sightline.images.normalise import MEAN, STD, normalise
from sightline.images.reading import decode
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Predictor
from sightline.models.zoo import build

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

SET, SIDE = "target_plant_apple", 32
UNSEEN, CALIB = 0.6, 0.1
"""Shares of the leaves."""
EPOCHS = 30
NOISES = {"noise small": 1.0, "noise medium": 10.0, "noise large": 100.0}
"""Standard deviations of the grey levels, as Rabanser et al. (2019) have them."""
WARPS = {"image small": (10, 0.05, 0.1), "image medium": (40, 0.2, 0.2), "image large": (90, 0.4, 0.4)}
"""Degrees, shift and zoom."""


@dataclass(frozen=True)
class Pool:
    """Photographs that the network never saw."""

    clean: Reference
    forms: dict[str, Reference]
    """Each of them in shifted forms, by name."""

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
    pixels, labels, classes, points = _photographs(data)
    served = _trained(pixels, labels, classes, points)
    unseen, truth = pixels[points < UNSEEN], labels[points < UNSEEN]
    forms: dict[str, Any] = {name: partial(noisy, size=size) for name, size in NOISES.items()}
    forms |= {
        name: partial(warped, degrees=degrees, shift=shift, zoom=zoom) for name, (degrees, shift, zoom) in WARPS.items()
    }
    forms["adversarial"] = partial(_adversarial, served, labels=truth)
    for name, path in kept.items():
        found = served.outputs(unseen if name == "clean" else forms[name](unseen))
        known = {"bundle": "", "release": "", "classes": classes, "groups": np.arange(len(unseen))}
        made = Reference.of(served, found, labels=truth, **known)
        path.write_bytes(made.encode())
        print(f"{name}: {len(unseen):,} photographs, {made.right.mean():.3f} right", flush=True)


def _photographs(data: Path) -> tuple[Pixels, NDArray[np.int64], tuple[str, ...], NDArray[np.float64]]:
    """Pixels, labels and names of the classes, and a number from 0 to 1 for the leaf of each."""
    files = json.loads((data / SET / "manifest.json").read_text(encoding="utf-8"))["files"]
    classes = tuple(sorted({one["label"] for one in files}))
    images, points = [], []
    with tarfile.open(data / SET / f"{SET}.tar") as tar:
        for one in files:
            handle = tar.extractfile(f"{SET}/{one['path']}")
            if handle is None:
                raise SystemExit(f"{one['path']} is not in the tar file")
            images.append(decode(handle.read(), SIDE))
            leaf = hashlib.sha256(str(one.get("group") or one["path"]).encode()).digest()
            points.append(int.from_bytes(leaf[:8]) / 2**64)
    return np.stack(images), np.array([classes.index(one["label"]) for one in files]), classes, np.array(points)


def _trained(
    pixels: Pixels, labels: NDArray[np.int64], classes: tuple[str, ...], points: NDArray[np.float64]
) -> Predictor:
    torch.manual_seed(0)
    learned, calib = points >= UNSEEN + CALIB, (points >= UNSEEN) & (points < UNSEEN + CALIB)
    model = build("cnn", len(classes), SIDE).train()
    inputs, truth = torch.from_numpy(pixels[learned]).permute(0, 3, 1, 2), torch.from_numpy(labels[learned])
    batch, steps = 64, EPOCHS * (len(inputs) // 64)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(inputs), (batch,))
        shown = inputs[chosen].flip(3) if torch.rand(()) < 0.5 else inputs[chosen]
        loss = functional.cross_entropy(model(normalise(shown)), truth[chosen])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    logits = Predictor(Card("cnn", SIDE, classes, 1.0, ""), model).logits(pixels[calib])
    served = Predictor(Card("cnn", SIDE, classes, fit_temperature(logits, labels[calib]), ""), model)
    first, second = served.outputs(pixels[learned]), served.outputs(pixels[calib])
    served.known = fit(first.described, labels[learned], second.described, model.head.in_features)
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
