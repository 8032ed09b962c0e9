"""The bodies of requests: how much of them is taken, and the images in them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

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


class Refused(HTTPException):
    """A request that is not answered, with the reason in words."""


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


async def images_of(request: Request, body: bytes) -> list[tuple[str | None, bytes]]:
    """Name and bytes of each image in the body. Raises Refused where there is none, or too many."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _form(request, body)
    elif kind == "application/json":
        found = await asyncio.to_thread(_decoded, body)
    else:
        found = [(None, body)]
    if not found:
        raise Refused(400, "there is no image in the body: send its bytes, form files, or JSON as /openapi.json says")
    if len(found) > MOST_IMAGES:
        raise Refused(413, f"a request may have {MOST_IMAGES} images, not {len(found)}")
    return found


async def _form(request: Request, body: bytes) -> list[tuple[str | None, bytes]]:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
            await asyncio.sleep(0)

    parser = MultiPartParser(request.headers, stream(), max_files=MOST_IMAGES, max_fields=16)  # type: ignore[arg-type]
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError) as error:
        raise Refused(400, f"the form cannot be read: {error}") from None
    files = [one for _, one in form.multi_items() if isinstance(one, UploadFile)]
    found = [(one.filename, await one.read()) for one in files]
    await form.close()
    return found


def _decoded(body: bytes) -> list[tuple[str | None, bytes]]:
    # Before it is read: small things in a list take many times their bytes in memory, and base64 has no commas.
    if body.count(b",") > 2 * MOST_IMAGES:
        raise Refused(413, f"a request may have {MOST_IMAGES} images")
    try:
        values = json.loads(body)
        texts = values["images"] if "images" in values else [values["image"]]
        return [(None, base64.b64decode(text, validate=True)) for text in texts]
    except (ValueError, TypeError, KeyError, binascii.Error, RecursionError):
        raise Refused(400, 'the JSON must be {"images": ["base64 text of an image file", …]}') from None
