"""The faults that `benchmarks/quality.py` plants in a copy of a set: copies, near copies, blank and damaged files."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SHARES = {"exact": 0.03, "near": 0.03, "blank": 0.02, "damaged": 0.02}
Found = dict[str, set[Any]]
"""Kind of fault → the pairs (exact, near) or the paths (blank, damaged) that somebody says have it."""


@dataclass(frozen=True)
class Given:
    """A set, unpacked."""

    folder: Path
    files: list[dict[str, Any]]


def unpack(place: Path, scratch: Path) -> Given:
    """Bring a set into `scratch`."""
    with tarfile.open(place / f"{place.name}.tar") as tar:
        tar.extractall(scratch, filter="data")
    return Given(scratch / place.name, json.loads((place / "manifest.json").read_text(encoding="utf-8"))["files"])


def plant(given: Given, images: Path) -> tuple[Found, frozenset[str]]:
    """Copy the set and plant faults in the copy; what is true of them, and the files that were added or spoiled."""
    shutil.copytree(given.folder, images, ignore=shutil.ignore_patterns("*.json"))
    files = [Path(one["path"]) for one in given.files]
    rng = np.random.default_rng(0)
    counts = [round(share * len(files)) for share in SHARES.values()]
    chosen = np.split(rng.permutation(len(files))[: sum(counts)], np.cumsum(counts)[:-1])
    truth: Found = {kind: set() for kind in SHARES}
    added: set[str] = set()
    for kind, rows in zip(SHARES, chosen, strict=True):
        for number in rows.tolist():
            origin = files[number]
            place = origin.with_name(f"{kind} {origin.name}")
            data = FAULTS[kind](given.folder / origin, rng)
            place = place if data[:2] != b"\xff\xd8" else place.with_suffix(".jpg")
            (images / place).write_bytes(data)
            added.add(str(place))
            pair = frozenset({str(origin), str(place)})
            truth[kind].add(pair if kind in {"exact", "near"} else str(place))
    return truth, frozenset(added)


def near_copy(path: Path, rng: np.random.Generator) -> bytes:
    """Resize, compress or crop, each as likely."""
    image, quality = Image.open(path).convert("RGB"), 95
    match rng.integers(3):
        case 0:
            factor = rng.uniform(0.5, 1)
            image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
        case 1:
            quality = int(rng.integers(50, 96))
        case _:
            left, top, right, bottom = rng.uniform(0, 0.1, 4)
            box = (left * image.width, top * image.height, (1 - right) * image.width, (1 - bottom) * image.height)
            image = image.crop(tuple(round(edge) for edge in box))
    return jpeg(image, quality)


def blank(path: Path, rng: np.random.Generator) -> bytes:
    """One grey level, with the noise of a camera."""
    width, height = Image.open(path).size
    pixels = rng.integers(8, 248) + rng.normal(0, 0.7, (height, width))
    return jpeg(Image.fromarray(pixels.round().astype(np.uint8)), 90)


def damaged(path: Path, rng: np.random.Generator) -> bytes:
    """A transfer that broke off."""
    data = path.read_bytes()
    return data[: int(len(data) * rng.uniform(0.2, 0.8))]


def jpeg(image: Image.Image, quality: int) -> bytes:
    """Encode."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


FAULTS = {"exact": lambda path, _: path.read_bytes(), "near": near_copy, "blank": blank, "damaged": damaged}
