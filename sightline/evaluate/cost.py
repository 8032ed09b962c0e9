"""What an answer costs: latency and memory of a model bundle, each in a fresh process of its own.

    python -m sightline.evaluate.cost BUNDLE IMAGE…     load, warm up; then a pass over the images for each line read

Several bundles take turns, pass by pass: what the machine does meanwhile slows them alike, so that they compare.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import numpy as np

from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sightline.models.predictor import Predictor

PASSES = 9
FEWEST_PASSES = 3
SECONDS = 10.0
"""No further pass is begun once they have taken so long together, except for the first three."""
CALLS, MOST_CALLS, PASS_SECONDS = 20, 200, 0.3
"""Answers of one pass: the first, or up to the second if they fit into the time. Of 20 answers the 95 % quantile
is nearly the slowest: in milliseconds, it told two equal networks apart by 15 %."""
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


def measure(bundles: Sequence[Path], images: Sequence[Path]) -> list[Cost]:
    """Cost of each bundle on the same image files, asked for one at a time.

    Raises ModelError where a bundle does not load or answer.
    """
    with loading(bundles, images) as ask:
        return ask()


@contextmanager
def loading(bundles: Sequence[Path], images: Sequence[Path]) -> Iterator[Callable[[], list[Cost]]]:
    """`measure` in two steps: the processes load while the caller does something else, then the caller asks once."""
    with ExitStack() as stack:
        children = [stack.enter_context(_start(bundle, images)) for bundle in bundles]
        try:
            yield lambda: _take_turns(children)
        finally:
            for child in children:
                child.kill()


def _take_turns(children: Sequence[subprocess.Popen[str]]) -> list[Cost]:
    for child in children:
        _read(child)
    passes: list[list[list[float]]] = [[] for _ in children]
    started = time.monotonic()
    for number in range(PASSES):
        if number >= FEWEST_PASSES and time.monotonic() - started > SECONDS:
            break
        # Every other pass the other way round: nobody is always first.
        for index in list(range(len(children)))[:: 1 if number % 2 else -1]:
            passes[index].append(_ask(children[index]))
    return [_cost(_finish(child), found) for child, found in zip(children, passes, strict=True)]


def _cost(memory: float, passes: list[list[float]]) -> Cost:
    p50, p95 = np.median(np.quantile(passes, (0.5, 0.95), axis=1), axis=1)
    return Cost(p50_ms=float(p50), p95_ms=float(p95), memory_mb=memory)


def _start(bundle: Path, images: Sequence[Path]) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "sightline.evaluate.cost", str(bundle), *map(str, images)]
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
    each = [_latency(predictor, images[number % len(images)]) for number in range(WARM_UP)]
    calls = max(CALLS, min(MOST_CALLS, int(1000 * PASS_SECONDS / min(each))))
    numbers = [number % len(images) for number in range(calls)]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps([_latency(predictor, images[number]) for number in numbers]), flush=True)
    print(peak_memory())


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


def main(bundle: str, *images: str) -> None:
    """Load the bundle and serve."""
    from sightline.models.predictor import Predictor

    serve(Predictor.load(bundle), [Path(image).read_bytes() for image in images])


if __name__ == "__main__":
    main(*sys.argv[1:])
