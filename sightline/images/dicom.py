"""DICOM files, as scanners and clinics write them, opened by Pillow like any other image.

Grey comes as a viewer shows it: by the first window (or table) of the file, from black to white in 8 bits. Where it
asks for none, unsigned levels stay as 16-bit grey, which one white of the whole set scales, and signed ones go from
the lowest to the highest. MONOCHROME1 is turned round, so that air is dark. Of several frames the first is read.
What the numbers mean: DICOM PS3.3, C.7.6.3 and C.11.

The parser is written in Python, and holds up whoever waits for it: files of very many parts are refused.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pydicom import Dataset

FORMAT = "DICOM"
WITHOUT = "a DICOM image: `pip install 'sightline[dicom]'` reads it, or convert it to PNG"
DEFLATED = b"1.2.840.10008.1.2.1.99"
"""What a file says that is compressed as a whole: the parser swells it, to whatever size, before it looks at it."""
GREY, TURNED, PALETTE = "MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"
COLOUR, BITS, MOST_BITS = 3, 8, 16
READS, CHUNK = 50_000, 1 << 10
"""Reads of a file, one to three for each of its elements and pieces of compressed pixels, and one for so many bytes."""
LONG = 1 << 18
"""Bytes of an element beside the pixels that may be looked at: a table of 16 bits has half of that."""
LOOKED_AT = (
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("VOILUTSequence", "ModalityLUTSequence", "RescaleSlope", "RescaleIntercept", "ExtendedOffsetTable"),
)
FAR = 1e9
"""A level beyond any window."""


class Unread(ValueError):
    """A file that is whole, but of a kind that is not read; the message is the reason in words."""


@cache
def is_at_hand() -> bool:
    """Whether DICOM files can be read."""
    return find_spec("pydicom") is not None


def opened(data: bytes) -> Image.Image:
    """The image of a file, whose pixels are not read yet.

    It is not among the formats that Pillow tries by itself: other libraries open what they like. Raises Unread where
    it cannot be read, and whatever the parser makes of damage.
    """
    from pydicom import config

    # What is odd about other parts of a file is nothing to tell: pixels alone are read.
    config.settings.reading_validation_mode = config.IGNORE
    return DicomFile(io.BytesIO(data))


class DicomFile(ImageFile.ImageFile):
    """A file whose pixels are read when they are asked for."""

    format, format_description = FORMAT, FORMAT

    def _open(self) -> None:
        from pydicom import dcmread

        data = self.fp.read() if self.fp else b""
        if DEFLATED in data:
            raise Unread("a DICOM file that is deflated as a whole: write it anew without")
        dataset = dcmread(_Counted(data))
        _check(dataset)
        self.held: Dataset | None = dataset
        self._size = int(dataset.Columns), int(dataset.Rows)
        self._mode = _mode(dataset)
        self.is_animated = int(dataset.get("NumberOfFrames") or 1) > 1

    def load(self) -> Any:
        """Read the pixels, once."""
        if self.held is not None:
            pixels, self.held = _pixels(self.held), None
            self.im = Image.fromarray(np.ascontiguousarray(pixels)).im
        return Image.Image.load(self)


class _Counted(io.BytesIO):
    """A file that is read some thousand times at most."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.left = READS + len(data) // CHUNK

    def read(self, size: int | None = -1, /) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise Unread(f"a DICOM file of more than some {READS // 3:,} elements and pieces: none that scanners write")
        return super().read(size)


def _check(dataset: Dataset) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    for name in LOOKED_AT:
        if name in dataset and len(dataset.get_item(name).value or "") > LONG:
            raise Unread(f"a DICOM file whose {name} is longer than {LONG:,} bytes: it is none that scanners write")
    if "PixelData" not in dataset or not dataset.get("Rows"):
        raise Unread("a DICOM file without pixels, such as a report or an index")
    if dataset.PhotometricInterpretation not in {GREY, TURNED, PALETTE} and dataset.SamplesPerPixel != COLOUR:
        raise Unread(f"a DICOM image in {dataset.PhotometricInterpretation}, which is not read: convert it to PNG")
    if dataset.BitsAllocated > MOST_BITS:
        raise Unread(f"a DICOM image of {dataset.BitsAllocated} bits for each pixel, which is not read")
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise Unread(
            f"a DICOM image in {syntax.name}: `pip install python-gdcm` reads it, or write it anew uncompressed "
            "(gdcmconv --raw)"
        )


def _mode(dataset: Dataset) -> str:
    if dataset.SamplesPerPixel > 1 or dataset.PhotometricInterpretation == PALETTE:
        return "RGB"
    deep = dataset.BitsStored > BITS and not dataset.PixelRepresentation
    return "I;16" if deep and not _has_window(dataset) else "L"


def _has_window(dataset: Dataset) -> bool:
    """Whether the file asks for a table, or for a window that is one: some write 0."""
    width, centre = dataset.get("WindowWidth"), dataset.get("WindowCenter")
    first = width[0] if isinstance(width, Sequence) and width else width
    return bool(dataset.get("VOILUTSequence")) or (centre is not None and bool(first) and first >= 1)


def _pixels(dataset: Dataset) -> NDArray[Any]:
    """(H, W) of uint8 or uint16, or (H, W, 3) of uint8: the first frame."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    found: NDArray[Any] = pixel_array(dataset, index=0)
    mode = _mode(dataset)
    if mode == "RGB":
        stored = int(dataset.BitsStored)
        if dataset.PhotometricInterpretation == PALETTE:
            found = apply_color_lut(found, dataset)
            stored = 8 * found.itemsize
        return (found >> max(0, stored - BITS)).astype(np.uint8)
    most = (1 << dataset.BitsStored) - 1
    if _has_window(dataset):
        found, most = _shown(found, dataset), 255
    elif dataset.PixelRepresentation:
        low, high = int(found.min()), int(found.max())
        found, most = (found.astype(np.int32) - low) * 255 // max(1, high - low), 255
    elif mode == "L":
        found, most = found.astype(np.uint16) * 255 // most, 255
    if dataset.PhotometricInterpretation == TURNED:
        found = most - found
    return found.astype(np.uint16 if mode == "I;16" else np.uint8)


def _shown(levels: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Levels as the first window or table shows them, 0 to 255."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut, apply_windowing

    shown = apply_voi_lut(apply_modality_lut(levels, dataset), dataset)
    if dataset.get("VOILUTSequence"):
        low, high = 0.0, float((1 << dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    else:
        low, high = apply_windowing(np.array([-FAR, FAR]), dataset)
    return np.clip(np.round((shown - low) * (255 / (high - low))), 0, 255)
