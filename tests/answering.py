"""Small versions that answer, and a server of them on a real socket."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
import uvicorn
from conftest import draw

from sightline.models.bundle import Card
from sightline.models.predictor import Predictor
from sightline.models.zoo import build
from sightline.serve.app import application
from sightline.serve.batcher import Version
from sightline.serve.follow import Follower
from sightline.serve.protocol import Guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

CLASSES = ("blue", "green", "red")


def version(number: str, seed: int = 0) -> Version:
    """A network with random weights as a version."""
    torch.manual_seed(seed)
    card = Card("cnn", 16, CLASSES, 1.0, "", wanted_accuracy=0.9, abstain_below=0.2)
    return Version(number, f"digest of {number}", Predictor(card, build("cnn", 3, 16)))


def image(seed: int = 0, form: str = "PNG") -> bytes:
    """An image file."""
    out = BytesIO()
    draw(seed, (200, 50, 40)).save(out, form)
    return out.getvalue()


def follower(named: Callable[[], str] = lambda: "1", load: Callable[[], Version] | None = None) -> Follower:
    """One that holds version 1, if not said otherwise."""
    return Follower(named, load or (lambda: version("1")))


@contextmanager
def served(app: FastAPI | None = None, **values: Any) -> Iterator[str]:
    """The address of a server of `app`, by default one that holds version 1."""
    app = app or application(follower(), **values)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, http=Guarded, ws="none", log_config=None))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
