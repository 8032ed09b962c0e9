"""A registered version from Python: `sightline.champion(project).predict(…)`."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from sightline.config import find_root
from sightline.errors import RegistryError
from sightline.images.reading import MODES, SIXTEEN_BIT, UnreadableImage, to_rgb
from sightline.project import Paths
from sightline.registry.served import answering
from sightline.tracking.versions import CHAMPION, classifier_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.predictor import Predictor

Picture: TypeAlias = "str | Path | bytes | bytearray | memoryview | Image.Image | NDArray[np.uint8 | np.uint16]"
"""A path, the bytes of an image file, a picture of Pillow's, or an array of `ARRAYS`."""
ONE = (str, Path, bytes, bytearray, memoryview, Image.Image, np.ndarray)
ARRAYS = "uint8 (H, W, 3), (H, W, 4), (H, W) or (H, W, 1), or uint16 (H, W)"
"""The arrays that are taken, in words."""
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
        several = [images] if isinstance(images, ONE) else images
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
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    return _file(image if isinstance(image, Image.Image) else _picture(image))


def _picture(array: NDArray[Any]) -> Image.Image:
    what = f"an array {array.dtype} {array.shape}" if isinstance(array, np.ndarray) else repr(type(array).__name__)
    try:
        picture = Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)  # noqa: PLR2004
    except (TypeError, ValueError, AttributeError):
        picture = None
    if picture is None or not array.size or picture.mode in {"I", "F"}:
        raise UnreadableImage(f"{what} is not taken for an image: give {ARRAYS}, several images as a list")
    return picture


def _file(picture: Image.Image) -> bytes:
    """The picture upright, in a mode that PNG has."""
    # Of the 32-bit pictures only those of PPM are known to count to 65,535.
    if picture.mode not in MODES or (picture.mode == "I" and picture.format != "PPM"):
        raise UnreadableImage(f"pixel mode {picture.mode} is not supported")
    try:
        upright = ImageOps.exif_transpose(picture)
    except Exception as error:  # noqa: BLE001 — decoders fail in every way on damaged bytes
        raise UnreadableImage(f"damaged pixels: {error}") from None
    # The white of 16 bits is the version's, which the file's reader knows.
    deep = upright.mode in SIXTEEN_BIT
    out = BytesIO()
    (Image.fromarray(np.asarray(upright).astype(np.uint16)) if deep else to_rgb(upright)).save(out, "PNG")
    return out.getvalue()
