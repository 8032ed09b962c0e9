"""Answers of a registered version for image files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.data.reading import UnreadableImage
from sightline.errors import RegistryError
from sightline.tracking import CHAMPION, connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.project import Paths


def predict_files(paths: Paths, images: Sequence[Path], version: str | None) -> list[dict[str, Any]]:
    """One row for each file: path, label, probability, version; or path and error where it cannot be read.

    Raises RegistryError where there is no such version.
    """
    tracker = connect(paths)
    model = tracker.classifier_model
    if version is None:
        champion = tracker.aliased(model, CHAMPION)
        if champion is None:
            raise RegistryError(f"{model} has no champion yet: run `sightline run`, or name a version with --version")
        version = str(champion.version)
    tracker.version(model, version)
    predictor = tracker.predictor(model, version)
    rows = []
    for image in images:
        row: dict[str, Any] = {"path": str(image)}
        try:
            (answer,) = predictor.predict([image.read_bytes()])
            row |= {"label": answer.label, "probability": answer.probability, "version": version}
        except UnreadableImage as error:
            row |= {"error": str(error)}
        except OSError as error:
            row |= {"error": f"cannot be read: {error.strerror}"}
        rows.append(row)
    return rows
