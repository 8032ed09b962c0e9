"""Likely errors among boxes, asked of a detector: of images in the hands of a run, or of image files.

What it did not learn from is asked without bias: validation and calibration images, and files that came later. Of
training images it has learned some errors by heart, so that fewer are found there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.data.labels import box_errors
from sightline.errors import ModelError
from sightline.evaluate.label_errors import Suspected, opened
from sightline.images.reading import UnreadableImage
from sightline.models.predictor import BATCH, Predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.data.loader import Images
    from sightline.data.quality import Finding
    from sightline.data.reference import DataRef
    from sightline.project import Paths


def find_box_errors(paths: Paths, data: DataRef, bundle: Path) -> Suspected:
    """Look for boxes that the answers of the detector in a `bundle` contradict, on a run's images but the test's.

    Raises DataError where shards and manifest disagree.
    """
    parts, predictor = opened(paths, data), Predictor.load(bundle)
    listed = pd.concat([part for _, part in parts], ignore_index=True)
    answers = np.concatenate([_answers(predictor, images) for images, _ in parts if len(images)])
    found = box_errors.find_box_errors(listed, answers, predictor.card.classes, predictor.card.size)
    sentence = found.sentence if found else f"The boxes of none of {len(listed):,} images look wrong."
    return Suspected(finding=found, rows=listed, sentence=sentence)


def ask(
    folder: Path, rows: pd.DataFrame, bundle: Path, progress: Callable[[list[str]], Iterable[str]]
) -> Finding | None:
    """The same of the image files in `folder` that the manifest's `rows` tell of, by the detector in a `bundle`.

    Those without a label, in quarantine or unreadable are passed over. `progress` wraps the paths, to show how far it
    is. Raises ModelError where the bundle answers no boxes.
    """
    predictor = Predictor.load(bundle)
    if not predictor.task.is_located:
        raise ModelError("the champion answers no boxes: `sightline run` trains one that does")
    usable = rows[rows["status"].isin([manifest.OK, manifest.HELD_BACK]) & rows["label"].notna()]
    answers: list[NDArray[np.float64]] = []
    kept: list[int] = []
    for place, path in enumerate(progress(usable["path"].tolist())):
        try:
            answers += [*predictor.probabilities([read_bytes(folder, path)])]
        except (OSError, UnreadableImage):
            continue
        kept.append(place)
    if not kept:
        return None
    card = predictor.card
    return box_errors.find_box_errors(usable.iloc[kept], np.stack(answers), card.classes, card.size)


def _answers(predictor: Predictor, images: Images) -> NDArray[np.float64]:
    """Answers (N, 100, 6) with calibrated scores."""
    parts = images.pixels.split(BATCH)
    logits = np.concatenate([predictor.logits(part.permute(0, 2, 3, 1).numpy()) for part in parts])
    return predictor.task.probabilities(logits, predictor.card)
