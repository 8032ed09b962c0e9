"""Pascal VOC's XML, a file for each image (Everingham et al. 2010).

Edges are taken as they stand. VOC itself counts pixels from 1 and includes the last one; the tools that write its form
today count from 0, and the pixel between the two is within what people draw.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

from sightline.data.annotations.described import Box, Described, is_set, size_of
from sightline.data.annotations.tree import split_in
from sightline.data.sources.item import SPLITS
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.data.annotations.table import Annotations
    from sightline.data.annotations.tree import Tree

FOLDER = "Annotations"
LISTS = "ImageSets/Main"
BEGINS = re.compile(rb"<annotation[\s>]")
EDGES = ("xmin", "ymin", "xmax", "ymax")


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return tree.texts_that(BEGINS, ".xml")


def read(tree: Tree) -> Iterator[Described]:
    """The image of each file of this form, those too that say so and then turn out to be broken."""
    splits = _splits(tree)
    for path in files(tree):
        yield _read(tree, path, splits)


def _read(tree: Tree, path: str, splits: dict[str, str]) -> Described:
    """The image that bears the file's name; only where there is none, that of its `filename`."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import parse

    place = path.rpartition("/")[0]
    name = path.removesuffix(".xml").rpartition(f"{FOLDER}/")[2]
    # Below any other folder than VOC's own its place only resembles that of its image.
    image, reason = tree.find(name, place, guessed=FOLDER not in path.split("/"))
    split = splits.get(name, splits.get(name.rpartition("/")[2]))
    try:
        root = parse(tree.folder / path).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        said = str(error).partition("\n")[0]
        return Described(path=image, origin=path, split=split, reason=f"{path} cannot be read as XML: {said}")
    if reason:
        other = tree.find(root.findtext("filename") or "", place)
        image, reason = other if other[1] is None else (image, reason)
    boxes = []
    for number, thing in enumerate(root.findall("object"), start=1):
        told, label = f"object {number} of {path}", (thing.findtext("name") or "").strip()
        try:
            x1, y1, x2, y2 = (float(thing.findtext(f"bndbox/{edge}") or "") for edge in EDGES)
        except ValueError:
            reason = reason or f"{told}: its bndbox has no four numbers"
            continue
        if not label:
            reason = reason or f"{told} has no name"
        crowd, difficult = (is_set(thing.findtext(flag)) for flag in ("crowd", "difficult"))
        boxes.append(Box(label=label, x1=x1, y1=y1, x2=x2, y2=y2, crowd=crowd, difficult=difficult))
    return Described(
        path=image,
        origin=path,
        boxes=tuple(boxes),
        size=size_of(root.findtext("size/width"), root.findtext("size/height")),
        split=split or split_in(image),
        reason=reason,
    )


def _splits(tree: Tree) -> dict[str, str]:
    """Name of an image → the split whose list in ImageSets/Main has it."""
    splits: dict[str, str] = {}
    for path in tree.texts_named(".txt"):
        stem = path.rpartition("/")[2].removesuffix(".txt").lower()
        if f"{LISTS}/" in path and stem in SPLITS:
            text = (tree.folder / path).read_text(encoding="utf-8", errors="replace")
            splits |= dict.fromkeys((line.split()[0] for line in text.splitlines() if line.split()), SPLITS[stem])
    return splits


def write(found: Annotations, folder: Path) -> None:
    """Write a file for each image that can be used, and the lists of the splits.

    `crowd` is an element of our own where it is set: the form has none.
    """
    listed: dict[str, list[str]] = {}
    for image, boxes in found.each():
        root = Element("annotation")
        SubElement(root, "filename").text = image.path
        size = SubElement(root, "size")
        for side, length in (("width", image.width), ("height", image.height), ("depth", 3)):
            SubElement(size, side).text = str(length)
        for box in boxes:
            thing = SubElement(root, "object")
            SubElement(thing, "name").text = box.label
            SubElement(thing, "difficult").text = str(int(box.difficult))
            if box.crowd:
                SubElement(thing, "crowd").text = "1"
            edges = SubElement(thing, "bndbox")
            for edge, value in zip(EDGES, box.edges, strict=True):
                SubElement(edges, edge).text = f"{value:.12g}"
        indent(root)
        stem = image.path.rpartition(".")[0]
        write_atomically(folder / FOLDER / f"{stem}.xml", tostring(root, encoding="utf-8"))
        if image.split:
            listed.setdefault(image.split, []).append(stem)
    for split, stems in listed.items():
        write_atomically(folder / LISTS / f"{split}.txt", "".join(f"{stem}\n" for stem in stems))
