"""Networks, the predictor and its packaging. Importing it makes torchvision importable beside any torch."""

from sightline.models.operators import ensure

ensure()
