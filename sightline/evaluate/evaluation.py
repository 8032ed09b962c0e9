"""One candidate on the test release: every figure that the report, the gate and MLflow need."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline import stored
from sightline.data.loader import load
from sightline.data.shards import read_index
from sightline.digests import file_digest, tree_digest
from sightline.evaluate import agreement, cost, foreign, release, robustness, slices
from sightline.evaluate.confidence import Wanted
from sightline.evaluate.measures import MEASURES
from sightline.files import replacing, write_atomically
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.images.reading import png
from sightline.models.bundle import Card
from sightline.models.predictor import write_bundle
from sightline.models.weights import WEIGHTS
from sightline.train.inference import predict

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from sightline.data.loader import Images, Stored
    from sightline.evaluate.confidence import Confidence
    from sightline.evaluate.metrics import Figures, FloatArray, IntArray
    from sightline.evaluate.release import Release
    from sightline.heads.protocol import Head
    from sightline.models.predictor import Predictor
    from sightline.params import Evaluate
    from sightline.project import Paths
    from sightline.train.result import Trained

MISTAKES = 24
"""The most confident wrong answers are kept with their pictures."""
FIGURES, PREDICTIONS, BUNDLE, MANIFEST = "evaluation.json", "predictions.npz", "bundle", "manifest.json"


@dataclass(frozen=True)
class Evaluated:
    """The evaluation of one candidate on one release."""

    path: str
    """Folder of the outputs, relative to the project."""
    digest: str
    """SHA-256 of the figures file."""
    predictions: str
    """SHA-256 of the predictions file."""
    bundle: str
    """Digest of the bundle's files."""
    release: str
    """Digest of the test release."""
    accuracy: float
    """Mean figure of an image, as the task has it."""
    task: str = CLASSIFY
    wanted: str = ""
    """What its answers shall keep, in words."""

    def packed(self, root: Path) -> Path:
        """The folder of the bundle."""
        return root / self.path / BUNDLE

    @property
    def words(self) -> str:
        """What came out, in a few words."""
        return f"test {of(self.task).figure} {self.accuracy:.3f}"

    def is_whole(self, root: Path) -> bool:
        """Whether the bundle and both files are there and unchanged, and say what is said here."""
        folder = root / self.path
        pairs = ((folder / FIGURES, self.digest), (folder / PREDICTIONS, self.predictions))
        whole = all(path.is_file() and file_digest(path) == digest for path, digest in pairs)
        if not whole or tree_digest(folder / BUNDLE) != self.bundle:
            return False
        figures = self.figures(root)
        return bool((figures["release"]["digest"], figures["accuracy"]) == (self.release, self.accuracy))

    def figures(self, root: Path) -> dict[str, Any]:
        """Everything that was measured."""
        values: dict[str, Any] = json.loads((root / self.path / FIGURES).read_text(encoding="utf-8"))
        return values

    def wrong(self, root: Path) -> list[tuple[str, int, int, float]]:
        """Path, true and predicted class and its probability of each wrong answer, the surest first.

        Nothing where an image may have several labels.
        """
        if not of(self.task).is_exclusive:
            return []
        with np.load(root / self.path / PREDICTIONS) as arrays:
            probabilities, labels, paths = arrays["probabilities"], arrays["labels"], arrays["paths"]
        answers, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        rows = np.flatnonzero(answers != labels)
        order = rows[np.argsort(-sure[rows], kind="stable")]
        return [(str(paths[row]), int(labels[row]), int(answers[row]), float(sure[row])) for row in order.tolist()]


def evaluate(
    paths: Paths, folder: Path, candidate: Trained, asked: Evaluate, others: tuple[Trained, ...] = ()
) -> Evaluated:
    """Package `candidate` and score it on the test release; `others` are scored for comparison.

    Writes the bundle that is registered later, evaluation.json, and predictions.npz (labels (N,), probabilities (N, C),
    paths) into `folder`. Temperature, threshold and conformal quantile come from the calib images.
    """
    testing = release.current(paths, asked.release)
    rows = release.rows(paths, testing)
    wanted = Wanted(accuracy=asked.wanted_accuracy, precision=asked.wanted_precision)
    fitted = _fit(paths, candidate, wanted)
    head = of(candidate.task)
    files, golden = agreement.golden_files(paths), _logits(paths, candidate, agreement.golden_pixels(paths))
    made = read_index(paths.shards("target"))
    card = Card(
        candidate.network,
        candidate.size,
        candidate.classes,
        weights=candidate.weights,
        task=candidate.task,
        fit=made.fit,
        white=made.white,
        max_pixels=paths.params.ingest.max_pixels,
        **vars(fitted),
    )
    # Packaged first: what is measured here is what will be served.
    path, known = paths.root / candidate.path / WEIGHTS, foreign.known(paths, candidate)
    served = write_bundle(folder / BUNDLE, card, path, files, golden, known)
    # The fresh process loads while the answers are computed here.
    with cost.loading(folder / BUNDLE, image_files(paths, rows)) as ask:
        images, names = release.open_images(paths, testing)
        pixels = images.pixels[:].permute(0, 2, 3, 1).numpy()
        labels, logits = images.labels.numpy(), _logits(paths, candidate, images.pixels)
        probabilities = head.probabilities(logits, card)
        truth, right = release.labels(paths, testing), head.figures(probabilities, labels, card)
        figures = {
            "release": release.told(paths, testing),
            "candidate": {"stage": candidate.stage, "network": candidate.network, "weights": candidate.weights},
            **measured(fitted, list(images.classes), labels, logits, rows, right, card),
            "agreement": agreement.difference(served, files, golden),
            "robustness": corrupted(served, testing, pixels, truth, right),
            "foreign": foreign.figures(served, pixels),
            "mistakes": _mistakes(images, names, truth, right, probabilities, card),
            "comparison": _comparison(paths, others, candidate, logits, images, head),
            "cost": asdict(ask()),
        }
    _write(folder, figures, labels, probabilities, np.array(names))
    return Evaluated(
        path=folder.relative_to(paths.root).as_posix(),
        digest=file_digest(folder / FIGURES),
        predictions=file_digest(folder / PREDICTIONS),
        bundle=tree_digest(folder / BUNDLE),
        release=testing.digest,
        accuracy=figures["accuracy"],
        task=candidate.task,
        wanted=wanted.words,
    )


def measured(
    fitted: Confidence,
    classes: list[str],
    labels: IntArray,
    logits: FloatArray,
    rows: pd.DataFrame,
    right: Figures,
    card: Card,
) -> dict[str, Any]:
    """Every figure that follows from the logits (N, C) of the test images with these labels (N, …) and manifest rows.

    right: (N,) the figure of each image.
    """
    scales = rows[["width", "height"]].max(axis=1).to_numpy(dtype=np.float64) / card.size
    return {
        **MEASURES[card.task].measured(fitted, classes, logits, labels, scales),
        "slices": [asdict(one) for one in slices.accuracies(slices.table(rows, card.task), right)],
    }


def corrupted(
    served: Predictor, testing: Release, pixels: NDArray[np.uint8], labels: NDArray[np.str_], clean: Figures
) -> dict[str, Any]:
    """The gate's corruptions on its choice of the test images uint8 (N, S, S, 3) with these labels, as figures.

    clean: (N,) the figures of the images as they are.
    """
    chosen = robustness.subset(testing.images)
    return robustness.figures(robustness.right(served, pixels[chosen], labels[chosen]), clean[chosen])


def image_files(paths: Paths, rows: pd.DataFrame) -> list[Path]:
    """The first files of the release, with which the cost of an answer is measured."""
    return [paths.raw("target") / path for path in rows["path"].head(cost.CALLS)]


def _fit(paths: Paths, candidate: Trained, wanted: Wanted) -> Confidence:
    calib = load(paths.shards("target"), "calib")
    classes = len(calib.classes)
    logits = _logits(paths, candidate, calib.pixels) if len(calib) else of(candidate.task).none(classes)
    return MEASURES[candidate.task].fit(logits, calib.labels.numpy(), wanted, classes)


def _write(
    folder: Path, figures: dict[str, Any], labels: IntArray, probabilities: FloatArray, paths: NDArray[np.str_]
) -> None:
    with replacing(folder / PREDICTIONS) as scratch, scratch.open("wb") as handle:
        np.savez(handle, labels=labels, probabilities=probabilities, paths=paths)
    write_atomically(folder / FIGURES, json.dumps(figures, indent=1, sort_keys=True) + "\n")
    inside = sorted(path.relative_to(folder).as_posix() for path in (folder / BUNDLE).rglob("*") if path.is_file())
    stored.write(folder / MANIFEST, [FIGURES, PREDICTIONS, *inside])


def _logits(paths: Paths, trained: Trained, pixels: Tensor | Stored) -> NDArray[np.float32]:
    """Logits of the training form, in full precision."""
    return predict(trained.load(paths.root), pixels, exact=True).numpy()


def _comparison(
    paths: Paths, others: tuple[Trained, ...], candidate: Trained, logits: FloatArray, images: Images, head: Head
) -> list[dict[str, Any]]:
    """The score of each of `others`, by which one was chosen; the candidate's `logits` are known."""
    known = {candidate.weights: logits}
    return [
        _score(
            one,
            known[one.weights] if one.weights in known else _logits(paths, one, images.pixels),
            images.labels.numpy(),
            head,
        )
        for one in others
    ]


def _score(trained: Trained, logits: FloatArray, labels: IntArray, head: Head) -> dict[str, Any]:
    score, low, high = head.compared(logits, labels)
    return {"stage": trained.stage, "accuracy": score, "low": low, "high": high}


def _mistakes(
    images: Images,
    names: list[str],
    truth: NDArray[np.str_],
    right: Figures,
    probabilities: FloatArray,
    card: Card,
) -> list[dict[str, Any]]:
    """The most confident answers that are not wholly right, worst first, with the picture as PNG in base64."""
    head, labels = of(card.task), LABELS[card.task]
    answers = [head.decided(row, card) for row in probabilities]
    confidence = np.array([sure for _, sure in answers])
    wrong = np.flatnonzero(right < 1)
    # Of boxes the worst images come first: sure of everything are those on which next to nothing is to be seen.
    kind = right[wrong] if head.is_located else np.zeros(len(wrong))
    worst = wrong[np.lexsort((-confidence[wrong], kind))][:MISTAKES]
    return [
        {
            "path": names[row],
            "true": labels.shown(str(truth[row])) if labels.are_boxes else str(truth[row]),
            "predicted": head.summary(probabilities[row], card),
            "probability": answers[row][1],
            "png": base64.b64encode(
                png(
                    head.pictured(
                        images.pixels[row].permute(1, 2, 0).numpy(),
                        probabilities[row],
                        images.labels[row].numpy(),
                        card,
                    )
                )
            ).decode(),
        }
        for row in worst.tolist()
    ]
