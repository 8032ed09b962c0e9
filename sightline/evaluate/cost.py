"""What an answer costs: latency and memory of a model bundle, in a fresh process.

    python -m sightline.evaluate.cost 1 BUNDLE IMAGE…            load, warm up; then a pass over them for each line
    python -m sightline.evaluate.cost 2 BUNDLE BUNDLE IMAGE…     both loaded; then a block of turns for each line

Two bundles that shall compare answer in one process, the same image one right after the other: whatever the machine
does meanwhile meets both. Memory is that of a process that has loaded one bundle alone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from sightline.data.files.facts import read_bytes
from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sightline.models.predictor import Predictor

PASSES = 5
FEWEST_PASSES = 3
BLOCKS = 40
FEWEST_BLOCKS = 11
"""Of so many, all on one side of the truth are one case in two thousand."""
SECONDS = 10.0
"""No further pass or block is begun once they have taken so long together, except for the fewest."""
CALLS, MOST_CALLS, PASS_SECONDS = 20, 100, 0.3
"""Answers of one pass: the first, or up to the second if they fit into the time. Of 20 answers the 95 % quantile
is nearly the slowest: in milliseconds, it told two equal networks apart by 15 %."""
TURNS, MOST_TURNS, BLOCK_SECONDS = 2, 50, 0.06
"""The same for the turns of one block; an even number, because every other turn goes the other way round."""
WARM_UP = 5


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one image costs, from the bytes of its file to the answer, once the model is warm."""

    p50_ms: float
    """Median over the passes of the median latency, milliseconds."""
    p95_ms: float
    """Median over the passes of the 95 % quantile: a hiccup of the machine in one pass does not count."""
    memory_mb: float
    """Most memory that the process ever held, interpreter and libraries included."""


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Two bundles that took turns."""

    candidate: Cost
    champion: Cost
    ratios: tuple[float, ...]
    """Of each block of turns: the candidate's median latency over the champion's."""


def measure(bundle: Path, images: Sequence[Path]) -> Cost:
    """Cost of a bundle on these image files, asked for one at a time.

    Raises ModelError where it does not load or answer.
    """
    with loading(bundle, images) as ask:
        return ask()


@contextmanager
def loading(bundle: Path, images: Sequence[Path]) -> Iterator[Callable[[], Cost]]:
    """`measure` in two steps: the process loads while the caller does something else, then the caller asks once."""
    child = _start([bundle], images)
    try:
        yield lambda: _passes(child)
    finally:
        child.kill()


def compare(candidate: Path, champion: Path, images: Sequence[Path]) -> Rivals:
    """Cost of two bundles beside each other, on the same image files.

    Raises ModelError where one does not load or answer.
    """
    both, alone = _start([candidate, champion], images), _start([champion], images)
    try:
        memory = float(_read(both))
        _read(alone)
        other = _finish(alone)
        # What loaded alone has ended by now: nothing of ours works beside the turns.
        _read(both)
        blocks = np.array([_ask(both) for _ in _within(BLOCKS, FEWEST_BLOCKS)])
    finally:
        both.kill()
        alone.kill()
    medians = np.median(blocks, axis=1)
    own, rival = (_cost(peak, blocks[:, :, side]) for side, peak in enumerate((memory, other)))
    return Rivals(candidate=own, champion=rival, ratios=tuple((medians[:, 0] / medians[:, 1]).tolist()))


def _passes(child: subprocess.Popen[str]) -> Cost:
    _read(child)
    passes = np.array([_ask(child) for _ in _within(PASSES, FEWEST_PASSES)])
    return _cost(_finish(child), passes)


def _within(most: int, fewest: int) -> Iterator[int]:
    """Count to `most`, or no further than `fewest` once the SECONDS are over."""
    started = time.monotonic()
    for number in range(most):
        if number >= fewest and time.monotonic() - started > SECONDS:
            return
        yield number


def _cost(memory: float, latencies: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Cost:
    """`latencies`: (passes, answers), milliseconds."""
    p50, p95 = np.median(np.quantile(latencies, (0.5, 0.95), axis=1), axis=1)
    return Cost(p50_ms=float(p50), p95_ms=float(p95), memory_mb=memory)


def _start(bundles: Sequence[Path], images: Sequence[Path]) -> subprocess.Popen[str]:
    paths = map(str, (*bundles, *images))
    command = [sys.executable, "-P", "-m", "sightline.evaluate.cost", str(len(bundles)), *paths]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _ask(child: subprocess.Popen[str]) -> list[float]:
    stdin = cast("IO[str]", child.stdin)
    stdin.write("\n")
    stdin.flush()
    return cast("list[float]", json.loads(_read(child)))


def _read(child: subprocess.Popen[str]) -> str:
    line = cast("IO[str]", child.stdout).readline()
    if not line:
        said = (cast("IO[str]", child.stderr).read().strip().splitlines() or ["it said nothing"])[-1]
        raise ModelError(f"the model does not answer in a fresh process: {said}")
    return line


def _finish(child: subprocess.Popen[str]) -> float:
    cast("IO[str]", child.stdin).close()
    return float(_read(child))


def serve(predictor: Predictor, images: Sequence[bytes]) -> None:
    """The child's side: a line of latencies (milliseconds) for each line read, and the peak memory (MB) at the end."""
    fastest = _warm(predictor, images)
    calls = max(CALLS, min(MOST_CALLS, int(1000 * PASS_SECONDS / fastest)))
    numbers = [number % len(images) for number in range(calls)]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps([_latency(predictor, images[number]) for number in numbers]), flush=True)
    print(peak_memory())


def serve_both(load: Callable[[str], Predictor], bundles: Sequence[str], images: Sequence[bytes]) -> None:
    """The child's side of `compare`: the first one's peak memory (MB), then a line of turns for each line read.

    A turn is the latency of either bundle (milliseconds) on one image.
    """
    first = load(bundles[0])
    fastest = _warm(first, images)
    print(peak_memory(), flush=True)
    both = (first, load(bundles[1]))
    fastest += _warm(both[1], images)
    turns = 2 * (max(TURNS, min(MOST_TURNS, int(1000 * BLOCK_SECONDS / fastest))) // 2)
    print("ready", flush=True)
    for block, _ in enumerate(sys.stdin):
        # Who has just waited is scheduled at once: the first of a block, who therefore changes from block to block.
        taken = [_turn(both, images[number % len(images)], (number + block) % 2) for number in range(turns)]
        print(json.dumps(taken), flush=True)


def _turn(both: Sequence[Predictor], image: bytes, first: int) -> list[float]:
    """Whoever comes second finds the image in the processor's cache, so that either one must be second as often."""
    latency = [0.0, 0.0]
    for side in (first, 1 - first):
        latency[side] = _latency(both[side], image)
    return latency


def _warm(predictor: Predictor, images: Sequence[bytes]) -> float:
    """The fastest of the first answers, milliseconds."""
    return min(_latency(predictor, images[number % len(images)]) for number in range(WARM_UP))


def _latency(predictor: Predictor, image: bytes) -> float:
    started = time.perf_counter()
    predictor.predict([image])
    return 1000 * (time.perf_counter() - started)


def peak_memory() -> float:
    """Most memory that this process held, MB."""
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux what getrusage tells survives exec: a small child would report its large parent.
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(count: str, *paths: str) -> None:
    """Load the first `count` of the paths and serve the others."""
    from sightline.models.predictor import Predictor

    bundles, files = paths[: int(count)], paths[int(count) :]
    images = [read_bytes(".", image) for image in files]
    if len(bundles) == 1:
        serve(Predictor.load(bundles[0]), images)
    else:
        serve_both(Predictor.load, bundles, images)


if __name__ == "__main__":
    main(*sys.argv[1:])
