"""From the bytes of an image file to pixels: one way, for training and for serving alike.

Policy: allowed formats only, by content; the first frame of an animation; EXIF orientation applied; transparency over
white; 16-bit grey scaled to 8; CMYK, palettes and grey converted to RGB. Nothing larger than the limits is decoded.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from sightline.data.statistics import LARGEST
from sightline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .bmp .dib .gif .tif .tiff .webp .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
MODES = frozenset({"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I;16"})
SIXTEEN_TO_EIGHT = 257  # 65535 / 255


class UnreadableImage(DataError):
    """The bytes are not an image that may be read; the message is the reason in words."""


@dataclass(frozen=True)
class Header:
    """What the file says of itself."""

    format: str
    mode: str
    width: int
    height: int


def open_image(data: bytes, max_pixels: float = 64e6) -> Image.Image:
    """Open `data` without decoding the pixels.

    Raises UnreadableImage with the reason.
    """
    if not data:
        raise UnreadableImage("empty file (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Pillow warns of bombs and broken metadata; our own limit is lower, and metadata is not used.
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.UnidentifiedImageError:
        raise UnreadableImage(f"not an image of an allowed format ({', '.join(FORMATS)})") from None
    except (OSError, ValueError, SyntaxError, EOFError, OverflowError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"broken header: {error}") from None
    if image.width * image.height > max_pixels:
        raise UnreadableImage(f"{image.width}×{image.height} pixels are above the limit of {max_pixels / 1e6:g} megapixels")
    if not image.width or not image.height:
        raise UnreadableImage("an image without pixels")
    if image.mode not in MODES:
        raise UnreadableImage(f"pixel mode {image.mode} is not supported")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Decode and convert by the policy of this module.

    Raises UnreadableImage where the pixels are damaged.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
            image = ImageOps.exif_transpose(image)
    except Exception as error:  # noqa: BLE001 — decoders fail in every way on damaged bytes
        raise UnreadableImage(f"damaged pixels: {error}") from None
    if image.mode == "I;16":
        return Image.fromarray((np.asarray(image) // SIXTEEN_TO_EIGHT).astype(np.uint8)).convert("RGB")
    if image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info:
        pixels = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", pixels.size, "white"), pixels).convert("RGB")
    return image.convert("RGB")


def decode(data: bytes, size: int, max_pixels: float = 64e6) -> NDArray[np.uint8]:
    """Pixels of the image in `data`, squeezed to a square: uint8 array of shape (size, size, 3).

    Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    # JPEG decodes at 1/2, 1/4 or 1/8 directly where that is still at least the wanted size.
    image.draft(None, (size, size))
    pixels = to_rgb(image)
    if pixels.size != (size, size):
        pixels = pixels.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(pixels)


def inspect(data: bytes, max_pixels: float = 64e6) -> tuple[Header, Image.Image]:
    """Read the header and decode the pixels once, to know that they are whole; a large JPEG at a smaller scale.

    Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    header = Header(image.format or "", image.mode, image.width, image.height)
    # A damaged JPEG shows itself at any scale; the statistics look at no more than this.
    image.draft(None, (LARGEST, LARGEST))
    return header, to_rgb(image)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """The image uint8 (H, W, 3) as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
