"""Answers recorded beside the answering: a bounded queue, and one thread that writes.

Where more answers come than can be written they are dropped and counted: an answer waits for nothing here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime
from threading import Condition, Thread
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from sightline.images.reading import inspect, open_image
from sightline.masking import masked
from sightline.serve.follow import words
from sightline.serve.record import About, Record, Role, encode, mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.params import Capture as Policy
    from sightline.serve.batcher import Answered, Version
    from sightline.serve.store import Store

ROWS = 4096
"""Answers in a file at most, and in the queue."""
HELD_BYTES = 64 << 20
"""Of images in the queue, and of pictures in a file."""
SECONDS = 60.0
"""After which a file is written, however few answers there are: what a killed server loses at most."""
AGAIN = 5.0
"""Seconds until a file that could not be written is tried again, or work goes on that failed."""
CLOSING = 5.0
"""Seconds that the end waits for the last files."""
ROTATED = 86_400.0
"""Seconds between two looks for days that are too old."""
SIDE = 128
"""Longest side of a thumbnail, pixels."""
QUALITY = 80
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Where an image came from: its request, its place there, and what the caller said of it."""

    request: str
    place: int
    site: str | None = None
    camera: str | None = None


class _Waiting(NamedTuple):
    at: datetime
    origin: Origin
    role: Role
    answered: Answered
    data: bytes


class _Group(NamedTuple):
    """What lies in one file."""

    day: date
    role: Role
    version: Version


class Capture(Collector):
    """Writes what is noted into the store, by the policy of `params.yaml`; a source of figures for Prometheus.

    Days that are too old go whatever the policy keeps.
    """

    def __init__(self, store: Store, policy: Policy) -> None:
        self._unwritten: str | None = None
        """Why nothing could be written at the last try."""
        self._unremoved: str | None = None
        """Why what is too old could not be removed at the last try."""
        self._store, self._policy = store, policy
        self._written = self._dropped = self._failures = 0
        self._waiting: deque[_Waiting] = deque()
        self._held = 0
        self._lost: Counter[_Group] = Counter()
        self._changed = Condition()
        self._ended = False
        self._server, self._files = uuid.uuid4().hex[:12], 0
        self._rotated = -ROTATED
        if policy.keep != "none":
            # The first file imports pandas, for most of a second: before the first answer it holds up none.
            encode([], About(role="champion", version="", digest="", classes=(), dropped=0))
        self._thread = Thread(target=self._work, daemon=True, name="capture")
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """What did not succeed at the last try."""
        return "; ".join(filter(None, (self._unwritten, self._unremoved))) or None

    def note(self, origin: Origin, answered: Answered, data: bytes, role: Role = "champion") -> None:
        """Take an answer to the image file `data` for recording; never waits."""
        if self._policy.keep == "none" or not drawn("capture", origin.request, self._policy.share):
            return
        now = datetime.now(UTC)
        with self._changed:
            full = len(self._waiting) >= ROWS or self._held + len(data) > HELD_BYTES
            if full or self._ended:
                self._drop(_Group(now.date(), role, answered.version))
                return
            self._waiting.append(_Waiting(now, origin, role, answered, data))
            self._held += len(data)
            self._changed.notify()

    def _drop(self, group: _Group) -> None:
        if not self._lost:
            log.warning("answers are not recorded: more arrive than can be written; /metrics counts them")
        self._lost[group] += 1
        self._dropped += 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The figures, as Prometheus wants them."""
        yield CounterMetricFamily("sightline_captured_answers", "Answers recorded.", value=self._written)
        yield CounterMetricFamily("sightline_capture_dropped", "Answers that were not recorded.", value=self._dropped)
        yield CounterMetricFamily(
            "sightline_capture_failures", "Times that a file could not be written or removed.", value=self._failures
        )

    def close(self) -> None:
        """Write what is noted, and end; what cannot be written then is dropped."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(CLOSING)
        if self._thread.is_alive():
            log.error("the last answers are not recorded: %s takes too long", self._store.shown)

    def _work(self) -> None:
        while True:
            try:
                self._rotate()
                self._record_next()
            except Exception as error:  # noqa: BLE001 — nobody would notice that this thread has ended
                self._fail(error)
                with self._changed:
                    if self._ended:
                        self._dropped += len(self._waiting)
                        return
                    self._changed.wait_for(lambda: self._ended, AGAIN)
            with self._changed:
                if self._ended and not self._waiting and not self._lost:
                    return

    def _record_next(self) -> None:
        for group, records in self._gather().items():
            try:
                self._write(group, records)
            except Exception as error:  # noqa: BLE001 — the next ones are recorded all the same
                self._fail(error)
                with self._changed:
                    self._dropped += len(records)

    def _gather(self) -> dict[_Group, list[Record]]:
        """The answers for the next files: as many as fit, or those of the time that they may wait."""
        found: dict[_Group, list[Record]] = {}
        rows, held, until = 0, 0, time.monotonic() + SECONDS
        while rows < ROWS and held < HELD_BYTES:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended, max(0.0, until - time.monotonic()))
                if not self._waiting:
                    break
                one = self._waiting.popleft()
                self._held -= len(one.data)
            group = _Group(one.at.date(), one.role, one.answered.version)
            try:
                record = self._record(one)
            except Exception as error:  # noqa: BLE001 — the next ones are recorded all the same
                self._fail(error)
                with self._changed:
                    self._lost[group] += 1
                    self._dropped += 1
                continue
            found.setdefault(group, []).append(record)
            rows, held = rows + 1, held + len(record.picture or b"")
        with self._changed:
            # A day on which all was dropped leaves a file that says so.
            for group in self._lost:
                found.setdefault(group, [])
        return found

    def _record(self, one: _Waiting) -> Record:
        answer, version, described = one.answered
        split = version.predictor.model.width
        header, origin = open_image(one.data), one.origin
        numbers = described.astype(np.float32)
        return Record(
            at=one.at,
            request=origin.request,
            place=origin.place,
            role=one.role,
            version=version.number,
            digest=version.digest,
            label=answer.label,
            probabilities=answer.probabilities,
            likely=answer.likely,
            abstain=answer.abstain,
            foreign=answer.foreign,
            foreign_score=answer.foreign_score,
            boxes=None if answer.boxes is None else tuple(box._asdict() for box in answer.boxes),
            features=numbers[:split],
            statistics=numbers[split:-1],
            energy=float(numbers[-1]),
            sha256=hashlib.sha256(one.data).hexdigest(),
            size=len(one.data),
            width=header.width,
            height=header.height,
            site=origin.site,
            camera=origin.camera,
            picture=_picture(self._policy.keep, one.data),
        )

    def _write(self, group: _Group, records: list[Record]) -> None:
        """Make a file; try again until the end where that fails, while the queue fills and what comes is dropped."""
        version = group.version
        with self._changed:
            dropped = self._lost.pop(group, 0)
        said = About(
            role=group.role,
            version=version.number,
            digest=version.digest,
            classes=version.predictor.card.classes,
            dropped=dropped,
        )
        data, self._files = encode(records, said), self._files + 1
        at = min((one.at for one in records), default=datetime.now(UTC))
        name = f"date={group.day}/{at:%H%M%S}-{self._server}-{self._files:06d}-{mark(data)}.parquet"
        while not self._put(name, data):
            with self._changed:
                if self._ended:
                    self._dropped += len(records)
                    return
                self._changed.wait_for(lambda: self._ended, AGAIN)
        self._written += len(records)

    def _put(self, name: str, data: bytes) -> bool:
        try:
            self._store.put(name, data)
        except Exception as error:  # noqa: BLE001 — every kind of store fails in words of its own
            self._fail(error)
            return False
        if self._unwritten is not None:
            log.warning("answers are recorded again in %s", masked(self._store.shown))
        self._unwritten = None
        return True

    def _fail(self, error: Exception) -> None:
        self._failures += 1
        said = f"answers are not recorded in {masked(self._store.shown)}: {words(error)}"
        if self._unwritten is None:
            log.warning(said)
        self._unwritten = said

    def _rotate(self) -> None:
        """Remove what is too old: at the start, and each day."""
        if time.monotonic() - self._rotated < ROTATED:
            return
        try:
            self._store.rotate(self._policy.days)
            self._rotated, self._unremoved = time.monotonic(), None
        except Exception as error:  # noqa: BLE001 — as above
            self._failures += 1
            said = f"old answers stay in {masked(self._store.shown)}: {words(error)}"
            if self._unremoved is None:
                log.warning(said)
            self._unremoved = said


def _picture(keep: str, data: bytes) -> bytes | None:
    if keep != "thumbnails":
        return data if keep == "images" else None
    _, image = inspect(data, SIDE)
    image.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, comment=b"")  # else Pillow hands that of the file on
    return out.getvalue()


def drawn(purpose: str, request: str, share: float) -> bool:
    """Whether the request is among the `share` that is drawn for that purpose: independently of other purposes."""
    digest = hashlib.sha256(f"{purpose} {request}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64
