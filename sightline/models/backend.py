"""The runtime that answers fastest on this machine's CPU, where it answers as torch does."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import ModelError
from sightline.heads.labels import CLASSIFY
from sightline.models.bundle import golden
from sightline.models.graph import Heads, traced, write_onnx
from sightline.models.networks import build
from sightline.models.parity import parity
from sightline.models.predictor import Predictor
from sightline.models.runtimes import LIBRARIES, onnxruntime
from sightline.processes import end_with_the_parent, tied

if TYPE_CHECKING:
    from sightline.models.parity import Parity

SECONDS = 600
"""For making a graph of a network."""
GRAPH = "model.onnx"
_ahead: list[subprocess.Popen[str]] = []
"""The process that was started before it is needed, until somebody takes it."""
log = logging.getLogger(__name__)


def is_installed() -> bool:
    """Whether the libraries of `sightline[onnx]` are there."""
    return all(importlib.util.find_spec(name) for name in LIBRARIES["onnx"])


def quicken(predictor: Predictor, bundle: Path) -> bool:
    """Let ONNX Runtime answer for the `predictor` of the folder `bundle` from now on; whether it does.

    It needs the libraries of `sightline[onnx]`, and must give the golden images the decisions that torch gives them;
    where it does not, torch goes on, and the log says why.
    """
    if not is_installed():
        return False
    with ExitStack() as stack:
        try:
            making = start(bundle)
            stack.callback(making.stop)
            adopt(predictor, bundle, making.wait())
        except Exception as error:  # noqa: BLE001 — whatever a runtime says of a network, torch can answer
            log.warning("torch answers, slower than ONNX Runtime would: %s", " ".join(str(error).split())[:300])
            return False
    return True


def adopt(predictor: Predictor, bundle: Path, file: Path) -> Parity:
    """Let ONNX Runtime answer by the graph in `file` from now on.

    Raises ModelError where it does not give the golden images of `bundle` the decisions that torch gives them, and
    whatever the runtime raises of such a file; torch goes on then.
    """
    run, images = onnxruntime(file), golden(bundle)
    other = Predictor(predictor.card, predictor.model, predictor.known, predictor.max_pixels)
    other.run = run
    made = other.outputs(np.stack([other.decode(data) for data in images]))
    probabilities = other.task.probabilities(made.logits, other.card)
    scores = None if other.known is None else other.known.scores(made.described)
    by_torch = Predictor(predictor.card, predictor.model, predictor.known, predictor.max_pixels)
    found = parity(by_torch, images, probabilities, scores)
    predictor.run = run
    return found


@dataclass(frozen=True)
class Making:
    """A graph that another process writes while this one goes on: a server stays small, and a gate loses no time."""

    process: subprocess.Popen[str]
    folder: tempfile.TemporaryDirectory[str]
    """Where the graph lies until `stop`."""

    @property
    def file(self) -> Path:
        """The graph, once `wait` has returned."""
        return Path(self.folder.name) / GRAPH

    def wait(self) -> Path:
        """The file with the graph of features and logits.

        Raises ModelError where it could not be written.
        """
        try:
            _, said = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise ModelError(f"no graph of its network was written within {SECONDS} s") from None
        if self.process.returncode:
            raise ModelError((said.strip().splitlines() or [f"exit status {self.process.returncode}"])[-1])
        return self.file

    def stop(self) -> None:
        """End the process if it is still at work, and remove what it wrote."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.folder.cleanup()


def start_ahead() -> None:
    """Start the process of the next `start` now: what it imports takes longer than the graph."""
    if is_installed() and not _ahead:
        _ahead.append(_process())


def start(bundle: Path) -> Making:
    """Have the graph of the `bundle` written, whose files were verified."""
    folder = tempfile.TemporaryDirectory()
    waiting = [process for process in _ahead if process.poll() is None]
    _ahead.clear()
    making = Making(waiting[0] if waiting else _process(), folder)
    assert making.process.stdin is not None  # noqa: S101 — it is a pipe
    with suppress(BrokenPipeError):
        print(json.dumps([str(bundle.resolve()), str(making.file)]), file=making.process.stdin, flush=True)
    return making


def _process() -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "sightline.models.backend"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe, text=True, **tied(os.environ))


def convert(bundle: Path, file: Path) -> None:
    """Write the graph of features and logits, or candidates, of the bundle as an ONNX file.

    Raises ModelError where the bundle is not whole, or its network cannot be written.
    """
    predictor = Predictor.load(bundle)
    card, heads = predictor.card, Heads(predictor.model)
    write_onnx(traced(heads, card.network, card.size), card.network, file, heads.outputs, {})


def _serve() -> None:
    """Write the graph that standard input asks for; one that nobody will see before, for what torch loads by it."""
    with tempfile.TemporaryDirectory() as folder:
        heads = Heads(build(CLASSIFY, "cnn", 2, 16).eval())
        write_onnx(traced(heads, "cnn", 16), "cnn", Path(folder, GRAPH), heads.outputs, {})
    if line := sys.stdin.readline():
        convert(*map(Path, json.loads(line)))


if __name__ == "__main__":
    end_with_the_parent()
    try:
        _serve()
    except ModelError as error:
        sys.exit(str(error))
