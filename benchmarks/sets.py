"""What the accuracy benchmarks share: the sets with fixed test images, cells that are kept, and bounds of leads."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
import statistics
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hostile import make_project
from quality_planted import unpack
from scipy import stats

from sightline import config
from sightline.data import embedded
from sightline.data.ingest import ingest
from sightline.data.shards import preprocess
from sightline.digests import digest_of
from sightline.models.weights import WEIGHTS
from sightline.params import Pretrain, Transfer
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import stages
from sightline.train.result import RESULT, Trained

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SETS = {"steel": "target_steel_neu", "signs": "target_traffic_signs", "apple": "target_plant_apple"}
SOURCE = "source_tiny_imagenet"
NETWORK, PIXELS, PRETRAIN = "cnn", 64, Recipe(epochs=26, flip=True)
"""The backbone from it: about 20 minutes on two cores; after as many seconds ResNet-18 is far behind (docs/log.md)."""
DIGITS = "digits"
TEST, VAL = 0.25, 0.4
"""An image whose group's hash lies below the first is a test image, below the second a validation image."""


@dataclass(frozen=True)
class Listed:
    """An image with its role."""

    path: str
    label: str
    split: str
    group: str


class Cells:
    """Rows of results in a JSON file, so that a benchmark goes on where it was cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else {}

    def keep(self, name: str, row: dict[str, Any]) -> None:
        """Add a row."""
        self.rows[name] = row
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.rows, indent=1) + "\n", encoding="utf-8")
        scratch.replace(self.path)


def lead(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Mean of the paired differences and their one-sided lower 95 % bound by Student's t; nan with a single pair."""
    differences = [mine - other for mine, other in zip(ours, theirs, strict=True)]
    mean, count = statistics.mean(differences), len(differences)
    if count < 2:
        return mean, math.nan
    return mean, mean - float(stats.t.ppf(0.95, count - 1)) * statistics.stdev(differences) / math.sqrt(count)


def files_of(name: str, data: Path, folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Bring the images of a set below `folder`: where they lie, and their rows with `path`, `label`, maybe `group`."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == DIGITS:
        embedded.write("embedded:digits", folder / DIGITS)
        files = sorted(one for one in (folder / DIGITS).glob("*/*") if one.is_file())
        return folder / DIGITS, [{"path": f"{one.parent.name}/{one.name}", "label": one.parent.name} for one in files]
    given = unpack(data / SETS[name], folder)
    return given.folder, given.files


def listed(files: list[dict[str, Any]], salt: int, per_class: int | None = None) -> list[Listed]:
    """Roles by sha256 of salt and group; with `per_class` only so many training images of each class are listed."""
    rows, taken = [], dict.fromkeys((str(one["label"]) for one in files), 0)
    ranked = []
    for one in files:
        group = str(one.get("group") or one["path"])
        digest = hashlib.sha256(f"{salt}:{group}".encode()).digest()
        ranked.append((int.from_bytes(digest[:8]) / 2**64, str(one["path"]), str(one["label"]), group))
    for point, path, label, group in sorted(ranked):
        split = "test" if point < TEST else "val" if point < VAL else "train"
        if split == "train" and per_class is not None:
            taken[label] += 1
            if taken[label] > per_class:
                continue
        rows.append(Listed(path, label, split, group))
    return rows


def write_table(folder: Path, rows: list[Listed]) -> None:
    """The labels.csv that Sightline reads beside the images."""
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["path", "label", "split", "group"])
        writer.writerows([one.path, one.label, one.split, one.group] for one in rows)


def project(folder: Path, images: Path, size: int, roles: dict[str, float] | None = None) -> Paths:
    """A project around `images`, its target ingested and decoded to `size`; made once."""
    done = folder / "ready"
    if done.is_file():
        return Paths(folder / "project")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / "project", ignore_errors=True)
    paths = make_project(folder)
    if roles:
        config.write_value(paths.root, "datasets.target.roles", roles)
    config.write_value(paths.root, "datasets.target.images", str(images.resolve()))
    config.write_value(paths.root, "preprocess.size", size)
    paths = Paths(paths.root)
    ingest(paths, "target")
    preprocess(paths, "target")
    done.touch()
    return paths


def place(paths: Paths, name: str) -> stages.Place:
    """A folder of its own for a stage of the project."""
    folder = paths.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    return stages.Place(paths.root, folder, paths.shards("target"), lambda _: None)


def source(name: str, data: Path, work: Path, size: int) -> Paths:
    """A project around Tiny ImageNet (`source`) or printed glyphs (`glyphs`), made once in `work`."""
    folder = work / f"{name}-{size}"
    images = folder / "images"
    if not images.is_dir():
        if name == "glyphs":
            embedded.write("embedded:glyphs", images)
        else:
            unpack(data / SOURCE, folder).folder.rename(images)
    return project(folder, images, size, {"train": 0.95, "val": 0.05})


def backbone(paths: Paths, network: str, recipe: Recipe, seed: int = 0) -> Trained:
    """`network` pretrained on the images of a project, once for each recipe and seed."""
    name = f"pretrain-{network}-{digest_of([asdict(recipe), seed])[:8]}"
    result = paths.runs / name / RESULT
    if result.is_file():
        values = json.loads(result.read_text(encoding="utf-8"))
        return Trained(**{**values, "classes": tuple(values["classes"])})
    return stages.pretrain(place(paths, name), Pretrain(network=network, recipe=recipe), seed)


def weights_of(paths: Paths, trained: Trained) -> Path:
    """The file of its weights."""
    return (paths.root / trained.path / WEIGHTS).resolve()


def finetuned(
    paths: Paths, init: Path | str, network: str, recipe: Recipe, seed: int, of: str
) -> tuple[Trained, Trained]:
    """The head fitted on the backbone that `init` names, and both trained on; `of` names their folders."""
    asked = Pretrain(network=network, recipe=recipe, init=str(init))
    start = stages.adopt(place(paths, f"adopt-{of}"), asked, seed)
    head = stages.transfer(place(paths, f"transfer-{of}"), start, Transfer(), recipe.augmentation, seed)
    return head, stages.finetune(place(paths, f"finetune-{of}"), head, recipe, seed)
