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
from sightline.models.bundle import BUNDLE, GOLDEN
from sightline.models.predictor import Predictor
from sightline.registry.sandbox import environment, restrict
from sightline.tracking.versions import load_served

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIAL_SECONDS = 600
TOLERANCE = 1e-5
"""Largest difference of a probability between the training form at logging and the serving form when loaded."""
LOGIT_TOLERANCE = 1e-3
"""The same for the logits, relative to the largest; devices and libraries differ by less, a shifted pixel by more."""

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


def start_trial(folder: Path) -> Trial:
    """Try the model whose files lie in `folder` (as `Tracker.files` gives it)."""
    command = [sys.executable, "-P", "-m", "sightline.registry.trial", str(folder)]
    return Trial(
        subprocess.Popen(
            command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder
        )
    )


def check_golden(folder: Path) -> None:
    """Load a classifier as MLflow serves it and compare its answers with those of the training form at logging.

    Raises RegistryError where one differs by more than 1e-5, or is no number.
    """
    import pandas as pd

    bundle = next(iter(folder.rglob(BUNDLE))).parent
    images, golden = _golden(bundle)
    answers = load_served(folder).predict(pd.DataFrame({"image": images}))
    _compare(np.array(answers["probabilities"].tolist()), golden)
    _compare_logits(Predictor.load(bundle), images, golden)


def check_answers(bundle: Path) -> None:
    """The same for a bundle as it lies in the project, without MLflow."""
    images, golden = _golden(bundle)
    predictor = Predictor.load(bundle)
    _compare(predictor.probabilities(images), golden)
    _compare_logits(predictor, images, golden)


def _golden(bundle: Path) -> tuple[list[bytes], list[dict[str, Any]]]:
    golden = json.loads((bundle / GOLDEN).read_text(encoding="utf-8"))
    if not golden:
        raise RegistryError("it has no golden images to check it by")
    return [b64decode(one["image"]) for one in golden], golden


def _compare(found: NDArray[np.float64], golden: list[dict[str, Any]]) -> None:
    if not np.isfinite(found).all():
        raise RegistryError("it answers golden images with NaN, which is no probability")
    difference = np.abs(found - np.array([one["probabilities"] for one in golden]))
    if not (difference <= TOLERANCE).all():
        raise RegistryError(
            f"{OTHERWISE}: a probability is off by {difference.max():.2g} (is the preprocessing the same?)"
        )


def _compare_logits(predictor: Predictor, images: list[bytes], golden: list[dict[str, Any]]) -> None:
    """A model that is sure of everything hides in its probabilities what its logits show."""
    before = np.array([one["logits"] for one in golden if "logits" in one])
    if len(before):
        after = predictor.logits_of(images)
        off = float(np.abs(after - before).max() / max(1.0, np.abs(before).max()))
        if off > LOGIT_TOLERANCE:
            raise RegistryError(
                f"{OTHERWISE}: its logits are off by {off:.2g} of their size (is the preprocessing the same?)"
            )


if __name__ == "__main__":
    restrict()
    check_golden(Path(sys.argv[1]))
