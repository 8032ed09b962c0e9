"""The MLflow model: a file that MLflow runs to load the classifier ("models from code", no pickle).

Input: a table with the column `image`, the bytes of an image file. Output: `label`, `probability`, `probabilities`,
`abstain`, `foreign` and `foreign_score`; the last three are empty where the bundle cannot tell.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from sightline.models.predictor import Predictor


class ImageClassifier(PythonModel):
    """Image bytes in, class out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the model."""
        self.predictor = Predictor.load(context.artifacts["bundle"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:  # noqa: ARG002
        """One row for each row of `model_input`."""
        answers = self.predictor.predict([bytes(data) for data in model_input["image"]])
        return pd.DataFrame(
            {
                "label": [answer.label for answer in answers],
                "probability": [answer.probability for answer in answers],
                "probabilities": [list(answer.probabilities) for answer in answers],
                "abstain": [answer.abstain for answer in answers],
                "foreign": [answer.foreign for answer in answers],
                "foreign_score": [answer.foreign_score for answer in answers],
            }
        )


set_model(ImageClassifier())
