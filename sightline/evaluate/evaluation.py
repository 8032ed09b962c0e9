"""One candidate on the test release: every figure that the report, the gate and MLflow need."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.loader import load
from sightline.data.reading import png
from sightline.evaluate import calibration, metrics, release
from sightline.lineage import file_digest
from sightline.train.inference import predict

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.data.loader import Images
    from sightline.project import Paths
    from sightline.train.result import Trained

MISTAKES = 24
"""The most confident wrong answers are kept with their pictures."""
FIGURES, PREDICTIONS = "evaluation.json", "predictions.npz"


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of one candidate on one release."""

    path: str
    """Folder of the outputs, relative to the project."""
    digest: str
    """SHA-256 of the figures file."""
    predictions: str
    """SHA-256 of the predictions file."""
    release: str
    """Digest of the test release."""
    accuracy: float
    temperature: float

    def is_whole(self, root: Path) -> bool:
        """Whether both files are there and unchanged."""
        folder = root / self.path
        pairs = ((folder / FIGURES, self.digest), (folder / PREDICTIONS, self.predictions))
        return all(path.is_file() and file_digest(path) == digest for path, digest in pairs)

    def figures(self, root: Path) -> dict[str, Any]:
        """Everything that was measured."""
        values: dict[str, Any] = json.loads((root / self.path / FIGURES).read_text(encoding="utf-8"))
        return values

    def right(self, root: Path) -> NDArray[np.bool_]:
        """Whether each image of the release was answered rightly, in its order."""
        with np.load(root / self.path / PREDICTIONS) as arrays:
            correct: NDArray[np.bool_] = arrays["probabilities"].argmax(axis=1) == arrays["labels"]
        return correct


def evaluate(
    paths: Paths, folder: Path, candidate: Trained, release_name: str, others: tuple[Trained, ...] = ()
) -> Evaluated:
    """Score `candidate` on the test release, calibrated on the calib images; `others` are scored for comparison.

    Writes evaluation.json and predictions.npz (labels (N,), probabilities (N, C), paths) into `folder`.
    """
    testing = release.current(paths, release_name)
    images, names = release.open_images(paths, testing)
    calib = load(paths.shards("target"), "calib")
    labels = images.labels.numpy()
    logits = _logits(paths, candidate, images)
    temperature = (
        calibration.fit_temperature(_logits(paths, candidate, calib), calib.labels.numpy()) if len(calib) else 1.0
    )
    before, after = calibration.softmax(logits, 1.0), calibration.softmax(logits, temperature)
    figures = {
        "release": {"name": testing.name, "digest": testing.digest, "images": len(testing.images)},
        "candidate": {"stage": candidate.stage, "network": candidate.network, "weights": candidate.weights},
        "classes": list(images.classes),
        **metrics.classification(labels, after, list(images.classes)),
        "temperature": temperature,
        "ece_before": calibration.ece(before, labels),
        "ece_after": calibration.ece(after, labels),
        "reliability": [asdict(row) for row in calibration.reliability(after, labels)],
        "mistakes": _mistakes(images, names, after),
        "comparison": [_score(paths, other, images) for other in others],
    }
    (folder / FIGURES).write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    with (folder / PREDICTIONS).open("wb") as handle:
        np.savez(handle, labels=labels, probabilities=after, paths=np.array(names))
    return Evaluated(
        path=folder.relative_to(paths.root).as_posix(),
        digest=file_digest(folder / FIGURES),
        predictions=file_digest(folder / PREDICTIONS),
        release=testing.digest,
        accuracy=figures["accuracy"],
        temperature=temperature,
    )


def _logits(paths: Paths, trained: Trained, images: Images) -> NDArray[np.float32]:
    return predict(trained.load(paths.root), images.pixels, exact=True).numpy()


def _score(paths: Paths, trained: Trained, images: Images) -> dict[str, Any]:
    right = int((_logits(paths, trained, images).argmax(axis=1) == images.labels.numpy()).sum())
    low, high = metrics.wilson(right, len(images))
    return {"stage": trained.stage, "accuracy": right / len(images), "low": low, "high": high}


def _mistakes(images: Images, names: list[str], probabilities: NDArray[np.floating[Any]]) -> list[dict[str, Any]]:
    """The most confident wrong answers, worst first, with the picture as PNG in base64."""
    answers, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(answers != images.labels.numpy())
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES]
    return [
        {
            "path": names[row],
            "true": images.classes[int(images.labels[row])],
            "predicted": images.classes[int(answers[row])],
            "probability": float(confidence[row]),
            "png": base64.b64encode(png(images.pixels[row].permute(1, 2, 0).numpy())).decode(),
        }
        for row in worst.tolist()
    ]
