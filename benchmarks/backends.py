"""Images per second of what can run a served network on the CPU, beside torch as the predictor runs it.

    python benchmarks/backends.py [--quick] [--busy] [--case boxes]

ResNet-18 at 224 px, the small cnn at 64 px and a detector on it at 192 px with random weights, one image and 16 at a
time, two threads: from pixels to features and logits, which serving needs both, or to the boxes that are left of 1,000
candidates, a hundred an image. Torch with the weights channels first (as loaded) and last, as
`torch.export` saves the network, and compiled where there is a C++ compiler; ONNX Runtime and OpenVINO on the graph
that `sightline export` writes. All take turns (--quick: 3, else 7); the median of each turn's ratio counts. Answers are
compared first, and the seconds of making each way are told. --busy: one thread, and the CPU seconds that it takes
instead of those that pass, for a machine on which others work.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY, DETECT
from sightline.images.normalise import normalise
from sightline.models import runtimes
from sightline.models.device import exact
from sightline.models.graph import Heads, traced, write_onnx
from sightline.models.networks import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sightline.heads.protocol import Head
    from sightline.models.networks import Network
    from sightline.models.runtimes import Run

CASES = {"resnet18": (CLASSIFY, "resnet18", 224), "cnn": (CLASSIFY, "cnn", 64), "boxes": (DETECT, "cnn", 192)}
SERVING = ("torch", "onnxruntime", "openvino")
"""Ways that are tried where boxes are found: torch's own others need minutes to be made."""
BATCHES = (1, 16)
THREADS, CLASSES = 2, 10
SECONDS = 0.4
"""Of each way at each turn, at least one batch."""


def main() -> None:
    """Measure, print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three turns instead of seven")
    parser.add_argument("--busy", action="store_true", help="one thread, its CPU seconds")
    parser.add_argument("--case", choices=CASES, help="one of them alone")
    given = parser.parse_args()
    turns, threads = 3 if given.quick else 7, 1 if given.busy else THREADS
    clock = time.process_time if given.busy else time.perf_counter
    torch.set_num_threads(threads)
    figures: dict[str, float] = {}
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, {turns} turns")
    for case in [given.case] if given.case else CASES:
        task, _, size = CASES[case]
        torch.manual_seed(0)
        ways = made(case, figures)
        for batch in BATCHES:
            pixels = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
            check(ways, pixels, of(task))
            rates = measure(ways, pixels, turns, clock)
            for name, values in rates.items():
                ratio = statistics.median(one / other for one, other in zip(values, rates["torch"], strict=True))
                rate = statistics.median(values)
                print(f"{case} {size} px, batch {batch:2}  {name:22} {rate:7.1f} images/s  {ratio:.2f} ×", flush=True)
                figures[f"{case}_{batch}_{name}"] = ratio
                figures[f"{case}_{batch}_{name}_images_per_second"] = rate
    print(json.dumps({"name": "backends", "figures": figures}))


def made(case: str, figures: dict[str, float]) -> dict[str, Run]:
    """The ways by name; what cannot be made here is left out, and told."""
    ways: dict[str, Run] = {}
    task, network, size = CASES[case]
    model, head = build(task, network, CLASSES, size).eval(), of(task)
    if head.is_located:
        # Scores that differ, as those of a network that has learned do: else rounding decides which boxes are left.
        torch.nn.init.normal_(model.get_parameter("classes.weight"), std=0.6)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        makers: dict[str, Callable[[], Run]] = {
            "torch": lambda: eager(model),
            "channels_last": lambda: eager(deepcopy(model).to(memory_format=torch.channels_last)),  # type: ignore[call-overload]
            "exported": lambda: whole(traced(Heads(model), network, size).module()),
            "compiled": lambda: compiled(model, size),
            "onnxruntime": lambda: graph(model, network, size, file, runtimes.onnxruntime),
            "openvino": lambda: graph(model, network, size, file, runtimes.openvino),
        }
        for name in SERVING if head.is_located else makers:
            started = time.perf_counter()
            try:
                ways[name] = settled(makers[name](), head)
            except Exception as error:  # noqa: BLE001 — such as a machine without a compiler
                print(f"{case}: no {name} ({' '.join(str(error).split())[:120]})")
                continue
            figures[f"{case}_{name}_seconds_to_make"] = time.perf_counter() - started
            print(f"{case}: {name} made in {time.perf_counter() - started:.1f} s", flush=True)
    return ways


def settled(run: Run, head: Head) -> Run:
    """With what is left for the server to do."""

    def whole(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        features, found = run(pixels)
        return [features, head.settled(found)]

    return whole


def eager(model: Network) -> Run:
    """As `Predictor.outputs` runs it, but for the statistics of the pixels."""

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with torch.no_grad(), exact():
            features, found = model.described(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2)))
            return [features.numpy(), found.numpy()]

    return run


def whole(module: Any) -> Run:
    """A module that takes the pixels themselves."""

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with torch.no_grad(), exact():
            return [one.numpy() for one in module(torch.from_numpy(pixels))]

    return run


def compiled(model: Network, size: int) -> Run:
    """By torch's compiler, for each batch size by itself; the first use is when it compiles."""
    run = whole(torch.compile(Heads(model).eval(), dynamic=False))
    for batch in BATCHES:
        run(np.zeros((batch, size, size, 3), np.uint8))
    return run


def graph(model: Network, network: str, size: int, file: Path, runtime: Callable[[Path], Run]) -> Run:
    """The graph of features and logits in another runtime."""
    heads = Heads(model)
    write_onnx(traced(heads, network, size), network, file, heads.outputs, {})
    return runtime(file)


def check(ways: dict[str, Run], pixels: NDArray[np.uint8], head: Head) -> None:
    """Every way gives the same logits, or boxes."""
    _, right = ways["torch"](pixels)
    for name, way in ways.items():
        _, logits = way(pixels)
        off = head.off(logits, right) / (1.0 if head.is_located else float(np.abs(right).max()))
        assert off < 1e-4, (name, off)  # noqa: S101 — else no figure means anything


def measure(
    ways: dict[str, Run], pixels: NDArray[np.uint8], turns: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Images per second of each way at each turn, the median of its batches; the first of them warms up."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(turns):
        for name, way in ways.items():
            way(pixels)
            seconds: list[float] = []
            while not seconds or sum(seconds) < SECONDS:
                started = clock()
                way(pixels)
                seconds.append(clock() - started)
            rates[name].append(len(pixels) / statistics.median(seconds))
    return rates


if __name__ == "__main__":
    main()
