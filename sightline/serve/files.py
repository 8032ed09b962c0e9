"""Answers of a registered version for image files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.images.reading import UnreadableImage
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.project import Paths


def predict_files(paths: Paths, images: Sequence[Path], version: str | None) -> list[dict[str, Any]]:
    """One row for each file: path, label, probability, version, abstain, set; or path and error where it is unreadable.

    `abstain` and `set` (the likely classes, most likely first) are None where the version cannot tell.

    Raises RegistryError where there is no such version.
    """
    tracker = connect(paths)
    model = tracker.classifier_model
    version = str(tracker.asked_for(model, version).version)
    predictor = tracker.predictor(model, version)
    rows = []
    for image in images:
        row: dict[str, Any] = {"path": str(image)}
        try:
            (answer,) = predictor.predict([image.read_bytes()])
            row |= {"label": answer.label, "probability": answer.probability, "version": version}
            row |= {"abstain": answer.abstain, "set": None if answer.likely is None else list(answer.likely)}
        except UnreadableImage as error:
            row |= {"error": str(error)}
        except OSError as error:
            row |= {"error": f"cannot be read: {error.strerror}"}
        rows.append(row)
    return rows
