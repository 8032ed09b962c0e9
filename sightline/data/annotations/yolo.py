"""YOLO's text: for each image a file of lines `class x y width height`, middle and sides as shares of the image's.

Lines of more numbers are outlines, as Ultralytics writes them, and the box around each is taken; where data.yaml tells
of keypoints (`kpt_shape`), a box and these. The classes are named there, or line by line by a classes.txt.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sightline import yamls
from sightline.data.annotations.described import Box, Described, around
from sightline.data.annotations.tree import MISSING, split_in
from sightline.data.sources.item import SPLITS
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.data.annotations.table import Annotations
    from sightline.data.annotations.tree import Tree

IMAGES, LABELS = "images", "labels"
NAMES, LISTS = "data.yaml", ("classes.txt", "obj.names")
LOOK = 4096
LINE = re.compile(rb"(?:\xef\xbb\xbf)?\s*\d+(?:[ \t]+(?:[-+.\deE]+|nan|inf)){4,}\s*(?:\n|$)", re.IGNORECASE)
BOX = 5
"""Numbers of a line that tells a box; an outline has its class and at least three points."""


def files(tree: Tree) -> list[str]:
    """The texts that lie where labels do, if the beginning of any of them shows the form."""
    named = {path for image in tree.images for path in (label_path(image), _beside(image))}
    places = ((path, *path.rpartition("/")[::2]) for path in tree.texts_named(".txt"))
    # labelImg puts the names of the classes among the labels.
    texts = [
        path for path, place, file in places if path in named or (LABELS in place.split("/") and file not in LISTS)
    ]
    return texts if any(LINE.match(tree.head(path, LOOK)) for path in texts) else []


def read(tree: Tree) -> Iterator[Described]:
    """Each image, with or without a file of labels, and each such file without an image.

    Raises DataError where the classes are not named.
    """
    texts = set(files(tree))
    if not texts:
        return
    names, behind = _names(tree), _behind(_yaml(tree)[1])
    splits = _splits(tree)
    told = set()
    for image, closed in tree.images.items():
        path = next((one for one in (label_path(image), _beside(image)) if one in texts), "")
        told.add(path)
        split = splits.get(image) or split_in(image)
        boxes: list[Box] = []
        size, reason = None, closed
        try:
            size = None if closed else tree.size(image)
        except UnreadableImage as error:
            reason = str(error)
        if path and size:
            text = (tree.folder / path).read_text(encoding="utf-8-sig", errors="replace")
            boxes, reason = _boxes(text, names, size, behind)
        yield Described(
            path=image,
            origin=path,
            boxes=tuple(boxes),
            split=split,
            reason=f"{path}, {reason}" if reason and path and not closed else reason,
        )
    for path in sorted(texts - told):
        yield Described(path=_image_of(path), origin=path, reason=MISSING)


def _boxes(text: str, names: list[str], size: tuple[int, int], behind: int) -> tuple[list[Box], str | None]:
    """The boxes in pixels, `behind` each so many numbers of keypoints; the reason why the lines tell nothing."""
    boxes = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            label, *values = (int(words[0]), *map(float, words[1:]))
        except ValueError:
            return [], f"line {number}: {line[:60]!r} is no class and shares"
        if not 0 <= label < len(names):
            return [], f"line {number}: class {label}, where {len(names)} are named"
        if behind and len(words) == BOX + behind:
            values = values[: BOX - 1]
        elif len(words) != BOX and (len(values) < BOX + 1 or len(values) % 2):
            return [], f"line {number}: {len(words)} numbers are neither a box nor an outline"
        boxes.append(_box(names[label], values, *size))
    return boxes, None


def _box(label: str, values: list[float], width: int, height: int) -> Box:
    if len(values) == BOX - 1:
        x, y, w, h = values
        edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
    else:
        edges = around(list(zip(values[::2], values[1::2], strict=True)))
    left, top, right, bottom = edges
    return Box(label=label, x1=left * width, y1=top * height, x2=right * width, y2=bottom * height)


def _yaml(tree: Tree) -> tuple[str, dict[str, Any]]:
    """The file that names the classes, and what it says; the one highest up."""
    from ruamel.yaml import YAML

    for path in sorted(tree.texts_named(".yaml", ".yml"), key=lambda path: (path.count("/"), path)):
        try:
            # Its keys are numbers in many a file, which `yamls.read` refuses; that it is no bomb is seen all the same.
            told = YAML(typ="safe").load(yamls.text(tree.folder / path))
        except (yamls.Unreadable, ValueError):
            continue
        if isinstance(told, dict) and isinstance(told.get("names"), list | dict):
            return path, told
    return "", {}


def _behind(told: dict[str, Any]) -> int:
    """How many numbers tell the keypoints of an object, where they are told: they would pass for an outline."""
    match told.get("kpt_shape"):
        case [int(points), int(numbers)]:
            return points * numbers
    return 0


def _names(tree: Tree) -> list[str]:
    path, told = _yaml(tree)
    names: Any = told.get("names")
    if isinstance(names, dict):
        numbers = list(names)
        if sorted(map(str, numbers)) != sorted(map(str, range(len(numbers)))):
            raise DataError(f"{tree.folder / path}: its names are of the classes {numbers}; number them from 0 on")
        names = [names[number] for number in sorted(numbers, key=int)]
    if not path:
        lists = [one for one in tree.texts if one.rpartition("/")[2] in LISTS]
        if not lists:
            raise DataError(
                f"{tree.folder} holds labels as YOLO's, but nothing names the classes: put a data.yaml with `names`, "
                "or a classes.txt with a name a line, beside them"
            )
        path = min(lists, key=lambda one: (one.count("/"), one))
        names = [line.strip() for line in (tree.folder / path).read_text(encoding="utf-8-sig").splitlines()]
        while names and not names[-1]:
            names.pop()
    found = [str(name).strip() for name in names]
    if not all(found) or len({*found}) < len(found):
        raise DataError(f"{tree.folder / path}: {found} must be the names of the classes, each once")
    if told.get("nc", len(found)) != len(found):
        raise DataError(f"{tree.folder / path}: nc = {told['nc']}, but {len(found)} classes are named")
    return found


def _splits(tree: Tree) -> dict[str, str]:
    """Image → the split in which data.yaml has it: by its folder, or by a list of images."""
    path, told = _yaml(tree)
    base = path.rpartition("/")[0]
    splits: dict[str, str] = {}
    for name, split in SPLITS.items():
        places = told.get(name) or []
        for place in places if isinstance(places, list) else [places]:
            wanted = "/".join(part for part in f"{base}/{place}".split("/") if part not in {"", ".", ".."})
            if wanted in tree.texts:
                lines = (tree.folder / wanted).read_text(encoding="utf-8-sig", errors="replace").splitlines()
                found = [tree.find(line.strip(), wanted.rpartition("/")[0], split) for line in lines if line.strip()]
                splits |= {image: split for image, reason in found if reason is None}
            else:
                splits |= {image: split for image in tree.images if image.startswith(f"{wanted}/")}
    return splits


def label_path(image: str) -> str:
    """Where the labels of an image lie: the last folder `images` of its path is `labels` then."""
    parts = _beside(image).split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == IMAGES:
            return "/".join([*parts[:place], LABELS, *parts[place + 1 :]])
    return "/".join(parts)


def _beside(image: str) -> str:
    return f"{image.rpartition('.')[0]}.txt"


def _image_of(path: str) -> str:
    """The name, without extension, that the image of a file of labels would have."""
    parts = path.removesuffix(".txt").split("/")
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == LABELS:
            return "/".join([*parts[:place], IMAGES, *parts[place + 1 :]])
    return "/".join(parts)


def write(found: Annotations, folder: Path) -> int:
    """Write a file for each image that can be used, data.yaml and the lists of the splits.

    The form has no flags: what is a crowd or difficult would be learned as an object, and is left out. How many were.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    numbers = {name: number for number, name in enumerate(found.classes)}
    listed: dict[str, list[str]] = {}
    left_out = 0
    for image, boxes in found.each():
        lines = []
        for box in boxes:
            if box.crowd or box.difficult:
                left_out += 1
                continue
            x, y = (box.x1 + box.x2) / 2 / image.width, (box.y1 + box.y2) / 2 / image.height
            width, height = (box.x2 - box.x1) / image.width, (box.y2 - box.y1) / image.height
            lines.append(f"{numbers[box.label]} {x:.10g} {y:.10g} {width:.10g} {height:.10g}\n")
        write_atomically(folder / label_path(image.path), "".join(lines))
        listed.setdefault(image.split or "train", []).append(f"./{image.path}\n")
    told: dict[str, Any] = {split: f"{split}.txt" for split in listed}
    for split, lines in listed.items():
        write_atomically(folder / told[split], "".join(lines))
    out = StringIO()
    # Without `path` Ultralytics looks beside this file; a "." is the folder that its user stands in.
    YAML(typ="safe").dump({**told, "names": list(found.classes)}, out)
    write_atomically(folder / NAMES, out.getvalue())
    return left_out
