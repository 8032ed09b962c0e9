"""One version under watch: its bet, its window and its verdict, as they go from look to look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.monitor.bet import HALF_LIVES, Bet
from sightline.monitor.cause import explain
from sightline.monitor.estimate import guess
from sightline.monitor.harm import ALPHA, Verdict, allowed
from sightline.monitor.outcome import Alarm, Harm, Seen
from sightline.monitor.scores import Scores
from sightline.monitor.window import Window, draws

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sightline.evaluate.reference import Reference
    from sightline.monitor.outcome import Cause, Estimate
    from sightline.monitor.state import State
    from sightline.monitor.window import Images
    from sightline.params import Monitor

LOW, LIKELY = 10.0, 30
"""Wealth that chance gives now and then, and the images that it takes to win it when all have shifted."""
SHIFTED, TELLING = 12, 50
"""Images that are listed."""


@dataclass
class Watched:
    """What is known of a version."""

    digest: str
    name: str
    """Digest of the reference."""
    reference: Reference
    scores: Scores
    asked: Monitor
    bet: Bet
    window: Window
    verdict: Verdict
    alarms: int = 0
    """Raised so far."""
    alarm: Alarm | None = None

    @classmethod
    def of(cls, state: State, digest: str, name: str, reference: Reference, asked: Monitor) -> Watched:
        """As the last look left it, or new."""
        scores = Scores.of(reference)
        bet, window = Bet.new(scores.gaps), _nothing(reference, scores)
        verdict = Verdict(allowed(reference.right[reference.apart], asked.harm_margin))
        made = cls(digest, name, reference, scores, asked, bet, window, verdict)
        known = state.watched(digest, name)
        if known is not None:
            made._read(*known)
        return made

    def _read(self, told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
        """Go on from what was kept; the bet begins anew where it was about other scores than now."""
        self.verdict = Verdict(**told["verdict"], stakes=arrays["verdict.stakes"])
        self.alarms, self.alarm = told["alarms"], Alarm(**told["alarm"]) if told["alarm"] else None
        if (told["scores"], told["half_lives"]) == (list(self.scores.names), list(HALF_LIVES)):
            self.bet.counts, self.bet.stakes = arrays["bet.counts"], arrays["bet.stakes"]
            self.bet.starts, self.bet.entered = told["starts"], told["entered"]
            self.bet.drawn = told.get("drawn", self.bet.entered)
            if "drawn" not in told and self.alarms:
                self.bet.rearm()  # earlier versions left incidents in the urn
            self.window = Window.read(arrays)

    def keep(self, state: State) -> None:
        """Remember it."""
        verdict = {name: value for name, value in vars(self.verdict).items() if name != "stakes"}
        told = {name: getattr(self.bet, name) for name in ("starts", "entered", "drawn")}
        told |= {"alarms": self.alarms, "verdict": verdict}
        arrays = {"bet.counts": self.bet.counts, "bet.stakes": self.bet.stakes, "verdict.stakes": self.verdict.stakes}
        told |= {"scores": self.scores.names, "half_lives": HALF_LIVES}
        told |= {"alarm": asdict(self.alarm) if self.alarm else None}
        state.watch(self.digest, self.name, told, arrays | self.window.arrays())

    @property
    def threshold(self) -> float:
        """Wealth that raises the next alarm; the one that is raised, while it is."""
        return float(2 ** (self.alarms - (self.alarm is not None)) / self.asked.alpha)

    @property
    def wealth(self) -> float:
        """Of the bet now."""
        return float(self.bet.wealth[0])

    def check(self, images: Images) -> None:
        """Raise ValueError where the images are not described as the reference is, or by what is no number."""
        for name in ("probabilities", "features", "statistics", "boxes"):
            known, found = getattr(self.reference, name).shape[1], getattr(images, name)
            if len(found) and found.shape[1] != known:
                raise ValueError(f"its {name} are {found.shape[1]} numbers, those of the reference {known}")
            if not np.isfinite(found).all():
                raise ValueError(f"its {name} are no numbers")

    def enter(self, images: Images, file: str) -> None:
        """Bet on images of a captured file."""
        values = self.scores.of_images(images)
        wealth = self.bet.enter(self.scores.bins(values, draws(images.table))[:, None, :])[:, 0]
        later = Window.of(images, file, values, wealth)
        over = np.flatnonzero(wealth >= self.threshold)
        if self.alarm is None and len(over):
            row, before = int(over[0]), self.bet.entered - len(wealth)
            self.alarm = Alarm(
                number=self.alarms + 1,
                since=moment(int(later.at[row])),
                entered=before + row + 1,
                wealth=float(wealth[row]),
                threshold=self.threshold,
            )
            self.alarms += 1
        self.window = self.window.then(later)

    def acknowledge(self) -> Alarm | None:
        """End the alarm, and bet anew for half as much; the alarm that was."""
        alarm, self.alarm = self.alarm, None
        if alarm is not None:
            self.bet.rearm()
        return alarm

    def since_shift(self) -> Window:
        """The images since about the shift; all, where that is longer ago than the window goes back."""
        if self.alarm is None or self.bet.entered - self.alarm.entered >= len(self.window):
            return self.window
        until = len(self.window) - (self.bet.entered - self.alarm.entered)
        low = np.flatnonzero(self.window.wealth[:until] < LOW)
        start = int(low[-1]) + 1 - LIKELY if len(low) else 0
        return self.window.take(slice(max(0, start), None))

    def tested(self) -> Cause | None:
        """The latest images by plain tests; None where there are none."""
        return explain(self.reference, self.scores, self.window) if len(self.window) else None

    def cause(self) -> Cause | None:
        """What has shifted; None while there is no alarm."""
        return explain(self.reference, self.scores, self.since_shift()) if self.alarm else None

    def estimate(self) -> Estimate | None:
        """Accuracy in the window, guessed."""
        rows, known = self.reference, self.reference.apart
        return guess(rows.probabilities[known], rows.right[known], self.since_shift().probabilities, rows.head)

    def harm(self, state: State) -> Harm:
        """The verdict, with the labels that came meanwhile."""
        came, agreement = state.labelled(self.digest), self.reference.head.agreement
        self.verdict.enter((row["at"], 1 - agreement(row["answer"], row["label"])) for row in came)
        verdict = self.verdict
        # A bet's statement stays the same from its first label to its last.
        asked = allowed(self.reference.right[self.reference.apart], self.asked.harm_margin)
        return Harm(
            harmed=verdict.since is not None,
            since=verdict.since,
            e_value=verdict.wealth,
            threshold=1 / ALPHA,
            bound=verdict.bound,
            labels=verdict.labels,
            wrong=verdict.wrong,
            drawn=state.drawn(self.digest),
            fall_labels=verdict.fall_labels,
            fall_wrong=verdict.fall_wrong,
            asked=None if isclose(asked, verdict.bound) else asked,
        )

    def shifted(self) -> tuple[Seen, ...]:
        """The images that are least like the reference; none while there is no alarm."""
        if self.alarm is None:
            return ()
        window = self.since_shift()
        return self._seen(window, self.scores.shifted(window.scores), SHIFTED, lambda *_: True)

    def telling(self, may: Callable[[str, int], bool]) -> tuple[Seen, ...]:
        """Those that `may` be queued whose labels would teach most: unsure answers, and images unlike the reference."""
        if not len(self.window):
            return ()
        unsure = 1 - self.reference.head.lead(self.window.probabilities)
        line = self.scores.unlike(self.scores.of_images(self.reference)[self.reference.apart], own=1)
        odd = np.searchsorted(np.sort(line), self.scores.unlike(self.window.scores)) / len(line)
        return self._seen(self.window, unsure + odd, TELLING, may)

    def _seen(
        self, window: Window, scores: NDArray[np.floating], most: int, may: Callable[[str, int], bool]
    ) -> tuple[Seen, ...]:
        found: list[Seen] = []
        for row in np.argsort(-scores, kind="stable").tolist():
            request, place = str(window.request[row]), int(window.place[row])
            if len(found) < most and may(request, place):
                at, file, answer = moment(int(window.at[row])), str(window.file[row]), str(window.answer[row])
                one = Seen(request=request, place=place, at=at, file=file, answer=answer, score=float(scores[row]))
                found.append(one)
        return tuple(found)


def moment(microseconds: int) -> str:
    """A time in ISO 8601."""
    return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()


def _nothing(reference: Reference, scores: Scores) -> Window:
    words = {name: np.empty(0, dtype="<U1") for name in ("request", "file", "answer", "site", "camera")}
    numbers: dict[str, Any] = {
        "at": np.empty(0, dtype=np.int64),
        "place": np.empty(0, dtype=np.int64),
        "wealth": np.empty(0),
        "probabilities": np.empty((0, reference.probabilities.shape[1]), dtype=np.float32),
        "scores": np.empty((0, len(scores.names)), dtype=np.float32),
    }
    return Window(**words, **numbers)
