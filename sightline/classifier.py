"""A registered version from Python: `sightline.champion(project).predict(…)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from sightline.config import find_root
from sightline.errors import RegistryError
from sightline.images.reading import MODES, SIXTEEN_BIT, UnreadableImage, to_rgb
from sightline.models.predictor import naming
from sightline.project import Paths
from sightline.registry.served import answering
from sightline.tracking.versions import CHAMPION, classifier_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, Any

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.predictor import Predictor

Picture: TypeAlias = (
    "str | Path | bytes | bytearray | memoryview | IO[bytes] | Image.Image | NDArray[np.uint8 | np.uint16]"
)
"""A path, the bytes of an image file, a file that is open for reading them, a picture of Pillow's, or an array of
`ARRAYS`."""
ONE = (str, Path, bytes, bytearray, memoryview, Image.Image, np.ndarray)
ARRAYS = "uint8 (H, W, 3), (H, W, 4), (H, W) or (H, W, 1), uint16 (H, W) or (H, W, 1), or a file's bytes as uint8 (N,)"
"""The arrays that are taken, in words."""
CHANNELS = {np.dtype(np.uint8): ((), (1,), (3,), (4,)), np.dtype(np.uint16): ((), (1,))}
"""The same: what may follow height and width in the shape of pixels."""
TAKEN = f"a path, the bytes of an image file, an open file, a picture of Pillow's, or an array {ARRAYS}"
"""What one image may be, in words."""
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

        Raises UnreadableImage where one cannot be read, by its path or its place; OSError where a path cannot.
        """
        several: list[Any]
        if isinstance(images, ONE) or hasattr(images, "read"):
            several, names = [images], [_name(images, "")]
        elif isinstance(images, Iterable) and not isinstance(images, Mapping) and not hasattr(images, "columns"):
            several = list(images)
            names = [_name(one, f"image {place} of {len(several)}") for place, one in enumerate(several, 1)]
        else:
            raise UnreadableImage(f"{type(images).__name__!r} is not taken: give {TAKEN}, or a list of them")
        files = [naming(name, _bytes, one) for name, one in zip(names, several, strict=True)]
        return self._predictor.predict(files, names)

    def to_pandas(self, answers: Sequence[Answer]) -> pd.DataFrame:
        """Answers as a table: label, probability, abstain, set, foreign, foreign_score, and a column for each class.

        Where images have several labels, a column with the list of them too; where they have boxes, one with those.
        """
        import pandas as pd

        task = self._predictor.task
        sets = [*([] if task.is_exclusive else ["labels"]), *(["boxes"] if task.is_located else [])]
        fixed = ["label", *sets, "probability", "abstain", "set", "foreign", "foreign_score"]
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
        return pd.DataFrame(rows, columns=[*fixed, *(f"p({name})" for name in self.classes)])


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


def _name(image: Any, place: str) -> str:
    """What an image is called where it cannot be read: by its path, else by its place."""
    return str(image) if isinstance(image, str | Path) else place


def _bytes(image: Picture) -> bytes:
    """The image as a file: what is in memory goes through the same reading as a file does."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, str | Path):
        return Path(image).read_bytes()
    if isinstance(image, Image.Image):
        return _file(image)
    if isinstance(image, np.ndarray):
        is_file = image.dtype == np.uint8 and image.ndim == 1
        return image.tobytes() if is_file else _file(_picture(image))
    if hasattr(image, "read"):
        return _read(image)
    raise UnreadableImage(f"{type(image).__name__!r} is not taken for an image: give {TAKEN}, several images as a list")


def _read(file: IO[bytes]) -> bytes:
    # From its start, as Pillow does: what was just written into memory stands at its end.
    with suppress(AttributeError, OSError):
        file.seek(0)
    data = file.read()
    if not isinstance(data, bytes):
        raise UnreadableImage(f"{type(file).__name__!r} reads {type(data).__name__!r}: open the file with mode 'rb'")
    return data


def _picture(array: NDArray[Any]) -> Image.Image:
    # By our own list: Pillow takes more, the bytes of a file among them, and makes pictures of it.
    channels = CHANNELS.get(array.dtype.newbyteorder("="), ()) if array.size and array.ndim > 1 else ()
    if array.shape[2:] not in channels:
        what = f"an array {array.dtype} {array.shape}"
        raise UnreadableImage(f"{what} is not taken for an image: give {TAKEN}, several images as a list")
    return Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)


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
