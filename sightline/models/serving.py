"""The MLflow model: a file that MLflow runs to load the classifier ("models from code", no pickle).

Input: a table with the column `image`, the bytes of an image file. Output: `label`, `probability`, `probabilities`,
`set`, `abstain`, `foreign` and `foreign_score`, which are empty where the bundle cannot tell; `version`, which is
empty where the model was not loaded from the registry; and `digest` of the bundle. Where images have several
labels: `labels`, a list; where they have boxes, `boxes`, a list of objects with label, probability, x1, y1, x2 and y2.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from mlflow.utils.yaml_utils import read_yaml

from sightline.digests import tree_digest
from sightline.models.predictor import Predictor


class ImageClassifier(PythonModel):
    """Image bytes in, class out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        bundle = Path(context.artifacts["bundle"])
        self.predictor = Predictor.load(bundle)
        self.digest, self.version = tree_digest(bundle), registered(bundle.parent.parent)

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """One row for each row of `model_input`."""
        answers = self.predictor.predict([bytes(data) for data in model_input["image"]])
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


def registered(folder: Path) -> str | None:
    """The version in the registry that the model's folder was fetched as: MLflow leaves a note of it there."""
    name = "registered_model_meta"
    if not (folder / name).is_file():
        return None
    return str(read_yaml(str(folder), name)["model_version"])  # type: ignore[no-untyped-call]


set_model(ImageClassifier())
