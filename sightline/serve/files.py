"""Answers of a registered version for image files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.images.reading import UnreadableImage
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.serve.images import Source


def predict_files(
    bundle: Path, version: str, images: Sequence[Source], *, max_pixels: float | None = None
) -> list[dict[str, Any]]:
    """One row for each file: path and what the version answers; or path and error where it is unreadable.

    `bundle`: the folder of that version. `set` holds the likely classes, most likely first, and a `foreign_score` above
    1 makes an image foreign; each of `abstain`, `set`, `foreign` and its score is None where the version cannot tell.
    `max_pixels`: larger images are not read. Raises ModelError where the bundle is not whole.
    """
    predictor = Predictor.load(bundle, max_pixels)
    rows = []
    for image in images:
        row: dict[str, Any] = {"path": image.name}
        try:
            (answer,) = predictor.predict([image.read()])
            row |= {"label": answer.label, "probability": answer.probability, "version": version}
            row |= {"abstain": answer.abstain, "set": None if answer.likely is None else list(answer.likely)}
            row |= {"foreign": answer.foreign, "foreign_score": answer.foreign_score}
        except UnreadableImage as error:
            row |= {"error": str(error)}
        except OSError as error:
            row |= {"error": f"cannot be read: {error.strerror}"}
        rows.append(row)
    return rows
