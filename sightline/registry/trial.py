"""Trying a registered classifier in a fresh process: whether it loads, and answers as it was registered to."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64decode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import RegistryError
from sightline.models import hub, zoo
from sightline.models.bundle import BUNDLE, GOLDEN
from sightline.models.predictor import Predictor
from sightline.models.rounding import reference
from sightline.models.weights import WEIGHTS
from sightline.registry.sandbox import environment, restrict

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIAL_SECONDS = 600
OTHERWISE = "it answers its golden images differently from the training form"


@dataclass(frozen=True)
class Trial:
    """A model being tried in a fresh, restricted process, while this one goes on."""

    process: subprocess.Popen[str]

    def trouble(self) -> str | None:
        """None if the model loads and answers its golden images as it was registered to, else why not."""
        try:
            _, said = self.process.communicate(timeout=TRIAL_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return f"it did not answer within {TRIAL_SECONDS} s"
        if self.process.returncode == 0:
            return None
        return (said.strip().splitlines() or [f"exit status {self.process.returncode}"])[-1]


def start_trial(bundle: Path) -> Trial:
    """Try the model in the folder `bundle`, whose files were verified."""
    # Not in that folder: its files would stand before the libraries of their names.
    command = [sys.executable, "-P", "-B", "-m", "sightline.registry.trial", str(bundle.resolve())]
    return Trial(
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd="/"
        )
    )


def check_answers(bundle: Path) -> None:
    """Load a classifier and compare its answers with those of the training form at logging.

    Raises RegistryError where one is no number, names another class, or differs by more than correct float32 can.
    """
    files, golden = _golden(bundle)
    predictor = Predictor.load(bundle)
    predictor.predict(files)
    _compare(predictor, files, golden, predictor.probabilities(files))


def _golden(bundle: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    golden = json.loads((bundle / GOLDEN).read_text(encoding="utf-8"))
    if not golden:
        raise RegistryError("it has no golden images to check it by")
    if not all(np.isfinite(one["probabilities"]).all() for one in golden):
        raise RegistryError("its golden answers hold NaN, which is no probability")
    return [b64decode(one["image"]) for one in golden], golden


def _compare(
    predictor: Predictor, files: list[bytes], golden: list[dict[str, Any]], found: NDArray[np.float64]
) -> None:
    if not np.isfinite(found).all():
        raise RegistryError("it answers golden images with NaN, which is no probability")
    before = np.array([one["probabilities"] for one in golden])
    right, allowed, _ = reference(predictor, files)
    card = predictor.card
    for was, now in (
        (predictor.task.decided(row, card)[0] for row in pair) for pair in zip(before, found, strict=True)
    ):
        if was != now:
            raise RegistryError(f"{OTHERWISE}: {now} instead of {was} (is the preprocessing the same?)")
    # Both sides may err, and the softmax moves by half of what the logits move by at most.
    limit = allowed / predictor.card.temperature
    off = predictor.task.off(found, before)
    if not off <= limit:
        raise RegistryError(
            f"{OTHERWISE}: a probability is off by {off:.2g}, rounding explains {limit:.2g} "
            "(is the preprocessing the same?)"
        )
    # A model that is sure of everything hides in its probabilities what its logits show; those of before are kept too.
    logits = np.array([one["logits"] for one in golden if "logits" in one]).reshape(-1, *right.shape[1:])
    off = predictor.task.off(logits, right[: len(logits)])
    if not off <= allowed:
        raise RegistryError(
            f"{OTHERWISE}: a logit is off by {off:.2g}, rounding explains {allowed:.2g} (is the preprocessing the "
            "same, and were they computed in float32, without TF32?)"
        )


def trouble_with(bundle: Path) -> str | None:
    """What is wrong with the model in `bundle`, in a line; None where nothing is."""
    try:
        check_answers(bundle)
    except Exception as error:  # noqa: BLE001 — whatever it does to a library must be told, not shown as a traceback
        return " ".join(str(error).split()) or type(error).__name__
    return None


def main(bundle: Path) -> str | None:
    """The same in this process, which can do nothing else afterwards."""
    if b'"network": "cnn"' not in (bundle / BUNDLE).read_bytes():
        # Where it is loaded torchvision makes a folder, so that it comes before the walls; our own network needs none.
        zoo.names()
    if f'"network": "{hub.PREFIX}'.encode() in (bundle / BUNDLE).read_bytes():
        hub.load()
    restrict(bundle, (bundle / WEIGHTS).stat().st_size)
    return trouble_with(bundle)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
