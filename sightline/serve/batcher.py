"""Answers for many callers at once: what arrives while the network works goes through it together."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from sightline.images.reading import open_image
from sightline.models.predictor import BATCH

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.predictor import Predictor

T = TypeVar("T")
WAITING = 512
"""Images that may wait; whoever comes then is told to come back."""
LARGE = 4_000_000
"""Pixels from which on an image is decoded behind the others, so that they need not wait for it."""
LARGE_WAITING = 32
"""Of those images."""
NICE = 15
"""By which the threads that decode them stand back."""


class Full(Exception):
    """So many images wait that another one had to wait too long."""


@dataclass(frozen=True)
class Version:
    """A version of the classifier that answers."""

    number: str
    digest: str
    """Of its whole bundle."""
    predictor: Predictor


class Answered(NamedTuple):
    """An answer, and the version that gave it."""

    answer: Answer
    version: Version
    described: NDArray[np.floating[Any]]
    """(D,) what the version makes of the image besides, as `Outputs.described`."""


@dataclass(eq=False)
class _Asked:
    data: bytes
    version: Version
    pixels: NDArray[np.uint8]
    done: asyncio.Future[Answered]


@dataclass
class Batcher:
    """Decodes in threads and answers in one: never in the loop that speaks with the clients."""

    current: Callable[[], Version]
    on_batch: Callable[[int], None] = lambda _size: None
    waiting: int = 0
    large: int = 0
    """Of those that wait, large ones that are not decoded yet."""
    _ready: deque[_Asked] = field(default_factory=deque)
    _busy: bool = False

    def __post_init__(self) -> None:
        self._decoding = ThreadPoolExecutor(os.cpu_count(), "decode")
        self._decoding_large = ThreadPoolExecutor(os.cpu_count(), "decode large", initializer=_stand_back)
        self._answering = ThreadPoolExecutor(1, "answer")

    async def answer(self, data: bytes, version: Version | None = None) -> Answered:
        """What the present version, or that one, says of an image file.

        Raises UnreadableImage where it cannot be read, Full where too many wait.
        """
        if self.waiting >= WAITING:
            raise Full
        self.waiting += 1
        try:
            loop, version = asyncio.get_running_loop(), version or self.current()
            pixels = await loop.run_in_executor(self._decoding, _decoded, version, data)
            if pixels is None:
                pixels = await self._decode_large(version, data)
            asked = _Asked(data, version, pixels, loop.create_future())
            self._ready.append(asked)
            if not self._busy:
                self._busy = True
                loop.create_task(self._work())
            return await asked.done
        finally:
            self.waiting -= 1

    async def _decode_large(self, version: Version, data: bytes) -> NDArray[np.uint8]:
        if self.large >= LARGE_WAITING:
            raise Full
        self.large += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._decoding_large, version.predictor.decode, data)
        finally:
            self.large -= 1

    async def _work(self) -> None:
        """Answer what waits, all that there is at a time; what arrives meanwhile is the next batch."""
        loop = asyncio.get_running_loop()
        try:
            while self._ready:
                batch = self._take()
                try:
                    answers = await loop.run_in_executor(self._answering, _answers, batch)
                except Exception as error:  # noqa: BLE001 — it belongs to those who asked, and the next batch goes on
                    for one in batch:
                        if not one.done.done():
                            one.done.set_exception(error)
                    continue
                self.on_batch(len(batch))
                for one, answered in zip(batch, answers, strict=True):
                    if not one.done.done():
                        one.done.set_result(answered)
        finally:
            self._busy = False

    def _take(self) -> list[_Asked]:
        """The first, and those behind that the same version is to answer."""
        version = self._ready[0].version
        batch = [one for one in self._ready if one.version is version][:BATCH]
        taken = set(map(id, batch))
        self._ready = deque(one for one in self._ready if id(one) not in taken)
        return [one for one in batch if not one.done.cancelled()] or batch

    def beside(self, work: Callable[[], T]) -> Future[T]:
        """Let the thread that answers do something else in its turn, so that no two networks share the cores."""
        return self._answering.submit(work)

    def close(self) -> None:
        """End the threads once they are through."""
        self._decoding.shutdown()
        self._decoding_large.shutdown()
        self._answering.shutdown()


def _decoded(version: Version, data: bytes) -> NDArray[np.uint8] | None:
    """The pixels; None where the image is large: its header alone was read."""
    image = open_image(data)
    return None if image.width * image.height > LARGE else version.predictor.decode(data)


def _stand_back() -> None:
    """Give this thread's time on a processor to others that want it: Linux knows priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)


def _answers(batch: list[_Asked]) -> list[Answered]:
    version, pixels = batch[0].version, np.stack([one.pixels for one in batch])
    answers, described = version.predictor.described([one.data for one in batch], pixels)
    return [Answered(answer, version, row) for answer, row in zip(answers, described, strict=True)]
