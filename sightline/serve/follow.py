"""The version that answers: the champion of the ledger, taken up as soon as it changes."""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import TYPE_CHECKING

from sightline.masking import masked

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.serve.batcher import Version

SECONDS = 1.0
"""Between two looks at the ledger."""
log = logging.getLogger(__name__)


def words(error: Exception) -> str:
    """What went wrong, in a line that callers may read."""
    return masked(" ".join(str(error).split())[:300] or type(error).__name__)


class Follower:
    """Holds the version that answers, and looks for a newer one beside the answers."""

    def __init__(self, named: Callable[[], str], load: Callable[[], Version]) -> None:
        """`named` says cheaply which version the ledger wants; `load` gives it, verified.

        Raises SightlineError where there is none that may answer.
        """
        self._named, self._load = named, load
        self._name = named()
        self.version = load()
        self.trouble: str | None = None
        """Why the ledger could not be followed at the last look."""
        self._ended = Event()
        self._thread = Thread(target=self._follow, daemon=True, name="follow")
        self._thread.start()

    def _follow(self) -> None:
        while not self._ended.wait(SECONDS):
            try:
                name = self._named()
                if name != self._name:
                    self.version = self._load()
                    self._name = name
                    log.info("version %s answers from now on", self.version.number)
                self.trouble = None
            except Exception as error:  # noqa: BLE001 — whatever fails in a ledger or a store may be over at the next look
                # The version of before goes on: it was verified when it was loaded.
                said = words(error)
                if self.trouble is None:
                    log.warning("version %s goes on: %s", self.version.number, said)
                self.trouble = said

    def close(self) -> None:
        """Follow no more."""
        self._ended.set()
        self._thread.join()
