"""Arrays of images in one `.npz` file of NumPy, for each split a pair: pixels, and the classes of them."""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from PIL import Image

from sightline.data.sources.item import split_of
from sightline.data.sources.label_sets import of_list
from sightline.data.sources.opened import Opened, Picture, broken, class_of
from sightline.data.sources.unpacking import BROKEN
from sightline.errors import DataError
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ENDING = ".npy"
LABELS = frozenset(("label", "labels", "y", "target", "targets", "class", "classes"))
NAMES = ("class_names", "label_names", "target_names", "classes", "names", "categories")
"""Arrays that hold the names of the classes."""
FLAT, GREY, COLOUR = 2, 3, 4
"""Axes of labels, at most; of grey images; of images with channels."""
CHANNELS = {1, 3, 4}
MOST = 100_000_000
"""Numbers of an image: one of more is a mistake in the axes."""


class Header(NamedTuple):
    """What stands before the numbers of an array."""

    shape: tuple[int, ...]
    columns_first: bool
    kind: np.dtype[Any]


def opened(file: Path) -> Opened:
    """The images and labels of all splits.

    Raises DataError where it is damaged, where images have no labels, or are of a kind that is not read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            held = {
                name.removesuffix(ENDING): _header(archive, name, file)
                for name in archive.namelist()
                if name.endswith(ENDING)
            }
            pictures = {name: one for name, one in held.items() if len(one.shape) > FLAT}
            pairs = {name: _labels_of(file, name, held) for name in pictures}
            named = next((name for name in NAMES if _names_classes(name, held)), None)
            names = (
                [] if named is None or named in pairs.values() else _whole(archive, named).ravel().astype(str).tolist()
            )
    except BROKEN as error:
        raise broken(file, error) from None
    if not pairs:
        shapes = ", ".join(f"{name} {'×'.join(map(str, one.shape))}" for name, one in held.items())
        raise DataError(f"{file} holds no images × height × width, with or without × channels: {visible(shapes)}")
    for name in pairs:
        _check_pixels(f"{file}, {visible(name)}", held[name])
    how = "with the arrays " + ", ".join(f"{image} as images, {label} as labels" for image, label in pairs.items())
    return Opened(how, _pictures(file, pairs, held, names))


def _header(archive: zipfile.ZipFile, name: str, file: Path) -> Header:
    with archive.open(name) as source:
        found = _begun(source, f"{file}, {visible(name)}")
    if math.prod(found.shape) * found.kind.itemsize > archive.getinfo(name).file_size:
        raise EOFError(f"{name} ends early")
    return found


def _begun(source: IO[bytes], where: str) -> Header:
    """Read the header; raises DataError for objects, which only Python's pickle could load, and that executes code."""
    form: Any = np.lib.format
    version = form.read_magic(source)
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    found = Header(*read(source))
    if found.kind.hasobject:
        raise DataError(
            f"{where} holds Python's own objects, which are not loaded: they may execute code; save numbers and texts "
            "alone"
        )
    return found


def _labels_of(file: Path, image: str, held: dict[str, Header]) -> str:
    """The array of the labels of an array of images: of as many rows, in the same split."""
    rows, split = held[image].shape[0], split_of(image)
    found = [
        name
        for name, one in held.items()
        if 0 < len(one.shape) <= FLAT and one.shape[0] == rows and split_of(name) == split
    ]
    found = [name for name in found if not _names_classes(name, held)] or found
    called = [name for name in found if LABELS.intersection(re.split(r"[-_ .]+", name.lower()))]
    if len(called or found) == 1:
        return (called or found)[0]
    which = f"{visible(', '.join(called or found))} may all be" if found else "no array of as many rows is"
    raise DataError(
        f"{file}: {which} the labels of {visible(image)} ({rows:,} images); call them as train_images and train_labels"
    )


def _names_classes(name: str, held: dict[str, Header]) -> bool:
    return name in NAMES and name in held and held[name].kind.kind in "US"


def _check_pixels(where: str, one: Header) -> None:
    if not _has_images(one):
        shape = "×".join(map(str, one.shape))
        raise DataError(
            f"{where}: {shape} are not images × height × width (× 1, 3 or 4 channels); of volumes and films write the "
            "slices that are to be learned from"
        )
    deep = one.kind.newbyteorder("=") == np.uint16 and _channels(one) <= 1
    if one.kind not in {np.dtype(np.uint8), np.dtype(np.bool_)} and not deep:
        raise DataError(
            f"{where}: pixels of the type {one.kind} are not read: save them as uint8, 0 to 255, or as grey of uint16"
        )


def _has_images(one: Header) -> bool:
    if not 0 < int(np.prod(one.shape[1:])) <= MOST:
        return False
    return len(one.shape) == GREY or (len(one.shape) == COLOUR and bool({one.shape[1], one.shape[-1]} & CHANNELS))


def _channels(one: Header) -> int:
    """Channels of an image; 0 of grey ones without that axis."""
    if len(one.shape) == GREY:
        return 0
    return one.shape[-1] if one.shape[-1] in CHANNELS else one.shape[1]


def _whole(archive: zipfile.ZipFile, name: str) -> np.ndarray[Any, Any]:
    with archive.open(f"{name}{ENDING}") as source:
        found: np.ndarray[Any, Any] = np.lib.format.read_array(source, allow_pickle=False)
        return found


def _pictures(file: Path, pairs: dict[str, str], held: dict[str, Header], names: Sequence[str]) -> Iterator[Picture]:
    try:
        with zipfile.ZipFile(file) as archive:
            for image, label in pairs.items():
                given = _classes(f"{file}, {visible(label)}", _whole(archive, label), names)
                for one, (text, several) in zip(_each(archive, image, held[image]), given, strict=True):
                    yield Picture(_as_png(one), text, split_of(image), None, several)
    except BROKEN as error:
        raise broken(file, error) from None


def _each(archive: zipfile.ZipFile, name: str, one: Header) -> Iterator[np.ndarray[Any, Any]]:
    """Image by image, the channels last: the whole array may be larger than the memory."""
    shape, first = one.shape[1:], _channels(one) and one.shape[-1] not in CHANNELS
    if one.columns_first:
        yield from (np.moveaxis(image, 0, -1) if first else image for image in _whole(archive, name))
        return
    size = int(np.prod(shape)) * one.kind.itemsize
    with archive.open(f"{name}{ENDING}") as source:
        _begun(source, name)
        for _ in range(one.shape[0]):
            data = source.read(size)
            if len(data) < size:
                raise EOFError(f"{name} ends early")
            image = np.frombuffer(data, one.kind).reshape(shape)
            yield np.moveaxis(image, 0, -1) if first else image


def _classes(where: str, held: np.ndarray[Any, Any], names: Sequence[str]) -> Iterator[tuple[str | None, bool]]:
    """The label of each row, and whether it is the text of a set; a row of 0 and 1 has a place for each class."""
    if held.dtype.kind not in "biufUS":
        raise DataError(f"{where}: {held.dtype} tells no classes: save their numbers or names")
    if held.dtype.kind == "S":
        held = held.astype(str)
    if held.ndim == 1 or held.shape[1] == 1:
        for number, value in enumerate(held.ravel().tolist()):
            yield class_of(value, names, f"{where}, row {number}"), False
        return
    if held.dtype.kind == "U" or not np.isin(held, (0, 1)).all():
        raise DataError(f"{where}: {held.shape[1]} numbers for each image that are not 0 and 1 alone tell no classes")
    if names and len(names) != held.shape[1]:
        raise DataError(f"{where}: {held.shape[1]} columns of 0 and 1, and {len(names)} names of classes")
    several = bool((held.sum(axis=1) != 1).any())
    called = names or [str(number) for number in range(held.shape[1])]
    for row in held:
        found = [called[place] for place in np.flatnonzero(row).tolist()]
        yield (of_list(found, where) if several else found[0]), several


def _as_png(pixels: np.ndarray[Any, Any]) -> bytes:
    """The file of an image, without loss."""
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.ndim > FLAT and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG", compress_level=1)
    return out.getvalue()
