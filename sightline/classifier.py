"""A registered version from Python: `sightline.champion(project).predict(…)`."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image

from sightline.config import find_root
from sightline.errors import RegistryError
from sightline.images.reading import png
from sightline.project import Paths
from sightline.registry.served import answering
from sightline.tracking.versions import CHAMPION, classifier_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.predictor import Predictor

Picture: TypeAlias = "str | Path | bytes | Image.Image | NDArray[np.uint8]"
"""A path, the bytes of an image file, a picture of Pillow's, or an array uint8 (H, W, 3) or (H, W)."""
NAME = re.compile(r"(?P<model>[^@/]+)(?:@(?P<alias>\w+)|/(?P<version>\d+))")


class Classifier:
    """A version of a project's classifier, loaded and verified."""

    def __init__(self, version: str, predictor: Predictor) -> None:
        self.version = version
        self._predictor = predictor

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of an answer's probabilities."""
        return self._predictor.card.classes

    def predict(self, images: Picture | Iterable[Picture]) -> list[Answer]:
        """An answer for each image, in order.

        Raises UnreadableImage where one cannot be read, OSError where a path cannot.
        """
        several = [images] if isinstance(images, str | Path | bytes | Image.Image | np.ndarray) else images
        return self._predictor.predict([_bytes(one) for one in several])

    def to_pandas(self, answers: Sequence[Answer]) -> pd.DataFrame:
        """Answers as a table: label, probability, abstain, set, foreign, foreign_score, and a column for each class.

        Where images have several labels, a column with the list of them too.
        """
        import pandas as pd

        rows = [
            {
                "label": one.label,
                **one.sets,
                "probability": one.probability,
                "abstain": one.abstain,
                "set": one.likely,
                "foreign": one.foreign,
                "foreign_score": one.foreign_score,
                **{f"p({name})": share for name, share in zip(self.classes, one.probabilities, strict=True)},
            }
            for one in answers
        ]
        return pd.DataFrame(rows)


def champion(project: str | Path = ".") -> Classifier:
    """The champion of the project at or above that folder.

    Raises ProjectError where there is no project, RegistryError where it has no champion, ModelError where the
    champion's files are not those that were registered.
    """
    return _open(Paths(find_root(Path(project))), None)


def load(name: str, project: str | Path = ".") -> Classifier:
    """A version by name: "MODEL@champion" or "MODEL/3".

    Raises as `champion`, and RegistryError where the name is of another form, or of another model than the project's.
    """
    paths = Paths(find_root(Path(project)))
    model, found = classifier_of(paths.params.project.name), NAME.fullmatch(name)
    if found is None or found["alias"] not in {None, CHAMPION}:
        raise RegistryError(f"{name}: ask for {model}@{CHAMPION}, or for a version such as {model}/3")
    if found["model"] != model:
        raise RegistryError(f"{name}: the project at {paths.root} has the model {model}")
    return _open(paths, found["version"])


def _open(paths: Paths, version: str | None) -> Classifier:
    found = answering(paths, version)
    return Classifier(found.number, found.predictor)


def _bytes(image: Picture) -> bytes:
    """The image as a file: what is in memory goes through the same reading as a file does."""
    if isinstance(image, bytes):
        return image
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if isinstance(image, Image.Image):
        out = BytesIO()
        image.save(out, "PNG")
        return out.getvalue()
    return png(image)
