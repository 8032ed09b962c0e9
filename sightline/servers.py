"""Whether a server answers at an address and is the one that is meant: its own client would try for minutes, or break.

A slip in host, port or scheme, a server that is down or hangs, a page of something else: each is a sentence with the
address and the remedy. Nothing secret is sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from sightline.masking import masked

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.parse import SplitResult

SECONDS = 8.0
"""In which a server has to answer."""
WEB = ("http", "https")
GUARDED = frozenset({401, 403, 407})
"""Status of a server that first asks who is there: its client tells that better."""
LONGEST = 65_536
"""Bytes that are read of an answer."""


@dataclass(frozen=True)
class Server:
    """A kind of server, and how it is known."""

    name: str
    setting: str
    """Variable that holds its address."""
    example: str
    path: str
    """Below the address: what is asked for."""
    is_own: Callable[[Any], bool]
    """Whether this JSON is its answer."""
    remedy: str


MLFLOW = Server(
    name="MLflow's server",
    setting="MLFLOW_TRACKING_URI",
    example="http://127.0.0.1:5000",
    path="/api/2.0/mlflow/experiments/get-by-name?experiment_name=0",
    is_own=lambda said: isinstance(said, dict) and not {"experiment", "error_code"}.isdisjoint(said),
    remedy="start it (`mlflow server`), or correct or unset MLFLOW_TRACKING_URI",
)
PREFECT = Server(
    name="Prefect's API",
    setting="PREFECT_API_URL",
    example="http://127.0.0.1:4200/api",
    path="/health",
    is_own=lambda said: said is True,
    remedy="start it (`prefect server start`), or correct or unset PREFECT_API_URL",
)
_well: set[tuple[str, str]] = set()
"""What has answered this process."""


def trouble(address: str, server: Server) -> str | None:
    """What is wrong with the `address` of a server on the web, in a sentence with the remedy; None where it answers."""
    if (address, server.setting) in _well:
        return None
    why = _misspelt(address, server) or _unanswered(address, server)
    if why is None:
        _well.add((address, server.setting))
        return None
    return f"{server.setting} = {masked(address)}: {why}; {server.remedy}"


def unreached(address: str) -> str | None:
    """Why nothing answers at an address on the web, whatever would; None where something does, and for other ones."""
    return _unanswered(address, None) if urlsplit(address).scheme in WEB else None


def is_slip(address: str) -> bool:
    """Whether an address that names no server on the web was meant to: htp://host, localhost:5000."""
    url = urlsplit(address)
    return url.scheme not in WEB and bool(get_close_matches(url.scheme, WEB, cutoff=0.7) or url.path.isdecimal())


def _misspelt(address: str, server: Server) -> str | None:
    url = urlsplit(address)
    if url.scheme not in WEB or not url.hostname:
        return f"an address of {server.name} looks like {server.example}"
    try:
        port = url.port
    except ValueError:
        port = 0
    return "its port is no number from 1 to 65535" if port == 0 else None


def _unanswered(address: str, server: Server | None) -> str | None:
    said: list[str | None] = []
    # A thread, because neither the search for a host nor an answer that comes in drops keeps to httpx's limits.
    asking = Thread(target=lambda: said.append(_ask(address, server)), daemon=True)
    asking.start()
    asking.join(SECONDS)
    return said[0] if said else f"no answer within {SECONDS:.0f} seconds"


def _ask(address: str, server: Server | None) -> str | None:
    import httpx

    url = urlsplit(address)
    place = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
    asked = urlunsplit(url._replace(netloc=url.netloc.rpartition("@")[2], path="", query="", fragment=""))
    asked += url.path.rstrip("/") + (server.path if server else "/")
    try:
        # Whose certificate it is, the client looks at: here nothing is sent that others must not read.
        with (
            httpx.Client(verify=False, timeout=SECONDS) as client,  # noqa: S501
            client.stream("GET", asked) as answer,
        ):
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > LONGEST:
                    break
            status, form = answer.status_code, answer.headers.get("content-type", "no type").partition(";")[0]
    except httpx.ConnectError as error:
        return _unconnected(str(error), url, place)
    except httpx.TimeoutException:
        return f"no answer within {SECONDS:.0f} seconds"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"what listens at {place} does not speak HTTP ({error})"
    if server is None or status in GUARDED or answer.is_redirect or _is_own(body, server):
        return None
    return (
        f"what answers there (status {status}, {form}) is not {server.name}, whose address looks like {server.example}"
    )


def _unconnected(said: str, url: SplitResult, place: str) -> str:
    if "SSL" in said or "TLS" in said:
        return f"what listens at {place} does not speak https; write http://"
    if "refused" in said.lower() or "attempts failed" in said:
        return f"nothing listens at {place}"
    if any(word in said for word in ("Name or service", "No address", "nodename", "getaddrinfo", "name resolution")):
        return f"there is no host {url.hostname}"
    return f"{place} cannot be reached ({said})"


def _is_own(body: bytes, server: Server) -> bool:
    try:
        return server.is_own(json.loads(body))
    except ValueError:
        return False
