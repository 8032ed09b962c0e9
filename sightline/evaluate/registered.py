"""A registered version on the present test release, and every evaluation as MLflow keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.shards import are_current, read_index
from sightline.evaluate import agreement, cost, foreign, release, robustness
from sightline.evaluate.confidence import Confidence
from sightline.evaluate.evaluation import FIGURES, corrupted, image_files, measured
from sightline.files import write_atomically
from sightline.models.predictor import Predictor
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.evaluate.metrics import Figures
    from sightline.evaluate.release import Release
    from sightline.project import Paths
    from sightline.tracking.runs import Tracker

PREFIX = "test/"
"""Of the metrics that a version's own run gets: the run has others, of its training."""
FOLDER = "evaluation"
"""Of the artifacts."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A registered version, evaluated."""

    version: str
    run: str
    """MLflow run of the version."""
    folder: Path
    """Where the figures lie."""
    figures: dict[str, Any]


def evaluate_version(
    paths: Paths, version: str, release_name: str, step: Callable[[str], None] | None = None
) -> Evaluation:
    """Evaluate a registered version on that release, as serving would answer.

    With `step` on all 15 corruptions at 5 severities: it is called after each of the 75 with the corruption's name.
    The figures go to the version's MLflow run. Raises RegistryError where there is no such version, or no such run.
    """
    tracker = connect(paths)
    found = tracker.version(tracker.classifier_model, version)
    tracker.check_open(str(found.run_id))
    bundle = tracker.download(tracker.classifier_model, str(found.version))
    served, testing = Predictor.load(bundle, paths.params.ingest.max_pixels), release.current(paths, release_name)
    rows = release.rows(paths, testing)
    truth = release.labels(paths, testing)
    card, head = served.card, served.task
    classes, labels = head.indexed(card, truth)
    pixels = np.stack([served.decode(data) for data in release.open_files(paths, testing)])
    own = served.logits(pixels)
    right = head.figures(head.widened(head.probabilities(own, card), len(classes), 0.0), labels, card)
    logits = head.widened(own, len(classes), -np.inf)
    figures = {
        "release": release.told(paths, testing),
        "version": str(found.version),
        **measured(_confidence(served), classes, labels, logits, rows, right, card),
        "agreement": _agreement(paths, served),
        "robustness": _robustness(served, testing, pixels, truth, right, step),
        "foreign": foreign.figures(served, pixels),
        "cost": asdict(cost.measure(bundle, image_files(paths, rows))),
    }
    folder = paths.runs / "evaluate" / f"version-{found.version}"
    write_atomically(folder / FIGURES, json.dumps(figures, indent=1, sort_keys=True) + "\n")
    log_version(tracker, str(found.version), figures)
    keep(tracker, str(found.run_id), folder)
    return Evaluation(version=str(found.version), run=str(found.run_id), folder=folder, figures=figures)


def log_version(tracker: Tracker, version: str, figures: Mapping[str, Any]) -> None:
    """Log the figures to the run of a registered version: they hold for this model on the release that it answered."""
    found = tracker.version(tracker.classifier_model, version)
    metrics = {PREFIX + name: value for name, value in scalars(figures).items()}
    data = (f"{tracker.name}-{figures['release']['name']}", figures["release"]["digest"])
    with tracker.changing(tracker.classifier_model, version):
        tracker.log(str(found.run_id), metrics, model=str(found.source).removeprefix("models:/"), data=data)


def keep(tracker: Tracker, run: str, folder: Path) -> None:
    """Store the figures in `folder` with a run."""
    tracker.artifact(run, folder / FIGURES, FOLDER)


def scalars(figures: Mapping[str, Any]) -> dict[str, float]:
    """Those figures of an evaluation that are one number each, by the name of their metric."""
    plain = ("accuracy", "top5", "balanced_accuracy", "log_loss", "brier", "temperature", "agreement")
    sure = ("ece_before", "ece_after", "ece_null")
    several = ("map", "map50", "subset_accuracy", "hamming_loss")
    found = {name: figures.get(name) for name in (*plain, *sure, *several)}
    found["macro_f1"] = figures["averages"]["macro"]["f1"]
    found |= {f"abstention/{name}": figures["abstention"][name] for name in ("threshold", "coverage", "accuracy")}
    sets = figures["conformal"] or {}
    found |= {f"conformal/{name}": sets.get(name) for name in ("coverage", "mean_size", "threshold")}
    found |= {f"robustness/{name}": value for name, value in figures["robustness"]["accuracy"].items()}
    found |= {f"robustness/{name}": figures["robustness"].get(name) for name in ("mean", "mean_corruption_error")}
    found["foreign/share"] = (figures["foreign"] or {}).get("share")
    found |= {f"cost/{name}": value for name, value in figures["cost"].items()}
    found |= {f"f1/{number}": row["f1"] for number, row in enumerate(figures["per_class"].values())}
    return {name: float(value) for name, value in found.items() if value is not None}


def _confidence(served: Predictor) -> Confidence:
    card = served.card
    return Confidence(
        temperature=card.temperature,
        wanted_accuracy=card.wanted_accuracy,
        abstain_below=card.abstain_below,
        conformal=card.conformal,
        decoding=card.decoding,
    )


def _agreement(paths: Paths, served: Predictor) -> float | None:
    """None where the shards have another side, shape or white than this version was trained with, or are to be made."""
    made = read_index(paths.shards("target"))
    if (made.size, made.fit, made.white) != (served.card.size, served.card.fit, served.card.white):
        return None
    if not are_current(paths, "target", "val"):
        return None
    trained = served.logits(agreement.golden_pixels(paths).permute(0, 2, 3, 1).numpy())
    return agreement.difference(served, agreement.golden_files(paths), trained)


def _robustness(
    served: Predictor,
    testing: Release,
    pixels: NDArray[np.uint8],
    truth: NDArray[np.str_],
    clean: Figures,
    step: Callable[[str], None] | None,
) -> dict[str, Any]:
    figures = corrupted(served, testing, pixels, truth, clean)
    if step is None:
        return figures
    grid = robustness.grid(served, pixels, truth, step)
    return {**figures, "grid": grid, "mean_corruption_error": robustness.mean_corruption_error(grid)}
