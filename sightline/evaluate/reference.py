"""What a version's traffic is compared with: what it makes of held-out images, as it answers them when it serves.

Made when the version becomes champion, from the files of the test release: nothing else is known to be images that it
never learned from. Stored with the version's MLflow run, so that a machine without the images has it too; the version
carries its digest, and it names the bundle whose answers it holds.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.digests import tree_digest
from sightline.errors import Damaged, RegistryError
from sightline.evaluate import release
from sightline.files import write_atomically
from sightline.heads.amounts import amounts
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.images.reading import open_image
from sightline.models.predictor import BATCH, Outputs, Predictor
from sightline.names import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.evaluate.metrics import FloatArray
    from sightline.heads.protocol import Head
    from sightline.models.foreign import Known
    from sightline.project import Paths
    from sightline.tracking.runs import Tracker

TAG = "reference"
"""Of a version: SHA-256 of the file."""
ARTIFACT = "monitor/reference.npz"
"""Of the version's run."""
MOST = 5000
"""Images, drawn at random where the release has more: for each the features are kept."""
COMPONENTS = 16
"""Directions in which features are compared."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a version makes of N held-out images."""

    bundle: str
    """Digest of the version's bundle."""
    release: str
    """Digest of the test release."""
    classes: tuple[str, ...]
    """Those of the version, then those of the images that it does not know."""
    labels: NDArray[np.integer[Any]]
    """(N,) index of the true class, or (N, classes) 1 for those that are there."""
    groups: NDArray[np.int64]
    """(N,) images of one group are no independent evidence."""
    probabilities: NDArray[np.float32]
    """(N, C) of the version's classes; of boxes that of the surest one of each."""
    features: NDArray[np.float32]
    """(N, F), and statistics (N, S), energy (N,): as they are captured."""
    statistics: NDArray[np.float32]
    energy: NDArray[np.float32]
    foreign: NDArray[np.float32]
    """(N,) how foreign each image is; not a number where the version cannot tell."""
    directions: NDArray[np.float32]
    """(F, K) along which features are compared."""
    task: str = CLASSIFY
    scored: NDArray[np.float64] | None = None
    """(N,) the task's figure of each image, as the version decides; None where it answers the likeliest class."""
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    """(N, B) how many there are, how sure and how large; where answers have no boxes there are no such numbers."""
    thresholds: NDArray[np.float64] | None = None
    """(C,) probability from which on an answer names a class, where it may name several: the card tells it, no file."""

    @classmethod
    def of(cls, served: Predictor, outputs: Outputs, **known: Any) -> Reference:
        """From what the network makes of the images, and what is known of them."""
        numbers, split = outputs.described.astype(np.float32), served.model.width
        unknown = np.full(len(numbers), np.nan, dtype=np.float32)
        task, card = served.task, served.card
        probabilities = task.probabilities(outputs.logits, card)
        scored = None
        if not task.is_exclusive:
            wide = task.widened(probabilities, len(known["classes"]), 0.0)
            scored = task.figures(wide, known["labels"], card)
            known["labels"] = task.presence(known["labels"], len(known["classes"]))
        classes = len(card.classes)
        return cls(
            probabilities=task.evidence(probabilities, classes).astype(np.float32),
            features=numbers[:, :split],
            statistics=numbers[:, split:-1],
            energy=numbers[:, -1],
            foreign=unknown if served.known is None else served.known.scores(numbers).astype(np.float32),
            directions=_directions(split, served.known),
            task=task.name,
            scored=scored,
            **known,
        )

    @property
    def known(self) -> tuple[str, ...]:
        """Classes of the version."""
        return self.classes[: self.probabilities.shape[1]]

    @property
    def head(self) -> Head:
        """The task of the version."""
        return of(self.task)

    @property
    def right(self) -> NDArray[Any]:
        """(N,) the figure of each image: whether the version was right, or how far."""
        found: NDArray[Any] = self.probabilities.argmax(axis=1) == self.labels if self.scored is None else self.scored
        return found

    @property
    def apart(self) -> NDArray[np.int64]:
        """Rows of one image of each group, drawn at random: these are exchangeable."""
        order = np.random.default_rng(0).permutation(len(self.groups))
        _, first = np.unique(self.groups[order], return_index=True)
        rows: NDArray[np.int64] = np.sort(order[first])
        return rows

    def encode(self) -> bytes:
        """The file."""
        out = io.BytesIO()
        told = {name: np.asarray(value) for name, value in vars(self).items() if value is not None}
        np.savez_compressed(out, allow_pickle=False, **told)
        return out.getvalue()

    @classmethod
    def decode(cls, data: bytes) -> Reference:
        """What `encode` made; raises Damaged where it is something else."""
        try:
            with np.load(io.BytesIO(data)) as arrays:
                values: dict[str, Any] = {name: arrays[name] for name in arrays.files}
            words = {name: str(values[name]) for name in ("bundle", "release", "task") if name in values}
            return cls(**values | words | {"classes": tuple(values["classes"].tolist())})
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise Damaged(f"it is no reference: {error}") from None


def make(paths: Paths, bundle: Path, release_name: str) -> Reference:
    """The reference of the version in `bundle`, from the present release of that name.

    Raises DataError where there is none.
    """
    testing, served = release.current(paths, release_name), Predictor.load(bundle, paths.params.ingest.max_pixels)
    drawn = np.sort(np.random.default_rng(0).permutation(len(testing.images))[:MOST])
    chosen = replace(testing, images=tuple(testing.images[row] for row in drawn))
    names, truth = served.task.indexed(served.card, release.labels(paths, chosen))
    files = release.open_files(paths, chosen)
    parts = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    found = [served.outputs(np.stack([served.decode(data) for data in part])) for part in parts]
    logits, described = (np.concatenate([getattr(one, name) for one in found]) for name in Outputs._fields)
    boxes = _boxes(served, files, logits)
    return Reference.of(
        served,
        Outputs(logits, described),
        bundle=tree_digest(bundle),
        release=testing.digest,
        classes=tuple(names),
        labels=truth,
        groups=release.groups(paths, chosen),
        boxes=boxes,
    )


def _boxes(served: Predictor, files: Sequence[bytes], logits: FloatArray) -> NDArray[np.float32]:
    card, rows = served.card, served.task.probabilities(logits, served.card)
    answers = [served.task.answer(data, row, card, None).boxes for data, row in zip(files, rows, strict=True)]
    if any(one is None for one in answers):
        return np.empty((len(files), 0), dtype=np.float32)
    headers = [open_image(data) for data in files]
    sides = np.array([(one.width, one.height) for one in headers])
    return amounts([one or () for one in answers], sides, card.classes)


def _directions(features: int, known: Known | None) -> NDArray[np.float32]:
    """Where the features are looked at: along the strongest directions of the training images.

    Directions that were fitted on the reference itself would fit it better than any traffic: every rank would lean.
    """
    if known is None:
        return np.random.default_rng(0).normal(size=(features, COMPONENTS)).astype(np.float32)
    view = known.features
    found: NDArray[np.float32] = (view.directions[:, -COMPONENTS:] / view.spread[:, None]).astype(np.float32)
    return found


def keep(tracker: Tracker, version: str, bundle: Path) -> str:
    """Make the reference of a version of the classifier, unless it has one; its digest.

    Raises DataError where there are no images for it, RegistryError where it cannot be stored.
    """
    found = tracker.version(tracker.classifier_model, version)
    if TAG in found.tags:
        return str(found.tags[TAG])
    data = make(tracker.paths, bundle, tracker.paths.params.evaluate.release).encode()
    tracker.check_open(str(found.run_id))
    tracker.store(str(found.run_id), data, ARTIFACT)
    digest = _digest(data)
    write_atomically(_place(tracker.paths, digest), data)
    # Last: a version that says that it has one has it.
    tracker.tag_version(tracker.classifier_model, version, {TAG: digest})
    return digest


def held(tracker: Tracker, version: str, bundle: str) -> tuple[str, Reference] | None:
    """Digest and reference of the version with that bundle digest; None where none was made.

    Raises RegistryError where it cannot be had as it was made.
    """
    found = tracker.version(tracker.classifier_model, version)
    digest = found.tags.get(TAG)
    if digest is None:
        return None
    place = _place(tracker.paths, digest)
    data = place.read_bytes() if place.is_file() else None
    if data is None or _digest(data) != digest:
        data = tracker.stored(str(found.run_id), ARTIFACT)
        if data is None or _digest(data) != digest:
            raise _refused(tracker, version, "is gone, or was changed since it was made")
        write_atomically(place, data)
    reference = Reference.decode(data)
    if reference.bundle != bundle:
        raise _refused(tracker, version, f"belongs to the bundle {reference.bundle[:12]}, not to {bundle[:12]}")
    return digest, reference


def _refused(tracker: Tracker, version: str, why: str) -> RegistryError:
    return RegistryError(
        f"the reference of {tracker.classifier_model} version {version} ({ARTIFACT} of its run) {why}: put the "
        f"artifact back, or remove the version's tag {TAG} and it is made anew where the images are"
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _place(paths: Paths, digest: str) -> Path:
    return paths.mlflow / "references" / f"{plain(digest)}.npz"
