"""By which names a server may be called: the page of a stranger reaches one of this machine by a name of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.requests import Request

from sightline.serve.bodies import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"
PORT = re.compile(r":\d*\Z")


class Hosts:
    """Lets requests through to `app` whose Host is one of `names`, with whatever port; `refused` answers the others."""

    def __init__(
        self, app: ASGIApp, names: Sequence[str], refused: Callable[[Request, Refused], Awaitable[Response]]
    ) -> None:
        self._app, self._names, self._refused = app, names, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = self._app
        if scope["type"] == "http" and ANY not in self._names:
            request = Request(scope)
            host = request.headers.get("host", "")
            if PORT.sub("", host).lower() not in self._names:
                answer = await self._refused(request, Refused(400, self._words(host)))
        await answer(scope, receive, send)

    def _words(self, host: str) -> str:
        *names, last = self._names
        return (
            f"called as {host or 'nothing'}: this server answers to {', '.join(names)} and {last} alone; start it with "
            f"--host 0.0.0.0, or let the proxy send Host: {last}"
        )
