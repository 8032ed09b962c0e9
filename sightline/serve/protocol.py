"""How the server speaks HTTP with callers that it does not trust: no head and no connection takes what others need."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sightline.serve.app import count_rejected

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport

MOST_HEAD = 64 << 10
"""Bytes of a request's head, and of what may stand between two parts of a body or behind it."""
MOST_FIELDS = 128
"""Lines of a head: FastAPI compares each with each, which took ten seconds of everybody's time for 20,000."""
HEAD_SECONDS = 10.0
"""In which a head must have arrived."""
LINGER_SECONDS = 5.0
"""In which a caller may send the rest of a body that was refused, so that it gets to read why."""
MOST_CONNECTIONS = 512
"""Then the one that has waited longest for its head is closed: whoever sends a head at once comes in."""
LATE = HTTPStatus.REQUEST_TIMEOUT, f"the head did not arrive within {HEAD_SECONDS:.0f} s"
LARGE = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"a head may have {MOST_FIELDS} lines and {MOST_HEAD >> 10} KiB, and so may what stands between parts of a body",
)
BROKEN = (
    HTTPStatus.BAD_REQUEST,
    "no HTTP request that can be read: a line of its head is wrong, such as Content-Length, or its body in chunks is",
)


class Guarded(HttpToolsProtocol):
    """uvicorn's own, which alone waits for a head as long as it takes, and takes one of any size."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unheard = 0
        """Bytes since the last part of a body: the parser keeps them."""
        self._fields = 0
        self._timer: TimerHandle | None = None
        self.since: float | None = None
        """When it began to wait for a head; None while there is a request."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection; where there are too many, for another one."""
        super().connection_made(transport)
        self._await_head()
        if len(self.connections) > MOST_CONNECTIONS:
            waiting = [one for one in self.connections if getattr(one, "since", None) is not None]
            min(waiting, key=lambda one: one.since).transport.abort()  # type: ignore[union-attr]

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, unless it is too much that is no body."""
        self._unheard += len(data)
        super().data_received(data)
        if self._unheard > MOST_HEAD and not self.transport.is_closing():
            self._end(LARGE)

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._timer is None:
            self._await_head()
        self._fields = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a line of the head; what follows a body in that form is read by nobody."""
        if self.since is None:
            return
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise ValueError("too many lines")  # ends the parsing
        super().on_header(name, value)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 — ours says more
        """End a connection whose bytes can't be parsed."""
        if self._fields > MOST_FIELDS:
            self._end(LARGE)
        else:
            self._tell(*BROKEN)
            self._end()

    def on_headers_complete(self) -> None:
        """The head is whole: the application looks after the body."""
        self._stop()
        self.since = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._unheard = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._stop()
        self._unheard = 0
        super().on_message_complete()
        if self.cycle.response_complete:  # what was refused has arrived all the same
            self._await_head()

    def on_response_complete(self) -> None:
        """An answer is sent; the body that it answers may still be under way, or the next request be here."""
        self._stop()
        if self.cycle.response_complete and self.cycle.more_body:
            self._timer = self.loop.call_later(LINGER_SECONDS, self._end)
        elif self.cycle.response_complete:
            self._await_head()
        super().on_response_complete()

    def _await_head(self) -> None:
        self._stop()
        self.since = self.loop.time()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._end, LATE)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, why: tuple[HTTPStatus, str] | None = None) -> None:
        """Close the connection; with a word where no answer is under way."""
        self._stop()
        if why and (self.cycle is None or self.cycle.response_complete):
            self._tell(*why)
        self.transport.close()

    def _tell(self, status: HTTPStatus, words: str) -> None:
        if self._unheard:  # who has asked for nothing is not turned away
            count_rejected(self.config.app, status)
        body = json.dumps({"error": words}).encode()
        head = f"connection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        self.transport.write(f"HTTP/1.1 {status} {status.phrase}\r\n{head}\r\n\r\n".encode() + body)
