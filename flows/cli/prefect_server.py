"""Prefect's own server, started while the libraries are imported."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def prefect_ready() -> Iterator[None]:
    """Wake the Prefect server beside the work inside the block; at its end the server answers.

    Where `PREFECT_API_URL` names a server this is one question to it; else Prefect starts one of its own, a process
    that needs seconds in which this one has its imports to do.
    """
    thread = Thread(target=_ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _ask() -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.hello()
