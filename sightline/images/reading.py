"""From the bytes of an image file to pixels: one way, for training and for serving alike.

Policy: allowed formats only, by content; the first frame of an animation; EXIF orientation applied; transparency over
white; 16-bit grey scaled to 8; CMYK, palettes and grey converted to RGB. Nothing larger than the limits is decoded,
and what Pillow takes for a decompression bomb is never decoded. 32-bit and floating-point pixels have no agreed
white, so they are refused.
"""

from __future__ import annotations

import io
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sightline.errors import DataError
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
}
"""Allowed format → how its files are named."""
FORMATS = tuple(EXTENSIONS)
SUFFIXES = frozenset(suffix for suffixes in EXTENSIONS.values() for suffix in suffixes)
SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})
MODES = SIXTEEN_BIT | {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
SIXTEEN_TO_EIGHT = 257  # 65535 / 255
MAX_PIXELS = 25e6
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


def open_image(data: bytes, max_pixels: float = MAX_PIXELS) -> Image.Image:
    """Open `data` without decoding the pixels.

    Raises UnreadableImage with the reason.
    """
    if not data:
        raise UnreadableImage("empty file (0 bytes)")
    try:
        with _bombs_are_errors():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise UnreadableImage(f"not an image of an allowed format ({', '.join(FORMATS)})") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"decompression bomb: {error}") from None
    except MemoryError:
        raise UnreadableImage(TOO_HUNGRY) from None
    except Exception as error:  # noqa: BLE001 — parsers fail in every way on damaged bytes
        raise UnreadableImage(f"broken header: {_words(error)}") from None
    if image.width * image.height > max_pixels:
        raise UnreadableImage(
            f"{image.width}×{image.height} pixels are above the limit of {max_pixels / 1e6:g} megapixels"
        )
    # Of the 32-bit images only those of PPM are known to count to 65,535.
    if image.mode not in MODES or (image.mode == "I" and image.format != "PPM"):
        raise UnreadableImage(f"pixel mode {image.mode} is not supported")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Decode and convert by the policy of this module; may return `image` itself.

    Raises UnreadableImage where the pixels are damaged.
    """
    return _upright(image, _converted)


def to_grey(image: Image.Image) -> Image.Image:
    """Decode and convert to 8-bit grey by the same policy; may return `image` itself.

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


def _converted(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in SIXTEEN_BIT:
        return Image.fromarray((np.asarray(image) // SIXTEEN_TO_EIGHT).astype(np.uint8)).convert("RGB")
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


def decode(data: bytes, size: int, max_pixels: float = MAX_PIXELS, fit: Fit = "squeeze") -> NDArray[np.uint8]:
    """Pixels of the image in `data`, made a square by `fit`: uint8 array of shape (size, size, 3).

    Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    # JPEG decodes at 1/2, 1/4 or 1/8 directly where that is still at least the wanted size.
    image.draft(None, (size, size))
    return squared(to_rgb(image), size, fit)


def inspect(
    data: bytes, side: int, max_pixels: float = MAX_PIXELS, *, grey: bool = False
) -> tuple[Header, Image.Image]:
    """What the file says of itself, and its pixels: upright, RGB or 8-bit grey, decoded once.

    A JPEG comes at the smallest of the scales 1, 1/2, 1/4, 1/8 that leaves both sides at least `side`: all of its
    bytes are decoded all the same, so that damage shows. Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    header = Header(image.format or "", image.mode, image.width, image.height)
    # A JPEG stores grey apart from the colours, which are then neither enlarged nor converted.
    image.draft("L" if grey else None, (side, side))
    return header, to_grey(image) if grey else to_rgb(image)


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
