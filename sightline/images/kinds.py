"""What a file is by its first bytes, whatever it is called: an image that is read, or what else, in words."""

from __future__ import annotations

import codecs
import re

LOOKED_AT = 512
"""First bytes of a file that tell what it is."""
HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"))
AVIF_BRANDS = frozenset((b"avif", b"avis"))
_IMAGE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|BM....\0\0|II[*+]\0|MM\0[*+]|RIFF....WEBP|P[1-6]\s+[\d#]", re.DOTALL
)
_DICOM, _BEHIND = b"DICM", 128
"""How a DICOM file begins, behind so many bytes that may be anything."""
_UNPACK = "an archive: unpack it, or give it to `sightline init --images`"
_TEXTS = (
    (re.compile(rb"version https://git-lfs"), "a pointer of Git LFS, not the image itself: run `git lfs pull`"),
    (re.compile(rb"[./]*(\.git)?/annex/objects/"), "a pointer of git-annex, not the image itself: run `git annex get`"),
    (re.compile(rb"(?i)<(!doctype html|html|head|body)"), "a web page: the download failed, repeat it"),
    (re.compile(rb"(?i)<(\?xml[^>]*>\s*(<!--.*?-->\s*|<!doctype svg[^>]*>\s*)*<)?svg", re.DOTALL), "an SVG drawing"),
    (re.compile(rb"<\?xml|<Error>"), "an XML file"),
    (re.compile(rb"[{\[]\s*[\"{\[\d]"), "a JSON file"),
)
_MAGICS = (
    (0, b"PK\x03\x04", _UNPACK),
    (0, b"\x1f\x8b", _UNPACK),
    (0, b"Rar!", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", _UNPACK),
    (257, b"ustar", _UNPACK),
    (0, b"%PDF", "a PDF document"),
    (0, b"%!PS", "a PostScript document"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\xff\x0a", "a JPEG XL image"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (0, b"\0\0\1\0", "a Windows icon"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR image"),
    (0, b"SIMPLE  =", "a FITS image"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x1aE\xdf\xa3", "a video"),
    (0, b"\0\x05\x16\x07", "what macOS keeps beside a file (AppleDouble)"),
)


def brands(data: bytes) -> frozenset[bytes]:
    """What an ISO media file (HEIF, AVIF, MP4) says that it can be read as; nothing of any other file."""
    if data[4:8] != b"ftyp":
        return frozenset()
    box = data[8 : min(int.from_bytes(data[:4]), LOOKED_AT)]
    # Behind the first brand stands the version of it.
    return frozenset(box[at : at + 4] for at in (0, *range(8, len(box) - 3, 4)))


def is_avif(data: bytes) -> bool:
    """Whether the file is an AVIF image."""
    return not AVIF_BRANDS.isdisjoint(brands(data))


def is_heif(data: bytes) -> bool:
    """Whether the file is an HEIC photo, or another HEIF image that is no AVIF."""
    said = brands(data)
    return not said.isdisjoint(HEIF_BRANDS | {b"mif1", b"msf1"}) and said.isdisjoint(AVIF_BRANDS)


def is_dicom(data: bytes) -> bool:
    """Whether the file is DICOM's, and does not begin like another image."""
    return data.startswith(_DICOM, _BEHIND) and not _IMAGE.match(data)


def is_image(data: bytes) -> bool:
    """Whether the file begins like an image of a format that is read."""
    return bool(_IMAGE.match(data)) or is_avif(data) or is_heif(data) or is_dicom(data)


def named(data: bytes) -> str | None:
    """What a file is that is no image of a format that is read, in words; None where that is unknown."""
    start = data[:LOOKED_AT]
    if not start.strip(b"\0"):
        return "nothing but zeros: a copy that was broken off, copy it again" if not data.strip(b"\0") else None
    for at, magic, words in _MAGICS:
        if start.startswith(magic, at):
            return words
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for pattern, words in _TEXTS:
        if pattern.match(text):
            return words
    if brands(start):
        return "a video"
    return "a text" if _is_text(start) else None


def _is_text(start: bytes) -> bool:
    try:
        # Not the whole of it: the last sign may be cut.
        return (
            codecs.getincrementaldecoder("utf-8")()
            .decode(start)
            .replace("\n", "")
            .replace("\r", "")
            .replace("\t", "")
            .isprintable()
        )
    except UnicodeDecodeError:
        return False
