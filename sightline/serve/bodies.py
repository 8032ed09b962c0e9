"""The bodies of requests: how much of them is taken, and the images in them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import string
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from fastapi import HTTPException
from python_multipart.multipart import parse_options_header
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from fastapi import Request

MOST_BYTES = 32 << 20
"""Of a request's body."""
HELD_BYTES = 256 << 20
"""Of all bodies that are held at a time."""
MOST_IMAGES = 256
"""In a request."""
PIECE = 256 << 10
"""Bytes of a form that are read before others have their turn."""
BODY_SECONDS = 30.0
"""In which a body must have arrived."""
AGAIN = {"Retry-After": "1"}
DATA = re.compile(r"\s*data:[^,]*;base64,", re.IGNORECASE)
"""How an address begins that holds its file."""
AS_WRITTEN = str.maketrans("-_", "+/", string.whitespace)
"""From the alphabet for addresses, and from lines, to what base64 texts are."""
FILENAME = re.compile(rb";\s*filename\*\s*=\s*[\w-]*'[^']*'([^;\s]*)", re.IGNORECASE)
"""A name in the form of RFC 5987, which some write alone, though RFC 7578 has none of it."""


class Refused(HTTPException):
    """A request that is not answered, with the reason in words."""


class Named(NamedTuple):
    """An image in a body."""

    name: str | None
    """As the caller calls its file, where it says so."""
    data: bytes | UnreadableImage
    """Its file, or why there is none to be had."""


@dataclass
class Bodies:
    """Those that are held in memory."""

    held: int = 0
    """Their bytes."""

    async def take(self, request: Request, parts: list[bytes]) -> bytes:
        """The whole body, never more than the limits; its `parts` are held from their arrival until they are freed."""
        said = request.headers.get("content-length", "0")
        if not said.isdecimal() or int(said) > MOST_BYTES:
            raise Refused(413, f"a body may have {MOST_BYTES >> 20} MiB")
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                async for part in request.stream():
                    size += len(part)
                    if size > MOST_BYTES:
                        raise Refused(413, f"a body may have {MOST_BYTES >> 20} MiB")
                    if self.held + max(len(part), int(said) - size + len(part)) > HELD_BYTES:
                        raise Refused(429, "too many images wait: come back in a second", AGAIN)
                    self.held += len(part)
                    parts.append(part)
        except TimeoutError:
            raise Refused(408, f"the body did not arrive within {BODY_SECONDS:.0f} s") from None
        except ClientDisconnect:
            raise Refused(400, "the body ended before its end") from None
        return b"".join(parts)

    def free(self, parts: Iterable[bytes]) -> None:
        """Hold these no longer."""
        self.held -= sum(map(len, parts))


async def images_of(request: Request, body: bytes) -> list[Named]:
    """Each image in the body. Raises Refused where there is none, or too many."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _form(request, body)
    elif kind == "application/json":
        found = await asyncio.to_thread(_decoded, body)
    else:
        found = [Named(None, body)]
    if not found:
        raise Refused(400, "there is no image in the body: send its bytes, form files, or JSON as /openapi.json says")
    if len(found) > MOST_IMAGES:
        raise Refused(413, f"a request may have {MOST_IMAGES} images, not {len(found)}")
    return found


class _Form(MultiPartParser):
    """Starlette's own, which takes a part for a field that has its file's name in the longer form alone."""

    def on_headers_finished(self) -> None:
        part = self._current_part
        said = part.content_disposition or b""
        found = FILENAME.search(said)
        if found and b"filename" not in parse_options_header(said)[1]:
            name = unquote_to_bytes(found[1]).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            part.content_disposition = said + b'; filename="' + name + b'"'
        super().on_headers_finished()


async def _form(request: Request, body: bytes) -> list[Named]:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
            await asyncio.sleep(0)

    parser = _Form(request.headers, stream(), max_files=MOST_IMAGES, max_fields=16)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Refused(400, f"the form cannot be read: {error}") from None
    files = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
    found = [Named(one.filename, await one.read()) for one in files]
    await form.close()
    return found


def _decoded(body: bytes) -> list[Named]:
    # Before it is read: small things in a list take many times their bytes in memory. A text has a comma at most, in
    # front of its base64.
    if body.count(b",") > 2 * MOST_IMAGES:
        raise Refused(413, f"a request may have {MOST_IMAGES} images")
    texts, several = None, False
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        values = json.loads(body)
        several = "images" in values
        texts = values["images"] if several else [values["image"]]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(400, 'the JSON must be {"images": ["base64 text of an image file", …]}')
    return [Named(None, _bytes(f"images[{place}]" if several else "image", text)) for place, text in enumerate(texts)]


def _bytes(name: str, text: str) -> bytes | UnreadableImage:
    """The bytes of a base64 text, as whoever wraps it, leaves out its end, or makes an address of it writes it."""
    address = DATA.match(text)
    plain = text[address.end() if address else 0 :].translate(AS_WRITTEN).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return UnreadableImage(f"{name} is no base64 text")
