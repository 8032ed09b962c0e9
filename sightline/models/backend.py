"""The runtime that answers fastest on this machine's CPU, where it answers as torch does."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import ModelError
from sightline.models.bundle import golden
from sightline.models.graph import Heads, traced, write_onnx
from sightline.models.parity import parity
from sightline.models.predictor import Predictor
from sightline.models.runtimes import LIBRARIES, onnxruntime
from sightline.processes import end_with_the_parent, tied

if TYPE_CHECKING:
    from sightline.models.parity import Parity

SECONDS = 600
"""For making a graph of a network."""
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
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "model.onnx"
        try:
            make(bundle, file)
            adopt(predictor, bundle, file)
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
    answers = other.predict(images)
    probabilities = np.array([one.probabilities for one in answers])
    scores = None if predictor.known is None else np.array([one.foreign_score for one in answers])
    by_torch = Predictor(predictor.card, predictor.model, predictor.known, predictor.max_pixels)
    found = parity(by_torch, images, probabilities, scores)
    predictor.run = run
    return found


def make(bundle: Path, file: Path) -> None:
    """Have another process write the graph of features and logits: a server goes on meanwhile, and stays small.

    Raises ModelError where it cannot.
    """
    command = [sys.executable, "-P", "-m", "sightline.models.backend", str(bundle.resolve()), str(file)]
    tie = tied(os.environ)
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False, **tie)
    if done.returncode:
        raise ModelError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])


def convert(bundle: Path, file: Path) -> None:
    """Write the graph of features and logits of the bundle as an ONNX file.

    Raises ModelError where the bundle is not whole, or its network cannot be written.
    """
    predictor = Predictor.load(bundle)
    card, heads = predictor.card, Heads(predictor.model)
    write_onnx(traced(heads, card.network, card.size), card.network, file, heads.outputs, {})


if __name__ == "__main__":
    end_with_the_parent()
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
