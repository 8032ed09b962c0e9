"""What is found of errors that were planted among boxes, on drawn shapes.

    python benchmarks/quality_boxes.py [--steps 500] [--seeds 1] [--peer PYTHON] [--quick]

Of every hundred objects five lose their box, five have another class, five a box that is moved by 30 … 50 % of its
sides both ways, and five boxes stand around nothing. A detector learns from one half of the images with these errors,
as production does, is calibrated on a quarter, and is asked about the half that it did not learn from (`asked`) and
about the other one (`learned`). `--peer`: python of an environment with cleanlab, whose ObjectLab is asked about the
same answers. --quick: few images and steps, too few for the marks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from detection import RECIPE, fresh, told
from PIL import Image, ImageDraw

from sightline.data.labels.box_errors import find_box_errors
from sightline.data.loader import Images
from sightline.evaluate.boxes import fit
from sightline.evaluate.confidence import Wanted
from sightline.heads.boxed import calibrated
from sightline.heads.labels import DETECT
from sightline.heads.located import Box, text_of
from sightline.heads.targets import CLASS, OBJECT, packed
from sightline.images.boxes import iou
from sightline.train.checkpoint import Checkpoint
from sightline.train.inference import predict
from sightline.train.loop import train

if TYPE_CHECKING:
    from sightline.images.boxes import Floats

    Planted = tuple[Floats, dict[str, list[Floats]]]
    """The boxes of an image with errors, and what was done to the true ones."""

SHAPES = ("disc", "square", "triangle")
SIZE = 64
"""Side of the squares, pixels."""
COUNT = 600
EACH = 0.05
"""Share of the objects with an error of each kind."""
MOVED = (0.3, 0.5)
"""Share of its sides by which a box is moved."""
KINDS = ("missing", "class", "place", "nothing")
MARKS = {"recall": 0.5, "precision": 0.9}
"""Of shapes that were not learned from, each kind."""


def main() -> None:
    """Plant, learn, ask, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few images and steps, one seed")
    parser.add_argument("--steps", type=int, default=500, help="of the training")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peer", help="python of an environment with cleanlab")
    given = parser.parse_args()
    images = shapes(240 if given.quick else COUNT)
    figures: dict[str, Any] = {}
    for seed in range(1 if given.quick else given.seeds):
        figures[f"shapes_{seed}"] = one(images, seed, 120 if given.quick else given.steps, given.peer)
        print(f"seed {seed}: {json.dumps(figures[f'shapes_{seed}'])}", flush=True)
    print(
        json.dumps(
            {"name": "quality_boxes", "figures": figures, "marks": MARKS, "met": None if given.quick else met(figures)}
        )
    )


def met(figures: dict[str, Any]) -> bool:
    """Whether the shapes keep the marks."""
    rows = [found["asked"][kind] for found in figures.values() for kind in KINDS]
    return all(row[mark] >= least for row in rows for mark, least in MARKS.items() if row[mark] is not None)


def shapes(count: int) -> Images:
    """Discs, squares and triangles, one to five an image, on noise with lines across."""
    rng = np.random.default_rng(0)
    pixels, boxes = zip(*(drawn(rng) for _ in range(count)), strict=True)
    shown = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
    return Images(shown, torch.from_numpy(packed(boxes)), SHAPES, task=DETECT)


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, Floats]:
    """Pixels (64, 64, 3), and the boxes (k, 6) of what is on them."""
    ground = rng.integers(0, 256, 3)
    noise = np.clip(ground + rng.normal(0, 20, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    image = Image.fromarray(noise)
    pen = ImageDraw.Draw(image)
    for _ in range(2):
        pen.line(rng.integers(0, SIZE, 4).tolist(), fill=tuple(rng.integers(0, 256, 3).tolist()))
    boxes: list[tuple[float, ...]] = []
    for _ in range(rng.integers(1, 6)):
        side, kind = int(rng.integers(10, 24)), int(rng.integers(0, 3))
        left, top = rng.integers(0, SIZE - side, 2).tolist()
        box = (left, top, left + side, top + side, kind, OBJECT)
        if boxes and iou(np.array([box[:4]], dtype=float), np.array(boxes, dtype=float)[:, :4]).any():
            continue
        colour = rng.integers(0, 256, 3)
        while np.abs(colour - ground).max() < 60:
            colour = rng.integers(0, 256, 3)
        paint, inner = tuple(colour.tolist()), (left, top, left + side - 1, top + side - 1)
        if kind == 0:
            pen.ellipse(inner, fill=paint)
        elif kind == 1:
            pen.rectangle(inner, fill=paint)
        else:
            pen.polygon([(left, inner[3]), (inner[2], inner[3]), (left + side / 2, top)], fill=paint)
        boxes.append(box)
    return np.asarray(image), np.array(boxes, dtype=np.float64).reshape(-1, 6)


def plant(truth: Floats, classes: int, size: int, rng: np.random.Generator) -> Planted:
    """The boxes (M, 6) of an image with errors, and by kind the true boxes, of `nothing` those that stand there."""
    boxes: list[Floats] = []
    planted: dict[str, list[Floats]] = {kind: [] for kind in KINDS}
    for box in truth[truth[:, CLASS] >= 0].astype(np.float64):
        kind = (*KINDS, None)[min(len(KINDS), int(rng.random() / EACH))]
        wrong = box.copy()
        if kind == "class":
            wrong[CLASS] = (box[CLASS] + rng.integers(1, classes)) % classes
        sides = box[2:4] - box[:2]
        if kind == "place":
            shift = rng.choice([-1, 1], 2) * rng.uniform(*MOVED, 2) * sides
            wrong[:4] = (box[:4] + np.tile(shift, 2)).clip(0, size)
        boxes += [wrong] * (kind != "missing")
        if kind == "nothing":
            for corner in rng.uniform(0, size - sides, (50, 2)):
                empty = np.array([*corner, *(corner + sides), box[CLASS], OBJECT])
                if not iou(empty[None, :4], truth[:, :4].astype(np.float64)).any():
                    boxes.append(empty)
                    planted[kind].append(empty)
                    break
        elif kind:
            planted[kind].append(box)
    return np.array(boxes).reshape(-1, 6), planted


def one(images: Images, seed: int, steps: int, peer: str | None) -> dict[str, Any]:
    """Figures of each kind among the images that were learned from, and among the others."""
    rng = np.random.default_rng(seed)
    size, classes, count = int(images.pixels.shape[2]), images.classes, len(images)
    both = [plant(truth, len(classes), size, rng) for truth in images.labels.numpy()]
    wrong = replace(images, labels=torch.from_numpy(packed([boxes for boxes, _ in both])))
    order = rng.permutation(count)
    learned, calib, asked = order[: count // 2], order[count // 2 : 3 * count // 4], order[count // 2 :]
    answers = answered(wrong, learned, seed, steps)
    fitted = fit(answers[calib], wrong.labels.numpy()[calib], Wanted(accuracy=0.9), len(classes))
    sure = calibrated(answers, fitted.temperature, (fitted.decoding or {})["shifts"])
    figures: dict[str, Any] = {}
    for name, rows in (("asked", asked), ("learned", learned)):
        some = [both[row] for row in rows.tolist()]
        figures[name] = scored(some, sure[rows], classes, size)
        if peer:
            figures[f"{name}_cleanlab"] = cleanlab(peer, some, sure[rows], len(classes))
    return figures


def answered(images: Images, rows: np.ndarray, seed: int, steps: int) -> np.ndarray:
    """Answers (N, 100, 6) to all images of a detector that learned from these rows."""
    seen = replace(images, pixels=images.pixels[torch.from_numpy(rows)], labels=images.labels[rows])
    nothing = replace(images, pixels=images.pixels[:0], labels=images.labels[:0])
    model = fresh("cnn", "embedded:fractals", images, int(images.pixels.shape[2]), seed)
    with tempfile.TemporaryDirectory() as scratch:
        train(model, seen, nothing, replace(RECIPE, steps=steps), seed, Checkpoint(Path(scratch) / "run.pt"), told)
    return predict(model, images.pixels, batch=32).numpy()


def scored(some: list[Planted], answers: np.ndarray, classes: tuple[str, ...], size: int) -> dict[str, dict[str, Any]]:
    """Of each kind how many were planted, the share that was found, and the share of those told that are errors.

    Whatever kind it is told as: what matters is that somebody looks there.
    """
    labels = [
        text_of(size, size, [Box(classes[int(box[CLASS])], tuple(box[:4].tolist()), OBJECT) for box in boxes])
        for boxes, _ in some
    ]
    rows = pd.DataFrame({"path": [str(number) for number in range(len(some))], "label": labels})
    finding = find_box_errors(rows, answers, classes, size)
    told_of = [(one.kind, int(one.path), one.found or one.drawn) for one in (finding.boxes if finding else ())]
    figures: dict[str, dict[str, Any]] = {"images": of_images({number for _, number, _ in told_of}, some)}
    for kind in KINDS:
        places = {number: np.array(planted[kind]) for number, (_, planted) in enumerate(some) if planted[kind]}
        hit = {
            (number, int(overlap.argmax()))
            for _, number, edges in told_of
            if number in places and (overlap := _overlaps(edges, places[number])).max() >= 0.5
        }
        mine = [(number, edges) for name, number, edges in told_of if name == kind]
        right = sum(_is_error(edges, some[number][1]) for number, edges in mine)
        total = sum(len(boxes) for boxes in places.values())
        figures[kind] = {
            "planted": total,
            "recall": round(len(hit) / max(1, total), 3),
            "told": len(mine),
            "precision": round(right / len(mine), 3) if mine else None,
        }
    return figures


def _is_error(edges: Any, planted: dict[str, list[Floats]]) -> bool:
    return any(_overlaps(edges, np.array(boxes)).max() >= 0.5 for boxes in planted.values() if boxes)


def _overlaps(edges: Any, boxes: np.ndarray) -> np.ndarray:
    found: np.ndarray = iou(np.array([edges], dtype=np.float64), boxes[:, :4])[0]
    return found


def cleanlab(peer: str, some: list[Planted], answers: np.ndarray, classes: int) -> dict[str, Any]:
    """The images that ObjectLab calls wrong."""
    told_to = {
        "labels": [
            {"bboxes": boxes[:, :4].tolist(), "labels": boxes[:, CLASS].astype(int).tolist()} for boxes, _ in some
        ],
        "answers": [
            [rows[rows[:, CLASS] == number][:, [0, 1, 2, 3, 5]].tolist() for number in range(classes)]
            for rows in answers
        ],
    }
    done = subprocess.run([peer, "-c", PEER], input=json.dumps(told_to), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"cleanlab failed:\n{done.stderr[-2000:]}")
    return of_images(set(json.loads(done.stdout.splitlines()[-1])), some)


def of_images(found: set[int], some: list[Planted]) -> dict[str, Any]:
    """The images that are told: the share of those with a planted error, and of those told that have one."""
    wrong = {number for number, (_, planted) in enumerate(some) if any(planted.values())}
    right = len(found & wrong)
    return {
        "wrong": len(wrong),
        "told": len(found),
        "recall": round(right / max(1, len(wrong)), 3),
        "precision": round(right / len(found), 3) if found else None,
    }


PEER = """
import json, sys
import numpy as np
from cleanlab.object_detection.filter import find_label_issues
told = json.load(sys.stdin)
labels = [{"bboxes": np.array(one["bboxes"], dtype=float).reshape(-1, 4), "labels": np.array(one["labels"], dtype=int)}
          for one in told["labels"]]
answers = [np.array([np.array(rows, dtype=float).reshape(-1, 5) for rows in one] + [None], dtype=object)[:-1]
           for one in told["answers"]]
print(json.dumps(np.flatnonzero(find_label_issues(labels, answers)).tolist()))
"""


if __name__ == "__main__":
    main()
