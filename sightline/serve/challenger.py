"""A version that answers beside the champion: unheard, to be compared (shadow), or a share of the callers (canary)."""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sightline.serve import follow
from sightline.serve.batcher import Answered
from sightline.serve.capture import drawn
from sightline.serve.record import as_label

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.heads.answer import Answer
    from sightline.serve.batcher import Batcher, Version
    from sightline.serve.capture import Capture, Origin
    from sightline.serve.metrics import Metrics

WAITING = 64
"""Images that wait for a shadow; what comes then it does not see."""
TOGETHER = 8
"""Images that it answers at a time: the champion may have to wait for so many."""
PAUSE = 0.002
"""Seconds between two looks whether the champion has nothing to do."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """What a challenger is for."""

    shadow: bool = False
    canary: float = 0.0
    """Share of the requests that it answers."""

    @property
    def words(self) -> str:
        """In a few words."""
        parts = [
            *(["as shadow"] if self.shadow else []),
            *([f"{self.canary:.1%} of the requests"] if self.canary else []),
        ]
        return " and ".join(parts)


class Challenger:
    """Holds the version until the ledger says that it is over; pauses while the ledger cannot be read."""

    def __init__(self, version: Version, task: Task, over: Callable[[], str | None]) -> None:
        """`over` says why the version answers no more, None while it may."""
        self.version, self.task, self._over = version, task, over
        self.ended: str | None = None
        """Why it answers no more."""
        self.trouble: str | None = None
        """Why the ledger could not be read at the last look: until it can, only the champion answers."""
        self._closed = Event()
        self._thread = Thread(target=self._follow, daemon=True, name="challenger")
        self._thread.start()

    @property
    def answers(self) -> bool:
        """Whether it may answer now."""
        return self.ended is None and self.trouble is None

    def is_asked(self, request: str) -> bool:
        """Whether it is to answer the callers of that request."""
        return self.answers and drawn("canary", request, self.task.canary)

    def told(self) -> dict[str, Any]:
        """What a server says of it."""
        task = {"shadow": self.task.shadow, "canary": self.task.canary}
        return {"version": self.version.number, **task, "ended": self.ended, "ledger": self.trouble}

    def _follow(self) -> None:
        while not self._closed.wait(follow.SECONDS):
            try:
                self.ended = self._over()
                self.trouble = None
            except Exception as error:  # noqa: BLE001 — whatever fails in a ledger may be over at the next look
                said = follow.words(error)
                if self.trouble is None:
                    log.warning("version %s does not answer (%s): %s", self.version.number, self.task.words, said)
                self.trouble = said
            if self.ended is not None:
                log.warning("version %s answers no more (%s): %s", self.version.number, self.task.words, self.ended)
                return

    def close(self) -> None:
        """Follow no more."""
        self._closed.set()
        self._thread.join()


class _Seen(NamedTuple):
    """What the champion has answered."""

    origin: Origin
    data: bytes
    answer: Answer


class Shadow:
    """Lets a challenger answer what the champion has answered, when the champion has nothing to do."""

    def __init__(self, challenger: Challenger, batcher: Batcher, metrics: Metrics, capture: Capture | None) -> None:
        self._challenger, self._batcher, self._metrics, self._capture = challenger, batcher, metrics, capture
        self._waiting: deque[_Seen] = deque()
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._work, daemon=True, name="shadow")
        self._thread.start()

    def note(self, origin: Origin, data: bytes, answer: Answer) -> None:
        """Take an image for the shadow of which the champion has said `answer`; never waits."""
        if not self._challenger.answers:
            return
        with self._changed:
            if len(self._waiting) >= WAITING:
                self._metrics.shadow_dropped.inc()
                return
            self._waiting.append(_Seen(origin, data, answer))
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
            if self._batcher.waiting:
                time.sleep(PAUSE)
                continue
            with self._changed:
                batch = [self._waiting.popleft() for _ in range(min(TOGETHER, len(self._waiting)))]
            try:
                self._answer(batch)
            except Exception as error:  # noqa: BLE001 — nobody waits for it: the next ones are answered all the same
                self._metrics.shadow_failed.inc(len(batch))
                log.warning("version %s fails as shadow: %s", self._challenger.version.number, error)

    def _answer(self, batch: list[_Seen]) -> None:
        began, version = time.perf_counter(), self._challenger.version
        pixels = np.stack([version.predictor.decode(one.data) for one in batch])
        images = [one.data for one in batch]
        answers, described = self._batcher.beside(lambda: version.predictor.described(images, pixels)).result()
        took = time.perf_counter() - began
        for one, answer, row in zip(batch, answers, described, strict=True):
            alike = version.predictor.task.agreement(_text(answer), _text(one.answer))
            self._metrics.compare(version.number, alike, seconds=took / len(batch))
            if self._capture is not None:
                self._capture.note(one.origin, Answered(answer, version, row), one.data, "shadow")

    def close(self) -> None:
        """End; what waits is not answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()


def _text(answer: Answer) -> str:
    """As the record of it is read. How far boxes overlap hangs on no side of the image."""
    return as_label({"label": answer.label, "boxes": answer.sets.get("boxes"), "width": 0, "height": 0})
