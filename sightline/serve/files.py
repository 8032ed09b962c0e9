"""Answers of a registered version for image files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.images.reading import UnreadableImage
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from sightline.heads.answer import Answer
    from sightline.serve.images import Source


def predict_files(
    bundle: Path,
    version: str,
    images: Sequence[Source],
    top: int | None = None,
    step: Callable[[int], None] = lambda _: None,
    *,
    max_pixels: float | None = None,
) -> list[dict[str, Any]]:
    """One row for each file: path and what the version answers; or path and error where it is unreadable.

    `bundle`: the folder of that version. `labels` are there where an image may have several. `set` holds the likely
    classes, most likely first, and a `foreign_score` above 1 makes an image foreign; each of `abstain`, `set`,
    `foreign` and its score is None where the version cannot tell. `top`: that many classes with their probabilities as
    well, the likeliest first. `step` is told of each file. `max_pixels`: larger images are not read. Raises ModelError
    where the bundle is not whole.
    """
    predictor = Predictor.load(bundle, max_pixels)
    rows = []
    for image in images:
        row: dict[str, Any] = {"path": image.name}
        try:
            (answer,) = predictor.predict([image.read()])
            row |= {"label": answer.label, **answer.sets, "probability": answer.probability, "version": version}
            row |= {"abstain": answer.abstain, "set": None if answer.likely is None else list(answer.likely)}
            row |= {"foreign": answer.foreign, "foreign_score": answer.foreign_score}
            if top is not None:
                row["top"] = _top(answer, predictor.card.classes, top)
        except UnreadableImage as error:
            row |= {"error": str(error)}
        except OSError as error:
            row |= {"error": f"cannot be read: {error.strerror}"}
        rows.append(row)
        step(1)
    return rows


def doubt(row: dict[str, Any]) -> str:
    """Why a person had better answer an image, in words; empty where the answer stands."""
    if not row.get("abstain"):
        return ""
    return "unlike the images it knows" if row.get("foreign") else "not sure enough"


def _top(answer: Answer, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    order = np.argsort(-np.asarray(answer.probabilities), kind="stable")[:count]
    return [{"label": classes[place], "probability": answer.probabilities[place]} for place in order.tolist()]
