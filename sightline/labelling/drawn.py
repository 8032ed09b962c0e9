"""Boxes that people drew, on their way in: a COCO JSON of the page or of another tool, or what Label Studio exports.

They are held against the pictures as annotations of a folder are (`data.annotations`), but where those leave out what
cannot be used, here all of it is told and nothing is taken.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sightline.data import manifest
from sightline.data.annotations import coco, label_studio
from sightline.data.annotations.table import CUT, QUARANTINED, assemble
from sightline.data.annotations.tree import Tree
from sightline.data.files.facts import read_bytes
from sightline.data.labels.exchange import refuse
from sightline.data.sources.item import suffix_of
from sightline.errors import DataError
from sightline.heads.located import SEPARATOR, text_of
from sightline.images.reading import EXTENSIONS, SUFFIXES, UnreadableImage
from sightline.labelling import drawings, pictures, rectangles
from sightline.labelling.sheet import Answer
from sightline.serve.history import AT
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sightline.data.annotations.described import Described
    from sightline.data.annotations.table import Annotations
    from sightline.project import Paths

WANTED = (
    "import the download of the page, another tool's COCO JSON about the pictures of `sightline data label export`, or "
    "Label Studio's export in the format JSON"
)


@dataclass(frozen=True)
class Drawn:
    """What a file says."""

    answers: tuple[Answer, ...]
    """Their labels are boxes; those about images of the data set name no request."""
    pictures: tuple[bytes | None, ...]
    """What was kept of each of them."""
    said: tuple[str, ...]
    """What a person should know of it."""


def read(paths: Paths, table: Path) -> Drawn:
    """The boxes in the file `table`.

    Raises DataError naming every image and every box that cannot be used.
    """
    told = _json(table)
    try:
        by_task = rectangles.answered(told) if isinstance(told, list) else None
        names = [str(one["file_name"]) for one in told["images"]] if by_task is None else list(by_task)
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{table} tells no boxes of such pictures ({error!r}): {WANTED}") from None
    known = _known(paths, table, names)
    scratch = paths.cache("target").parent
    scratch.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="drawn-", dir=scratch) as name:
        stage = Path(name)
        for place, (_, data) in known.items():
            (stage / place).write_bytes(data)
        if by_task is None:
            shutil.copyfile(table, stage / f"{table.stem}.json")
        found = _assembled(table, stage, by_task)
    refuse(table, list(_faults(found)))
    answers, files, empty = [], [], 0
    for image, boxes in found.each():
        one, data = known[image.path]
        text = text_of(image.width, image.height, (box.located for box in boxes))
        answers.append(replace(one, label=text))
        files.append(data)
        empty += not boxes
    return Drawn(tuple(answers), tuple(files), tuple(_said(found, empty)))


def _json(table: Path) -> Any:
    if not table.is_file():
        raise DataError(f"{table}: there is no such file; the page of `sightline data label export` downloads one")
    try:
        told = json.loads(table.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{table} cannot be read as JSON ({error}): {WANTED}") from None
    if isinstance(told, dict) and told.get("info") == drawings.INFO:
        raise DataError(
            f"{table} is what was exported to be labelled, and its boxes are nobody's answer: {WANTED}. Where a tool "
            'wrote its answers into this very file, delete "info" from it'
        )
    return told


def _known(paths: Paths, table: Path, names: Iterable[str]) -> dict[str, tuple[Answer, bytes]]:
    """Name of each picture without folders → what it is of, its label still empty, and the file.

    Raises DataError where one is of no captured answer and no image of the data set, or was not kept whole.
    """
    meant = {PurePosixPath(name.replace("\\", "/")).name: pictures.meant(name) for name in names}
    times = [at for at, _ in meant.values() if at]
    rows, damaged = pictures.captured(paths, times, "at", pa.array(times, AT))
    captured = {(row["at"], row["sha256"][: pictures.DIGITS]): row for row in rows}
    held = manifest.read(paths.manifest("target")).drop_duplicates("sha256")
    held.index = held["sha256"].str[: pictures.DIGITS]
    found, bad = {}, []
    for name, (at, digits) in meant.items():
        row, data = captured.get((at, digits)), b""
        one = Answer(sha256="", label="", request="", place=0, at="")
        if row is not None:
            about = {key: row[key] for key in ("request", "place", "sha256")}
            one, data = Answer(label="", at=row["at"].isoformat(), **about), row["picture"] or b""
        elif digits in held.index:
            one = replace(one, sha256=str(held.loc[digits, "sha256"]))
        if not pictures.is_whole(one.sha256, data) and digits in held.index:
            with suppress(OSError, UnreadableImage):
                data = read_bytes(paths.raw("target"), str(held.loc[digits, "path"]))
        if not one.sha256:
            bad.append(f"{name} is no captured answer and no image of the data set{damaged}: {_remedy(digits)}")
        elif not pictures.is_whole(one.sha256, data):
            bad.append(f"of {name} no whole picture is there: capture.keep: images keeps those of later answers")
        else:
            found[_as_image(name, data)] = one, data
    refuse(table, bad)
    return found


def _remedy(digits: str) -> str:
    if digits:
        return "captured answers go after capture.days"
    return "names must keep the time and the digits that `sightline data label export` gave them"


def _as_image(name: str, data: bytes) -> str:
    """The name, with the extension that some tools drop."""
    return name if suffix_of(name) in SUFFIXES else f"{name}{EXTENSIONS[pictures.kind(data)][0]}"


def _assembled(table: Path, stage: Path, by_task: dict[str, list[Any]] | None) -> Annotations:
    tree = Tree(stage)
    try:
        return assemble(tree, coco.read(tree) if by_task is None else _described(tree, by_task))
    except DataError as error:
        raise DataError(str(error).replace(f"{stage}/", f"{table.parent}/")) from None
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{table} tells no boxes of such pictures ({error!r}): {WANTED}") from None


def _described(tree: Tree, by_task: dict[str, list[Any]]) -> Iterator[Described]:
    for name, given in by_task.items():
        path = PurePosixPath(name).name
        for one in given:
            told = f"annotation {one.get('id', '')} of Label Studio"
            yield label_studio.described(path, told, told, tree.size(path), one)


def _faults(found: Annotations) -> Iterator[str]:
    images = found.images[found.images["status"] == QUARANTINED]
    for path, reason in images[["path", "reason"]].itertuples(index=False):
        yield f"{path}: {reason}"
    boxes = found.boxes[found.boxes["status"] == QUARANTINED]
    for path, label, *edges, reason in boxes[["path", "label", "x1", "y1", "x2", "y2", "reason"]].itertuples(
        index=False
    ):
        yield f"{path}: {label} at {' '.join(f'{edge:.6g}' for edge in edges)}: {reason}"
    for name in found.classes:
        if SEPARATOR in name:
            yield f"a class is called {name!r}: rename it without {SEPARATOR!r}"


def _said(found: Annotations, empty: int) -> Iterator[str]:
    cut = int((found.boxes["status"] == CUT).sum())
    if cut:
        yield f"{counted(cut, 'box')} reached out of the image, and {'is' if cut == 1 else 'are'} cut to it"
    if empty:
        yield f"{counted(empty, 'image')} {'has' if empty == 1 else 'have'} no box: nothing of the classes is on it"
