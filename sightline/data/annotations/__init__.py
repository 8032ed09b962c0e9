"""Boxes around objects, as people keep them: COCO's JSON, Pascal VOC's XML and YOLO's text in and out; others in.

Each form is a module of this package (the protocol `Form`). All that are there are read, told apart by what the files
hold: images that two of them describe differently are quarantined.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from sightline.data.annotations import coco, createml, cvat, label_studio, labelme, rows, vgg, voc, yolo
from sightline.data.annotations.described import Box, Described
from sightline.data.annotations.table import UNLABELLED, Annotations, assemble
from sightline.data.annotations.tree import LOOK, Tree
from sightline.data.sources import LAYOUTS, classes, scan, tables
from sightline.data.sources.unpacking import is_archive
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Annotations", "Box", "Described", "files", "read", "root", "tells_boxes"]


class Form(Protocol):
    """One form in which boxes are kept; a module with these two functions is one."""

    def files(self, tree: Tree) -> list[str]:
        """The files of this form, as their beginnings show."""
        ...

    def read(self, tree: Tree) -> Iterator[Described]:
        """What the files of this form say, image by image; nothing where there are none.

        Raises DataError where they are broken as a whole.
        """
        ...


FORMS: tuple[Form, ...] = (coco, voc, yolo, cvat, labelme, label_studio, createml, vgg, rows)
"""Listed by hand, so that code digests cover them."""
ABOUT_ALL = {
    ".json": (coco.BEGINS, label_studio.BEGINS, createml.BEGINS, vgg.BEGINS),
    ".xml": (cvat.BEGINS,),
    ".csv": (vgg.HEADER,),
}
"""How files begin that hold many images, beside tables."""
TOLD = ("", "annotations", "Annotations")
"""Folders in which a file about all images lies."""
ALONE = ("*.json", "annotations.xml")
"""Its name there: of XML there may be a file for each image."""

REPEATED = (("JPEGImages", voc.FOLDER, ".xml"), (yolo.IMAGES, yolo.LABELS, ".txt"))
"""The folder of the images → that of their annotations, in which the same folders lie, and the ending of these."""


def read(place: Path) -> Annotations:
    """The boxes of the images in a folder; of one file of annotations where `place` is one.

    Paths are relative to the folder; those of a file to the nearest folder around it that holds images, which `root`
    gives. Raises DataError where there is nothing of the kind.
    """
    tree = _tree(place)
    found = assemble(tree, chain.from_iterable(form.read(tree) for form in FORMS))
    if not found.images["reason"].isna().any() and found.boxes.empty:
        # What is wrong with an annotation says more than that an image has none.
        told = found.images.sort_values("reason", key=lambda reason: reason == UNLABELLED, kind="stable")
        first = f"; first: {told['path'].iloc[0]}: {told['reason'].iloc[0]}" if len(told) else ""
        raise DataError(
            f"{place}: no image there has boxes that can be read; expected a COCO JSON, VOC XML files, YOLO texts "
            "with their data.yaml or classes.txt, the XML or JSON of CVAT, Labelme, Label Studio, Create ML or VGG's "
            f"annotator, or a table with a row for each box{first}"
        )
    return found


def tells_boxes(place: Path) -> bool:
    """Whether there are boxes instead of classes.

    A file about all images says so, and a table that would tell the classes, but has edges; other annotations where all
    is of one class. Where folders may be classes, annotations say so that lie in folders which repeat those of the
    images, or are about most images and name other classes than the folders.
    """
    if not place.is_dir():
        return place.is_file() and _is_about_all(place)
    if any(_is_about_all(file) for folder in TOLD for name in ALONE for file in (place / folder).glob(name)):
        return True
    labels: dict[str, str | None] = {}
    tree = _tree(place)
    # Where nothing is found, whoever asks next tells what was expected.
    with suppress(DataError):
        if any(rows.is_one(table) for table, _ in tables.tables(place)):
            return True
        if not any(form.files(tree) for form in FORMS):
            return False  # before each image is looked at
        for item in scan(place):
            labels[item.path] = item.label
    if len({*labels.values()} - {None}) > 1:
        by_folders = next(layout for layout in LAYOUTS if layout.fits(place)) is classes
        return by_folders and (_repeat_folders(tree) or _are_about_most(tree, labels))
    return any(form.files(tree) for form in FORMS)


def _repeat_folders(tree: Tree) -> bool:
    """Whether annotations lie in folders that repeat those of the images, as those of VOC and YOLO do."""
    texts = {*voc.files(tree), *yolo.files(tree)}
    for image in tree.images if texts else ():
        for images, told, suffix in REPEATED:
            before, found, behind = f"/{image.rpartition('.')[0]}".rpartition(f"/{images}/")
            if found and f"{before}/{told}/{behind}{suffix}".lstrip("/") in texts:
                return True
    return False


def _are_about_most(tree: Tree, labels: Mapping[str, str | None]) -> bool:
    """Whether annotations are about more than half of the images, and do not just say again what their folders do."""
    told, again = set[str](), set[str]()
    for form in FORMS:
        try:
            found = [one for one in form.read(tree) if one.origin and one.path in tree.images]
        except DataError:
            # Broken as a whole, as YOLO's where nothing names the classes: whoever reads them next is told.
            told |= {*form.files(tree)}
            continue
        told |= {one.path for one in found}
        again |= {one.path for one in found if {box.label for box in one.boxes} == {labels.get(one.path)}}
    return 2 * len(told) > len(tree.images) and 2 * len(again) <= len(told)


def _is_about_all(file: Path) -> bool:
    """Whether a file is of a form that has many images in one."""
    suffix = file.suffix.lower()
    with file.open("rb") as handle:
        head = handle.read(LOOK)
    if any(begin.search(head) for begin in ABOUT_ALL.get(suffix, ())):
        return True
    return suffix in tables.SUFFIXES and rows.is_one(file)


def files(folder: Path) -> list[str]:
    """The files of a folder that tell of boxes, and those that name their classes."""
    tree = _tree(folder)
    # What names classes or lists splits is of no form by itself; there is little else of such endings.
    named = tree.texts_named(".yaml", ".yml", ".names", ".txt")
    return sorted({path for form in FORMS for path in form.files(tree)} | set(named))


def root(place: Path) -> Path:
    """The folder to which the paths of `read` are relative."""
    return _tree(place).folder


def _tree(place: Path) -> Tree:
    if place.is_dir():
        return Tree(place)
    if not place.is_file():
        raise DataError(f"{place}: there is no such folder or file of annotations")
    if is_archive(place):
        raise DataError(f"{place} is an archive: unpack it and name the folder; `sightline init` takes it as it is")
    for folder in (place.parent, place.parent.parent):
        tree = Tree(folder)
        if tree.images:
            break
    tree.texts = [place.relative_to(folder).as_posix()]
    return tree
