"""From the bytes of an image file to pixels: one way, for training and for serving alike.

Policy: allowed formats only, by content; the first frame of an animation; EXIF orientation applied; transparency over
white; 16-bit grey scaled to 8, DICOM by its window; CMYK, palettes and grey converted to RGB. Nothing larger than the
limits is decoded, and what Pillow takes for a decompression bomb is never decoded. 32-bit and floating-point pixels
have no agreed white, so they are refused.

The white of 16-bit grey is the highest level that as many bits hold as the brightest image of the data set needs: a
camera of 12 bits counts to 4,095 in files of 16. A model keeps that white with its weights; brighter levels are white.
Where one image is looked at by itself, its own brightest level decides.
"""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sightline.errors import DataError
from sightline.images import dicom, kinds
from sightline.images.shape import squared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from sightline.images.shape import Fit

EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "AVIF": (".avif",),
    "HEIF": (".heic", ".heif", ".hif"),
    dicom.FORMAT: (".dcm", ".dicom"),
}
"""Allowed format → how its files are named."""
FORMATS = tuple(name for name in EXTENSIONS if name not in {"HEIF", dicom.FORMAT})
"""Those that Pillow reads by itself."""
SUFFIXES = frozenset(suffix for suffixes in EXTENSIONS.values() for suffix in suffixes)
SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})
MODES = SIXTEEN_BIT | {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
WHITE = 65535
"""Of 16-bit grey, where nothing is known of the data set."""
FEWEST_BITS = 8
ORIENTATION, LYING = 0x0112, frozenset({5, 6, 7, 8})
"""EXIF's tag, and its values for images that lie on their side."""
START, SCAN, END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
"""Markers of a JPEG: of itself, of its pixels, of its end."""
MAX_PIXELS = 25e6
"""Of images whose project says nothing else."""
BOMB = 89e6
"""Pixels from which on Pillow sees a bomb: the limit of what a project has looked at and accepted before."""
WITHOUT_HEIF = "an HEIC photo: `pip install 'sightline[heif]'` reads it, or convert it to JPEG"
TOO_HUNGRY = "reading it needs more memory than is allowed"


class UnreadableImage(DataError):
    """The bytes are not an image that may be read; the message is the reason in words."""


@dataclass(frozen=True)
class Header:
    """What the file says of itself."""

    format: str
    mode: str
    width: int
    height: int
    top: int | None = None
    """Highest level of 16-bit grey; None of other modes."""
    several: bool = False
    """There are more pictures in it than the first, which alone is read."""


def white_of(top: int) -> int:
    """The white of 16-bit images whose highest level is `top`: what that many bits hold, 8 at least."""
    return int((1 << max(FEWEST_BITS, top.bit_length())) - 1)


def libraries() -> dict[str, str]:
    """The libraries that decode, with their versions: others may give other pixels, or read what was not read."""
    more = {"pillow-heif": has_heif(), "pydicom": dicom.is_at_hand()}
    names = ("pillow", "numpy", "simplejpeg", *(name for name, is_there in more.items() if is_there))
    return {name: version(name) for name in names}


@cache
def has_heif() -> bool:
    """Whether HEIC photos can be read."""
    return find_spec("pillow_heif") is not None


@cache
def _prepare_modern() -> None:
    """HEIF and AVIF are decoded by one thread each: there is a process or a thread for each core already."""
    from PIL import AvifImagePlugin

    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    if has_heif():
        import pillow_heif

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)


def open_image(data: bytes, max_pixels: float = BOMB) -> Image.Image:
    """Open `data` without decoding the pixels.

    Raises UnreadableImage with the reason.
    """
    if not data:
        raise UnreadableImage("empty file (0 bytes)")
    image = _opened(data)
    if image.width * image.height > max_pixels:
        raise UnreadableImage(
            f"{image.width}×{image.height} pixels are above the limit of {max_pixels / 1e6:g} megapixels"
        )
    # Of the 32-bit images only those of PPM are known to count to 65,535.
    if image.mode not in MODES or (image.mode == "I" and image.format != "PPM"):
        raise UnreadableImage(f"pixel mode {image.mode} is not supported")
    return _opened(data + END) if _lacks_its_end(data) else image


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height that the image will have once it stands upright."""
    # Pillow's TIFF has the sides of the upright image from the beginning.
    turned = image.format != "TIFF" and image.getexif().get(ORIENTATION) in LYING
    return (image.height, image.width) if turned else (image.width, image.height)


def _opened(data: bytes) -> Image.Image:
    start = data[: kinds.LOOKED_AT]
    formats = _formats(start)
    try:
        with _bombs_are_errors():
            if kinds.is_dicom(start):
                return dicom.opened(data)
            return Image.open(io.BytesIO(data), formats=formats)
    except dicom.Unread as error:
        raise UnreadableImage(str(error)) from None
    except UnidentifiedImageError:
        what = kinds.named(data)
        allowed = f"not an image of an allowed format ({', '.join(FORMATS)})"
        raise UnreadableImage(f"{allowed}, but {what}" if what else allowed) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"decompression bomb: {error}") from None
    except MemoryError:
        raise UnreadableImage(TOO_HUNGRY) from None
    except Exception as error:  # noqa: BLE001 — parsers fail in every way on damaged bytes
        raise UnreadableImage(f"broken header: {_words(error)}") from None


def _formats(start: bytes) -> tuple[str, ...]:
    """What Pillow tries a file as that begins so. Raises UnreadableImage where what reads it is not installed."""
    if kinds.is_dicom(start) and not dicom.is_at_hand():
        raise UnreadableImage(dicom.WITHOUT)
    if kinds.is_heif(start) and not has_heif():
        raise UnreadableImage(WITHOUT_HEIF)
    if kinds.brands(start):
        _prepare_modern()
    return ("HEIF",) if kinds.is_heif(start) else FORMATS


def _lacks_its_end(data: bytes) -> bool:
    """Whether it is a JPEG that lacks the marker of its end and nothing else: all of its pixels are there."""
    if not data.startswith(START) or data.find(SCAN, max(0, data.rfind(END))) < 0:
        return False
    from simplejpeg import decode_jpeg

    try:
        # Strictly: libjpeg makes up what is missing. An eighth of the size is faster; all of it is read all the same.
        decode_jpeg(data + END, "GRAY", min_height=1, min_width=1, strict=True)
    except ValueError:
        return False
    return True


def to_rgb(image: Image.Image, white: int | None = None) -> Image.Image:
    """Decode and convert by the policy of this module; may return `image` itself.

    `white`: of 16-bit grey; None: by its own brightest level. Raises UnreadableImage where the pixels are damaged.
    """
    return _upright(image, partial(_converted, white=white))


def to_grey(image: Image.Image) -> Image.Image:
    """Decode and convert to 8-bit grey, 16-bit grey by its own brightest level; may return `image` itself.

    Raises UnreadableImage where the pixels are damaged.
    """
    return _upright(image, _grey)


def _upright(image: Image.Image, convert: Callable[[Image.Image], Image.Image]) -> Image.Image:
    try:
        with _bombs_are_errors():
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return convert(image)
    except MemoryError:
        raise UnreadableImage(TOO_HUNGRY) from None
    except Exception as error:  # noqa: BLE001 — decoders fail in every way on damaged bytes
        raise UnreadableImage(f"damaged pixels: {_words(error)}") from None


def _converted(image: Image.Image, white: int | None = None) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in SIXTEEN_BIT:
        levels = np.asarray(image).astype(np.uint32)
        white = white_of(int(levels.max())) if white is None else white
        return Image.fromarray((np.minimum(levels, white) * 255 // white).astype(np.uint8)).convert("RGB")
    if image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        # RGBa holds premultiplied colours: they must be divided before they are laid over white.
        pixels = image if image.mode == "RGBA" else image.convert("RGBA")
        ground = Image.new("RGB", pixels.size, "white")
        ground.paste(pixels, mask=pixels.getchannel("A"))
        return ground
    return image.convert("RGB")


def _grey(image: Image.Image) -> Image.Image:
    is_grey = image.mode == "L" and "transparency" not in image.info
    return image if is_grey else _converted(image).convert("L")


def decode(
    data: bytes, size: int, max_pixels: float = BOMB, fit: Fit = "squeeze", white: int = WHITE
) -> NDArray[np.uint8]:
    """Pixels of the image in `data`, made a square by `fit`: uint8 array of shape (size, size, 3).

    `white`: of 16-bit grey. Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    # JPEG decodes at 1/2, 1/4 or 1/8 directly where that is still at least the wanted size.
    image.draft(None, (size, size))
    return squared(to_rgb(image, white), size, fit)


def inspect(data: bytes, side: int, max_pixels: float = BOMB, *, grey: bool = False) -> tuple[Header, Image.Image]:
    """What the file says of itself, and its pixels: upright, RGB or 8-bit grey, decoded once.

    A JPEG comes at the smallest of the scales 1, 1/2, 1/4, 1/8 that leaves both sides at least `side`: all of its
    bytes are decoded all the same, so that damage shows. Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    header = Header(image.format or "", image.mode, image.width, image.height, several=_holds_several(image))
    # A JPEG stores grey apart from the colours, which are then neither enlarged nor converted.
    image.draft("L" if grey else None, (side, side))
    pixels = to_grey(image) if grey else to_rgb(image)
    return replace(header, top=int(np.asarray(image).max())) if header.mode in SIXTEEN_BIT else header, pixels


def _holds_several(image: Image.Image) -> bool:
    """Whether there are pages or frames behind the first; what a camera adds to its JPEG (MPO) is none."""
    with suppress(Exception):  # what lies behind the first picture may be damaged in every way
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    return False


def png(pixels: NDArray[np.uint8]) -> bytes:
    """The image uint8 (H, W, 3) as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _words(error: BaseException) -> str:
    """One line without addresses of memory, which differ from run to run."""
    return " ".join(re.sub(r"<(\S+)[^>]*>", r"\1", str(error)).split())[:200] or type(error).__name__


@contextmanager
def _bombs_are_errors() -> Iterator[None]:
    """Pillow also warns of broken metadata, which is not used."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield
