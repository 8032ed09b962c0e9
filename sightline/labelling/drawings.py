"""Images on which a person draws boxes, on their way out: as a COCO JSON with the pictures beside it, or as tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sightline.data import manifest
from sightline.data.annotations import coco
from sightline.data.annotations.described import Box
from sightline.data.annotations.table import Image
from sightline.data.files.facts import read_bytes
from sightline.data.labels.exchange import needs_label
from sightline.files import write_atomically
from sightline.heads.located import Box as Located
from sightline.heads.located import read
from sightline.heads.targets import OBJECT
from sightline.images.reading import open_image, upright_size
from sightline.labelling import rectangles, sheet
from sightline.labelling.drawing import Drawing
from sightline.labelling.pictures import name_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sightline.data.quality import Finding
    from sightline.data.quality.finding import WrongBox
    from sightline.labelling.chosen import Chosen
    from sightline.project import Paths

    Suggest = Callable[[Sequence[Path]], list[dict[str, Any]]]

JSON = "annotations.json"
INFO = {"description": "to be labelled: import what the page or another tool makes of it, not this file"}
"""What the JSON says of itself, so that it is not taken for answers."""


def of_captured(images: Sequence[Chosen], *, suggest: bool) -> list[Drawing]:
    """Captured images; with `suggest` the boxes that were answered are there to begin with."""
    return [
        _drawing(one.sha256, data, one.at, sheet.about(one), one.answer if suggest else None)
        for one in images
        if (data := one.picture) is not None
    ]


def of_set(
    paths: Paths, most: int, *, everything: bool, suggest: Suggest | None = None
) -> tuple[list[Drawing], int, int]:
    """Images of the data set that wait for boxes, or all with those that they have; `most` of them.

    Beside them how many more there are, and how many whose files cannot be read. `suggest` answers for image files as
    `predict_files` does: its boxes are there to begin with where there are no others.
    """
    rows = manifest.read(paths.manifest("target"))
    rows = rows[~rows["sha256"].duplicated() & (needs_label(rows) | everything)]
    folder = paths.raw("target")
    is_there = rows["path"].map(lambda path: (folder / path).is_file()).astype(bool)
    sound = rows[is_there & rows["format"].notna()]
    chosen = sound.head(most)
    answers: Sequence[Mapping[str, Any]] = [{}] * len(chosen)
    if suggest:
        answers = suggest([folder / path for path in chosen["path"]])
    drawings = []
    facts = chosen[["path", "sha256", "label", "reason"]].astype(object).where(chosen.notna(), None)
    for (path, digest, known, reason), answer in zip(facts.itertuples(index=False), answers, strict=True):
        data = read_bytes(folder, path)
        one = _drawing(digest, data, "", f"{path}{f' · {reason}' if reason else ''}", known)
        drawings.append(one if known else replace(one, boxes=tuple(map(_box, answer.get("boxes", ())))))
    return drawings, len(sound) - len(chosen), len(rows) - len(sound)


def of_doubted(paths: Paths, finding: Finding, most: int, *, suggest: bool) -> tuple[list[Drawing], int]:
    """Images of the data set with likely errors among their boxes, the most doubtful first, `most` of them.

    Beside them how many more there are. They have the boxes that were drawn, with `suggest` as the champion has them.
    """
    errors: dict[str, list[WrongBox]] = {}
    for error in finding.boxes:
        errors.setdefault(error.path, []).append(error)
    rows = manifest.read(paths.manifest("target")).drop_duplicates("path").set_index("path").loc[list(errors)]
    rows = rows[~rows["sha256"].duplicated()]
    drawings = []
    for path, digest, label in rows[["sha256", "label"]].head(most).itertuples():
        data, wrong = read_bytes(paths.raw("target"), path), errors[path]
        about = f"{path} · {', '.join(error.words for error in wrong)}"
        one = _drawing(digest, data, "", about, label)
        drawings.append(replace(one, boxes=_corrected(one.boxes, wrong)) if suggest else one)
    return drawings, len(rows) - len(drawings)


def _corrected(boxes: tuple[Box, ...], errors: Sequence[WrongBox]) -> tuple[Box, ...]:
    """The boxes of an image with those that were found in place of those that are wrong."""
    wrong = {(one.given, one.drawn) for one in errors}
    found = [Box.of(Located(one.likely, one.found, OBJECT)) for one in errors if one.likely is not None and one.found]
    return (*(box for box in boxes if (box.label, box.edges) not in wrong), *found)


def write(folder: Path, drawings: Sequence[Drawing], classes: Sequence[str]) -> Path:
    """Write the pictures and a COCO JSON about them into `folder`, which must be new or empty; the JSON.

    Raises DataError where the folder holds something.
    """
    sheet.check_new(folder)
    for one in drawings:
        write_atomically(folder / one.name, one.picture)
    images = ((Image(one.name, one.width, one.height, None), one.boxes) for one in drawings)
    told = {"info": INFO, **coco.as_json(images, classes_of(drawings, classes))}
    write_atomically(folder / JSON, json.dumps(told, ensure_ascii=False) + "\n")
    return folder / JSON


def write_tasks(folder: Path, drawings: Sequence[Drawing], classes: Sequence[str]) -> Path:
    """The same for Label Studio, as `sheet.write_tasks`."""
    tasks = [rectangles.task(one) for one in drawings]
    return sheet.write_for_label_studio(folder, tasks, rectangles.config(classes_of(drawings, classes)))


def classes_of(drawings: Sequence[Drawing], classes: Sequence[str]) -> list[str]:
    """Those of the data set, and behind them those that only the champion knows."""
    named = {box.label for one in drawings for box in one.boxes}
    return [*classes, *sorted(named.difference(classes))]


def _drawing(sha256: str, picture: bytes, at: str, about: str, label: str | None) -> Drawing:
    picture = shown(picture)
    width, height = upright_size(open_image(picture))
    boxes = tuple(Box.of(box) for box in read(label)[2]) if label else ()
    return Drawing(
        name=name_of(sha256, picture, at), picture=picture, width=width, height=height, about=about, boxes=boxes
    )


def _box(answered: Mapping[str, Any]) -> Box:
    return Box(label=answered["label"], **{edge: answered[edge] for edge in ("x1", "y1", "x2", "y2")})
