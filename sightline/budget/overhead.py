"""What a run takes beside training on this machine: as its last runs showed, else by the first seconds of this one."""

from __future__ import annotations

import json
import math
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from sightline import stored
from sightline.digests import digest_of
from sightline.errors import Damaged
from sightline.evaluate import robustness
from sightline.files import write_atomically
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.heads.located import text_of
from sightline.project import machine_cache
from sightline.train.inference import predict
from sightline.train.machine import machine
from sightline.train.speeds import once

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEPT = 5
"""Runs that are remembered; of what they showed the median counts."""
HEAD, TAIL = 20.0, 10.0
"""Seconds before and after training, of two cores of an EPYC: where neither a run nor a start told anything yet."""
START = 5.0
"""Seconds that a command takes there until its flow begins."""
LEAST, MOST = 0.2, 20.0
"""How many times shorter or longer than there a start may seem."""
FIXED = 0.3
"""Least share of the time after training that is no matter of the number of images."""
ANSWERED, CORRUPTED = 64, 16
"""Images for which the speed of answering, and of corrupting and answering, is measured."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How fast one process answers in an evaluation, images a second."""

    plain: float
    corrupted: float
    """Each image corrupted once, then answered as when served."""

    def seconds(self, counts: Mapping[str, int]) -> float:
        """For all images of a set (of each role), those of the release corrupted too."""
        corrupted = len(robustness.GATE) * min(counts.get("test", 0), robustness.GATE_IMAGES)
        return sum(counts.values()) / self.plain + corrupted / self.corrupted


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """Seconds beside training."""

    head: float
    """Until the data are ready."""
    tail: float
    """From the end of training to the end of the run, but for answering images."""
    shown: bool
    """Whether runs of this machine showed it; else it is a guess."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a run showed."""

    head: float | None
    """None where the data were ready before."""
    tail: float
    images: int


def expected(runs: Path, start: float, images: int) -> Overhead:
    """What this run will take beside training; it took `start` seconds until it began (0 = nobody knows)."""
    past = _past(runs)
    # The root: a start tells of a cold disk and of what else goes on there, which the rest of a run feels less.
    slower = math.sqrt(min(MOST, max(LEAST, start / START))) if start else 1.0
    heads = [one.head * max(1.0, images / max(1, one.images)) for one in past if one.head is not None]
    tails = [one.tail for one in past]
    return Overhead(
        head=statistics.median(heads) if heads else HEAD * slower,
        tail=statistics.median(tails) if tails else TAIL * slower,
        shown=bool(heads and tails),
    )


def remember(runs: Path, head: float | None, tail: float, answering: float, images: int) -> None:
    """Write down what a run showed: seconds before and after training, and those of `answering` among the latter."""
    shown = Shown(head=head, tail=max(FIXED * tail, tail - answering), images=images)
    rows = [asdict(one) for one in (*_past(runs), shown)][-KEPT:]
    write_atomically(_place(runs), stored.seal({"runs": rows}))


def answers(runs: Path, network: str, size: int, task: str = CLASSIFY) -> Answers:
    """How fast this machine answers with that network; measured once."""
    found = once(runs, ["answers", network, size, task], lambda: asdict(_measured(network, size, task)))
    return Answers(**found)


def _measured(network: str, size: int, task: str) -> Answers:
    from sightline.evaluate.confidence import Wanted
    from sightline.evaluate.measures import MEASURES
    from sightline.models.bundle import Card
    from sightline.models.networks import build
    from sightline.models.predictor import Predictor

    torch.manual_seed(0)
    head, model = of(task), build(task, network, 2, size).eval()
    pixels = torch.randint(0, 256, (ANSWERED, 3, size, size), dtype=torch.uint8)
    # What begins only once is no part of a speed.
    predict(model, pixels[:2], exact=True)
    began = time.perf_counter()
    predict(model, pixels, exact=True)
    plain = ANSWERED / (time.perf_counter() - began)
    # Fitted on no image at all: what is decided takes the same time.
    fitted = MEASURES[task].fit(head.none(2), np.zeros(0, dtype=np.int64), Wanted(accuracy=0.9), 2)
    card = Card(network, size, ("a", "b"), 1.0, "", task=task, decoding=fitted.decoding)
    served, label = Predictor(card, model.cpu()), text_of(size, size, ()) if head.is_located else "a"
    few = pixels[:CORRUPTED].permute(0, 2, 3, 1).contiguous().numpy()
    robustness.right(served, few[:2], np.array([label] * 2))
    began = time.perf_counter()
    robustness.right(served, few, np.array([label] * CORRUPTED))
    return Answers(plain=plain, corrupted=CORRUPTED * len(robustness.GATE) / (time.perf_counter() - began))


def _place(runs: Path) -> Path:
    return (machine_cache() or runs) / "speeds" / f"chain-{digest_of(machine())[:16]}.json"


def _past(runs: Path) -> list[Shown]:
    try:
        return [Shown(**row) for row in stored.unseal(_place(runs))["runs"]]
    except (Damaged, TypeError, KeyError, json.JSONDecodeError):
        return []
