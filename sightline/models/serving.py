"""The MLflow model: a file that MLflow runs to load the classifier ("models from code", no pickle).

Input: a table with the column `image`, the bytes of an image file or base64 text of them. Output: `label`,
`probability`, `probabilities`, `set`, `abstain`, `foreign` and `foreign_score`, which are empty where the bundle cannot
tell; `version`, which is empty where the model was not loaded from the registry; and `digest` of the bundle. Where
images have several labels: `labels`, a list; where they have boxes, `boxes`, a list of objects with label,
probability, x1, y1, x2 and y2.
"""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from mlflow.utils.yaml_utils import read_yaml

from sightline.digests import tree_digest
from sightline.images.reading import UnreadableImage
from sightline.models.predictor import Predictor, naming

BASE64 = re.compile(rb"\s*(?:data:[^,]*;base64,)?\s*([A-Za-z0-9+/]{4}[A-Za-z0-9+/=\s]*)")
"""Text that is no image file: only a plain PPM may be of such signs alone, and its third one is white space."""


class ImageClassifier(PythonModel):
    """Image bytes in, class out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        bundle = Path(context.artifacts["bundle"])
        self.predictor = Predictor.load(bundle)
        self.digest, self.version = tree_digest(bundle), registered(bundle.parent.parent)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """One row for each row of `model_input`.

        Raises UnreadableImage, which names the row, where one holds no image.
        """
        cells = model_input["image"].tolist()
        rows = [f"row {place} of {len(cells)}" for place in range(1, len(cells) + 1)]
        files = [naming(name, image_file, cell) for name, cell in zip(rows, cells, strict=True)]
        answers = self.predictor.predict(files, rows)
        found = pd.DataFrame(
            {
                "label": [answer.label for answer in answers],
                "probability": [answer.probability for answer in answers],
                "probabilities": [list(answer.probabilities) for answer in answers],
                "set": [None if answer.likely is None else list(answer.likely) for answer in answers],
                "abstain": [answer.abstain for answer in answers],
                "foreign": [answer.foreign for answer in answers],
                "foreign_score": [answer.foreign_score for answer in answers],
                "version": self.version,
                "digest": self.digest,
            }
        )
        # Columns of their own where images have several labels or boxes, and none where each has one class.
        sets = [answer.sets for answer in answers]
        names = sets[0] if sets else {}
        return found.assign(**{name: pd.Series([one[name] for one in sets], dtype=object) for name in names})


def image_file(cell: Any) -> bytes:
    """The image file in a cell of the table: its bytes, or those that it is the base64 text of.

    MLflow's server hands over such text as str from CSV, as bytes from `instances` and `inputs`. Raises UnreadableImage
    where it is something else.
    """
    if not isinstance(cell, str | bytes | bytearray | memoryview):
        raise UnreadableImage(f"{type(cell).__name__!r} is no image file: give its bytes, or base64 text of them")
    data = cell.encode("ascii", "replace") if isinstance(cell, str) else bytes(cell)
    text = BASE64.fullmatch(data)
    if text is None and isinstance(cell, str):
        raise UnreadableImage(f"{cell[:40]!r} is no base64: give the bytes of the image file, or base64 text of them")
    try:
        return data if text is None else b64decode(text[1])
    except ValueError as error:
        raise UnreadableImage(f"base64 text that is cut or damaged ({error})") from None


def registered(folder: Path) -> str | None:
    """The version in the registry that the model's folder was fetched as: MLflow leaves a note of it there."""
    name = "registered_model_meta"
    if not (folder / name).is_file():
        return None
    return str(read_yaml(str(folder), name)["model_version"])  # type: ignore[no-untyped-call]


set_model(ImageClassifier())
