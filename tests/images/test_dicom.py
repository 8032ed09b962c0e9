"""DICOM files become the pixels that a viewer shows; what cannot be read is told, and nothing holds up its reader."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from medical import file_of
from PIL import Image, UnidentifiedImageError
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from sightline.data.sources import scan
from sightline.images import dicom, kinds, reading
from sightline.images.reading import UnreadableImage, decode, inspect, open_image, to_rgb

if TYPE_CHECKING:
    from pathlib import Path


def shown(data: bytes) -> np.ndarray[Any, Any]:
    """The grey of the image, which has all three colours alike."""
    pixels = np.asarray(to_rgb(open_image(data)))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


HOUNSFIELD = np.arange(-1000, 1000, 10, dtype=np.int16).reshape(20, 10)
WINDOW: dict[str, Any] = {
    "WindowCenter": [40, 500],
    "WindowWidth": [400, 2000],
    "RescaleSlope": 1,
    "RescaleIntercept": 0,
}


def test_grey_comes_by_the_first_window() -> None:
    """Linear between its ends (PS3.3, C.11.2.1.2), black below and white above, after slope and intercept."""
    ends = 40 - 0.5 - 399 / 2, 40 - 0.5 + 399 / 2
    wanted = np.round(np.clip((HOUNSFIELD - ends[0]) / (ends[1] - ends[0]), 0, 1) * 255)
    assert abs(shown(file_of(HOUNSFIELD, **WINDOW)) - wanted).max() <= 1
    stored = ((HOUNSFIELD + 1024) // 2).astype(np.uint16)
    scaled = {**WINDOW, "RescaleSlope": 2, "RescaleIntercept": -1024, "BitsStored": 12}
    assert abs(shown(file_of(stored, **scaled)) - wanted).max() <= 1


def test_air_is_dark_whichever_way_it_is_counted() -> None:
    """MONOCHROME1 is turned round, with a window and without one."""
    turned: dict[str, Any] = {"PhotometricInterpretation": "MONOCHROME1"}
    for more in (WINDOW, dict[str, Any]()):
        there, back = shown(file_of(HOUNSFIELD, **more)), shown(file_of(HOUNSFIELD, **more, **turned))
        assert (back == 255 - there).all()
    deep = np.arange(200, dtype=np.uint16).reshape(20, 10) * 20
    image = open_image(file_of(deep, BitsStored=12, **turned))
    image.load()
    assert (np.asarray(image) == 4095 - deep).all()


def test_levels_without_a_window() -> None:
    """Deep unsigned ones stay, for the white of the set; signed ones spread; few bits are stretched to eight."""
    deep = np.arange(200, dtype=np.uint16).reshape(20, 10) * 20
    header, _ = inspect(file_of(deep, BitsStored=12), 8)
    assert (header.format, header.mode, header.top) == ("DICOM", "I;16", 3980)
    assert (decode(file_of(deep, BitsStored=12), 10, white=4095) <= 248).all()
    for width in (0, 0.5, "", None, [0, 400]):
        data = file_of(deep, BitsStored=12, WindowCenter=40, WindowWidth=width)
        assert inspect(data, 8)[0] == header, width
    assert (shown(file_of(HOUNSFIELD)).min(), shown(file_of(HOUNSFIELD)).max()) == (0, 255)
    assert (shown(file_of(np.full((4, 4), 7, np.int16))) == 0).all()
    assert shown(file_of(np.arange(16, dtype=np.uint8).reshape(4, 4), BitsStored=4)).tolist()[3][3] == 255


def test_table_of_a_viewer_decides() -> None:
    """A table of levels (VOI LUT) stands before windows."""
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 8], (255 - np.arange(256)).astype(np.uint16).tobytes()
    pixels = np.arange(200, dtype=np.uint8).reshape(20, 10)
    data = file_of(pixels, VOILUTSequence=[table], WindowCenter=1, WindowWidth=2)
    assert (shown(data) == 255 - pixels).all()


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless])
def test_colour_and_frames(syntax: UID) -> None:
    """RGB as it is, deeper ones by their upper bits; of several frames the first, which is told."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 12, 10, 3)).astype(np.uint8)
    header, image = inspect(file_of(pixels, syntax, NumberOfFrames=3), 8)
    assert (header.mode, header.width, header.height, header.several) == ("RGB", 10, 12, True)
    assert (np.asarray(image) == pixels[0]).all()
    for bits, factor in ((16, 256), (12, 16)):
        deep = pixels[0].astype(np.uint16) * factor + 3
        assert (np.asarray(to_rgb(open_image(file_of(deep, syntax, BitsStored=bits)))) == pixels[0]).all()


def test_palette() -> None:
    """Colours by the tables of the file."""
    more: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for number, name in enumerate(("Red", "Green", "Blue")):
        more[f"{name}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        more[f"{name}PaletteColorLookupTableData"] = (np.arange(256, dtype=np.uint16) * 257 // (number + 1)).tobytes()
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    found = np.asarray(to_rgb(open_image(file_of(pixels, **more))))
    assert (found[..., 0] == pixels).all()
    assert (found[..., 2] == pixels.astype(int) * 257 // 3 >> 8).all()


def elements(number: int) -> bytes:
    return b"".join(struct.pack("<HH", 9, one % 60_000) + b"LO\0\0" for one in range(number))


BEGUN = file_of(np.zeros((4, 4), np.uint8))
HEAD = BEGUN[: BEGUN.index(struct.pack("<HH", 8, 0x16))]
OPEN = struct.pack("<HH", 8, 0x1115) + b"SQ\0\0\xff\xff\xff\xff"
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
GREY = np.zeros((4, 4), np.uint8)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (file_of(GREY, JPEGLosslessSV1, PixelData=encapsulate([b"x"])), "`pip install python-gdcm` reads it"),
        (file_of(GREY, JPEGLSLossless, PixelData=encapsulate([b"x"])), "a DICOM image in JPEG-LS Lossless"),
        (file_of(GREY, DeflatedExplicitVRLittleEndian), "deflated as a whole"),
        (file_of(GREY, Rows=0), "without pixels"),
        (HEAD, "without pixels"),
        (file_of(GREY, PhotometricInterpretation="HSV"), "a DICOM image in HSV, which is not read"),
        (file_of(np.zeros((4, 4), np.uint32)), "of 32 bits for each pixel"),
        (file_of(GREY, PixelData=b"\0" * 7), "damaged pixels: The number of bytes of pixel data is less than expected"),
        (file_of(GREY, Rows=60_000, Columns=60_000), "above the limit of 89 megapixels"),
        (HEAD + elements(200_000), "of more than some 16,666 elements"),
        (HEAD + OPEN + ITEM + elements(200_000), "of more than some 16,666 elements"),
        (HEAD + OPEN + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 200_000, "of more than some 16,666 elements"),
        (HEAD + (OPEN + ITEM) * 5_000, "maximum recursion depth"),
        (file_of(GREY, WindowCenter=[1] * 200_000, WindowWidth=[1] * 200_000), "whose WindowCenter is longer than"),
        (
            file_of(GREY, RLELossless, PixelData=b"\xfe\xff\x00\xe0\0\0\0\0" * 60_000),
            "of more than some 16,666 elements",
        ),
    ],
)
def test_what_is_not_read_is_told(data: bytes, said: str) -> None:
    """Each in a sentence, before it costs more than other images."""
    with pytest.raises(UnreadableImage, match=r".") as told:
        to_rgb(open_image(data))
    assert said in str(told.value)


def test_deflated_files_are_not_swollen_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser inflates a whole file before it says anything of it: it is not asked."""
    data = file_of(GREY, DeflatedExplicitVRLittleEndian)
    monkeypatch.setattr("pydicom.dcmread", None)
    with pytest.raises(UnreadableImage, match="deflated as a whole"):
        open_image(data)


def test_damaged_files_are_unreadable_images() -> None:
    """Cut anywhere, or any byte flipped: an image, or a reason, and no other error."""
    whole = file_of(HOUNSFIELD, RLELossless, **WINDOW)
    rng = np.random.default_rng(0)
    damaged = [whole[:end] for end in range(0, len(whole), 29)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in rng.integers(0, len(whole), 150)]
    told = 0
    for one in damaged:
        try:
            inspect(one, 8)
        except UnreadableImage:
            told += 1
    assert told > 20


def test_files_without_an_ending_are_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scanners call them; without the library each is told to need it."""
    (tmp_path / "lung").mkdir()
    for name in ("IM000001", "1.2.840.113619.2", "a.dcm"):
        (tmp_path / "lung" / name).write_bytes(BEGUN)
    assert {item.path for item in scan(tmp_path)} == {"lung/IM000001", "lung/1.2.840.113619.2", "lung/a.dcm"}
    assert "pydicom" in reading.libraries()
    monkeypatch.setattr(dicom, "is_at_hand", lambda: False)
    assert "pydicom" not in reading.libraries()
    with pytest.raises(UnreadableImage, match=r"a DICOM image: `pip install 'sightline\[dicom\]'` reads it"):
        open_image(BEGUN)


def test_other_libraries_open_what_they_like() -> None:
    """Pillow's own formats are as before once a DICOM file was read."""
    shown(BEGUN)
    out = io.BytesIO()
    Image.new("L", (8, 8)).save(out, "JPEG2000")
    assert Image.open(io.BytesIO(out.getvalue())).format == "JPEG2000"
    assert "DICOM" not in Image.ID
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(BEGUN))


def test_others_are_not_taken_for_it() -> None:
    """An image whose 128th byte happens to begin so is what it begins as."""
    out = io.BytesIO()
    Image.new("RGB", (40, 40)).save(out, "BMP")
    data = out.getvalue()
    data = data[:128] + b"DICM" + data[132:]
    assert kinds.is_image(data)
    assert open_image(data).format == "BMP"
