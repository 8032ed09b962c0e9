from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from medical import file_of
from PIL import Image

from sightline.images.reading import (
    EXTENSIONS,
    MAX_PIXELS,
    UnreadableImage,
    decode,
    inspect,
    open_image,
    to_rgb,
    upright_size,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray


def saved(image: Image.Image, kind: str, **how: Any) -> bytes:
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if kind == "DICOM":
        return file_of(np.asarray(image))
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def square(data: bytes) -> NDArray[np.uint8]:
    """The middle pixel of each quarter of a 16-pixel image, (2, 2, 3)."""
    return decode(data, 16)[4::8, 4::8]


def halves(mode: str, first: Any, second: Any) -> Image.Image:
    """16×16 pixels, left half and right half."""
    image = Image.new(mode, (16, 16), first)
    image.paste(second, (8, 0, 16, 16))
    return image


def png(width: int, height: int, *chunks: tuple[bytes, bytes], kind: int = 2) -> bytes:
    """A PNG file with this header, whatever follows."""
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0))
    parts = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in (header, *chunks, (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


@pytest.mark.parametrize("kind", sorted(EXTENSIONS))
def test_every_allowed_format_is_read(kind: str) -> None:
    """Format, size and colours come back from each allowed format."""
    data = saved(halves("RGB", (200, 30, 30), (30, 30, 200)), kind)
    header, pixels = inspect(data, 8)
    assert (header.format, header.width, header.height) == (kind, 16, 16)
    assert pixels.mode == "RGB"
    assert np.allclose(square(data)[:, 0], (200, 30, 30), atol=30)
    assert np.allclose(square(data)[:, 1], (30, 30, 200), atol=30)


@pytest.mark.parametrize("kind", ["ICO", "TGA", "PCX", "ICNS", "PDF", "EPS", "JPEG2000"])
def test_other_formats_are_refused_by_content(kind: str) -> None:
    """Whatever the file is called, only the allowed decoders see its bytes."""
    with pytest.raises(UnreadableImage, match="not an image of an allowed format"):
        inspect(saved(Image.new("RGB", (32, 32)), kind), 8)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS.*run `git lfs pull`"),
        (b"/annex/objects/SHA256E-s1--0.jpg\n", "a pointer of git-annex.*run `git annex get`"),
        (b"\n<!DOCTYPE html>\n<html>", "a web page: the download failed"),
        (b'<?xml version="1.0"?>\n<svg xmlns="">', "an SVG drawing"),
        (b"<?xml version='1.0'?><annotation/>", "an XML file"),
        (b'{"error": 404}', "a JSON file"),
        (b"PK\x03\x04\0\0", "an archive: unpack it, or give it to `sightline init"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video"),
        (b"\0" * 4096, "nothing but zeros"),
        ("größe\n".encode(), "a text"),
    ],
)
def test_what_is_no_image_is_named(data: bytes, words: str) -> None:
    """As what it is, with the remedy where there is one."""
    with pytest.raises(UnreadableImage, match=f"not an image of an allowed format .*, but {words}"):
        inspect(data, 8)


@pytest.mark.parametrize("lost", [1, 2])
def test_jpeg_that_lacks_its_end_is_whole(lost: int) -> None:
    """Its pixels are all there, and the same; one that was cut before is refused."""
    data = saved(Image.effect_noise((64, 64), 80).convert("RGB"), "JPEG")
    assert np.array_equal(decode(data[:-lost], 64), decode(data, 64))
    with pytest.raises(UnreadableImage, match="damaged pixels"):
        decode(data[:-40], 64)


def test_cmyk_becomes_rgb() -> None:
    """A CMYK JPEG, as print shops make them, shows its colours and not their negative."""
    data = saved(halves("CMYK", (0, 255, 255, 0), (0, 0, 0, 0)), "JPEG")
    assert open_image(data).mode == "CMYK"
    assert np.allclose(square(data)[:, 0], RED, atol=20)
    assert np.allclose(square(data)[:, 1], WHITE, atol=20)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B"), ("PPM", "I")])
def test_sixteen_bits_are_scaled_to_eight(kind: str, mode: str) -> None:
    """16-bit grey keeps its range: the half of 65,535 becomes the half of 255, not white."""
    levels = np.full((16, 16), 65535 // 2, dtype=">u2" if mode == "I;16B" else "<u2")
    levels[:, 8:] = 65535
    image = (
        Image.fromarray(levels.astype(np.int32)) if mode == "I" else Image.frombytes(mode, (16, 16), levels.tobytes())
    )
    data = saved(image, kind)
    assert open_image(data).mode == mode
    assert square(data)[0].tolist() == [[127] * 3, [255] * 3]


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "I;16"), ("TIFF", "I;16"), ("TIFF", "I;16B")])
def test_twelve_bits_in_sixteen_use_the_range(kind: str, mode: str) -> None:
    """In either kind of file the white of the data set, or of the image alone, becomes 255; brighter levels too."""
    levels = np.full((16, 16), 4095 // 2, dtype=">u2" if mode == "I;16B" else "<u2")
    levels[:, 8:] = 4095
    data = saved(Image.frombytes(mode, (16, 16), levels.tobytes()), kind)
    assert decode(data, 16, white=4095)[0, [0, 15]].tolist() == [[127] * 3, [255] * 3]
    assert np.asarray(to_rgb(open_image(data)))[0, [0, 15]].tolist() == [[127] * 3, [255] * 3]
    assert decode(data, 16, white=2047)[0, [0, 15]].tolist() == [[255] * 3, [255] * 3]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_an_agreed_white_are_refused(mode: str) -> None:
    """32-bit and floating-point TIFFs hold measurements, not colours."""
    with pytest.raises(UnreadableImage, match=f"pixel mode {mode} is not supported"):
        inspect(saved(Image.new(mode, (16, 16), 1), "TIFF"), 8)


def test_palette_becomes_its_colours() -> None:
    """The pixels of a palette image are its colours, not their numbers."""
    data = saved(halves("RGB", RED, BLUE).convert("P", palette=Image.Palette.ADAPTIVE), "PNG")
    assert open_image(data).mode == "P"
    assert square(data)[0].tolist() == [list(RED), list(BLUE)]


@pytest.mark.parametrize(
    ("image", "how"),
    [
        (halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), {}),
        (halves("P", 1, 0), {"transparency": 0}),
        (halves("RGB", RED, BLUE), {"transparency": BLUE}),
    ],
)
def test_transparency_is_laid_over_white(image: Image.Image, how: dict[str, Any]) -> None:
    """What cannot be seen is white, whatever colour is stored there."""
    if image.mode == "P":
        image.putpalette([*BLUE, *RED])
    assert square(saved(image, "PNG", **how))[0].tolist() == [list(RED), list(WHITE)]


def test_half_transparent_grey_is_mixed_with_white() -> None:
    """Black at half opacity is middle grey."""
    assert square(saved(Image.new("LA", (16, 16), (0, 128)), "PNG"))[0, 0].tolist() == [127] * 3


def test_the_first_frame_of_an_animation_counts() -> None:
    """GIF, PNG and WebP animations are their first picture."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    for kind in ("GIF", "PNG", "WEBP"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
        assert square(data)[0, 0].tolist() == list(RED), kind


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """A photo is seen as it was taken, however the camera was held."""
    upright = Image.new("RGB", (32, 16), BLUE)
    upright.paste(RED, (0, 0, 16, 8))
    # What the camera stores is turned back by the method that each orientation stands for.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(stored, "PNG", exif=exif)
    header, pixels = inspect(data, 8)
    assert (header.width, header.height) == stored.size
    assert np.array_equal(np.asarray(pixels), np.asarray(upright))


def test_a_header_beyond_the_limit_is_not_decoded() -> None:
    """10⁹ pixels in a few bytes are refused by the header alone."""
    for side, words in (
        (6000, "above the limit of 25 megapixels"),
        (31_623, "decompression bomb"),
        (2**31 - 1, "bomb"),
    ):
        with pytest.raises(UnreadableImage, match=words):
            inspect(png(side, side), 8, MAX_PIXELS)


def test_the_limit_can_be_raised_only_below_a_bomb() -> None:
    """What Pillow warns of is refused, whatever limit was given."""
    with pytest.raises(UnreadableImage, match="decompression bomb"):
        inspect(png(10_000, 10_000), 8, max_pixels=1e12)


@pytest.mark.parametrize("kind", sorted(EXTENSIONS))
def test_half_a_file_is_refused_or_whole(kind: str) -> None:
    """A truncated file is never taken for an image with a grey half."""
    data = saved(Image.effect_noise((64, 64), 80).convert("RGB"), kind)
    with pytest.raises(UnreadableImage, match=r"damaged pixels|broken header|allowed format"):
        inspect(data[: len(data) // 2], 8)


def test_a_file_without_bytes_has_its_own_reason() -> None:
    """Empty files are frequent: a full disk made them."""
    with pytest.raises(UnreadableImage, match="empty file"):
        inspect(b"", 8)


def test_a_reason_is_one_line_without_addresses() -> None:
    """Reasons go into the manifest: equal bytes, equal reasons."""
    with pytest.raises(UnreadableImage) as caught:
        inspect(png(16, 16, (b"IDAT", b"\0" * 20)), 8)
    assert "\n" not in str(caught.value)
    assert "0x" not in str(caught.value)


def test_a_text_chunk_that_swells_is_no_harm() -> None:
    """A PNG comment of a few kilobytes that unpacks to 64 MB is refused."""
    swollen = zlib.compress(b"\0" * 64_000_000, 9)
    with pytest.raises(UnreadableImage, match="large"):
        inspect(png(16, 16, (b"zTXt", b"note\0\0" + swollen)), 8)


def test_jpegs_are_decoded_small_where_that_will_do() -> None:
    """Reading for facts costs no more pixels than it needs, but at least the side asked for."""
    data = saved(Image.effect_noise((512, 400), 50), "JPEG")
    assert inspect(data, 128)[1].size == (256, 200)
    assert inspect(data, 300)[1].size == (512, 400)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_grey_is_what_the_colours_say(kind: str) -> None:
    """The grey that a JPEG stores is that of its colours, within rounding; the header tells what the file holds."""
    picture = Image.linear_gradient("L").convert("RGB").resize((200, 120))
    picture.paste((200, 40, 90), (20, 20, 90, 90))
    data = saved(picture, kind)
    (header, colours), (same, grey) = inspect(data, 64), inspect(data, 64, grey=True)
    assert (header, colours.size) == (same, grey.size)
    assert (colours.mode, grey.mode) == ("RGB", "L")
    difference = np.asarray(colours.convert("L"), dtype=int) - np.asarray(grey, dtype=int)
    assert np.abs(difference).max() <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("turned", [1, 3, 6, 8])
def test_sides_are_known_before_it_stands_upright(kind: str, turned: int) -> None:
    """Without its pixels, whatever the format makes of the camera's turn."""
    exif = Image.Exif()
    exif[0x0112] = turned
    data = saved(Image.new("RGB", (40, 24)), kind, exif=exif)
    assert upright_size(open_image(data)) == to_rgb(open_image(data)).size
