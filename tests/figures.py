"""Figures of an evaluation, as a page and its plots get them, and the report of a run around them."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from sightline.report.page import Cell, CheckRow, Curve, DatasetCard, Mistake, RunReport, Score, StageRow


def evaluation_figures(classes: list[str], confusion: list[list[int]] | None = None) -> dict[str, Any]:
    """All keys of `evaluation.json` that are shown, for classes of ten images each."""
    count = len(classes)
    matrix = np.array(confusion) if confusion else np.eye(count, dtype=int) * 7 + np.eye(count, k=1, dtype=int) * 3
    row = {"precision": 0.75, "recall": 0.7, "f1": 0.72}
    return {
        "release": {"name": "r1", "digest": "d", "images": int(matrix.sum()), "left": ["raw/gone & away.png"]},
        "classes": classes,
        "accuracy": float(matrix.trace() / matrix.sum()),
        "top5": 0.987 if count > 5 else None,
        "balanced_accuracy": 0.71,
        "per_class": {
            name: row | {"f1": 0.9 - number / count / 2, "support": 10} for number, name in enumerate(classes)
        },
        "averages": {name: row | {"support": 10 * count} for name in ("micro", "macro", "weighted")},
        "confusion": matrix.tolist(),
        "log_loss": 0.654,
        "brier": 0.321,
        "ece_before": 0.062,
        "ece_after": 0.018,
        "temperature": 1.43,
        "reliability": [
            {"confidence": 0.55, "accuracy": 0.5, "count": 4},
            {"confidence": 0.9, "accuracy": 0.8, "count": 16},
        ],
        "reliability_before": [{"confidence": 0.7, "accuracy": 0.5, "count": 20}],
        "ece_null": 0.05,
        "risk_coverage": [
            {"threshold": 0.95, "coverage": 0.2, "risk": 0.0},
            {"threshold": 0.4, "coverage": 1.0, "risk": 0.25},
        ],
        "abstention": {
            "wanted_accuracy": 0.99,
            "threshold": 0.912,
            "most_shown": 0.993,
            "coverage": 0.6,
            "accuracy": 0.985,
        },
        "conformal": {"wanted": 0.9, "coverage": 0.893, "mean_size": 1.23, "threshold": 0.8},
        "foreign": {"share": 0.012, "median_score": 0.6},
        "agreement": 3e-7,
        "slices": [
            {"name": f"label={classes[0]}", "images": 20, "accuracy": 0.5, "low": 0.3, "high": 0.7},
            {"name": "brightness > 0.62", "images": 30, "accuracy": 0.9, "low": 0.74, "high": 0.97},
        ],
        "robustness": {"severity": 3, "images": 13, "clean": 0.8, "accuracy": {"gaussian_noise": 0.3}, "mean": 0.3},
        "cost": {"p50_ms": 4.26, "p95_ms": 5.5, "memory_mb": 412.3},
    }


def png(side: int, seed: int = 0) -> bytes:
    """A picture of noise as a file."""
    buffer = BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def run_report(classes: list[str], side: int = 8, samples: int = 2) -> RunReport:
    """A report in which everything that one can tell is there."""
    pictures = [png(side, seed) for seed in range(samples)]
    epochs: list[dict[str, float | None]] = [
        {"epoch": n, "train_loss": 2 / n, "val_loss": 2.5 / n, "val_accuracy": 1 - 0.5 / n} for n in (1, 2, 3)
    ]
    card = DatasetCard(
        use="target",
        name="demo-target",
        version="0123abcd",
        roles={"train": 20, "val": 11, "calib": 12, "test": 13},
        per_class={name: 5 + number % 3 for number, name in enumerate(classes)},
        quarantined=[("a & b/<x>.jpg", "truncated")],
        validation_page="docs/index.html",
        samples=dict.fromkeys(classes, pictures),
    )
    wrong = Mistake(
        image=png(side),
        path="raw/a & b.png",
        true=classes[0],
        predicted=classes[1],
        probability=0.98,
        address="../data/raw/target/a%20%26%20b.png",
    )
    return RunReport(
        project="demo",
        title="A run",
        created="2025-01-31 12:00 UTC",
        flow_run="quick-otter",
        decision="promoted",
        version="3",
        findings=("target: 2 pictures are on both sides of the split.",),
        decision_sentence="Version 3 was promoted: it is right on more test images.",
        champion="demo-classifier version 3",
        checks=(CheckRow("overall", "passed", "better than it", (("p", "0.001"),), overridden=False, tone="good"),),
        beside=(("right answers", "93.0%", "91.0%"),),
        stages=(
            StageRow(name="ingest", what="20 images", seconds=1.5, outcome="up to date"),
            StageRow(name="finetune", what="3 epochs", seconds=90.0, outcome="ran"),
        ),
        datasets=(card,),
        curves=(Curve(name="fine-tuned", points=epochs),),
        scores=(
            Score(name="from scratch", accuracy=0.61, low=0.55, high=0.67, chosen=False),
            Score(name="fine-tuned", accuracy=0.7, low=0.64, high=0.76, chosen=True),
        ),
        evaluation=evaluation_figures(classes),
        mistakes=(wrong,),
        cells=(Cell(true=classes[0], predicted=classes[1], count=2, mistakes=(wrong,)),),
        lineage=(("git commit", "1f0b2d3c"),),
        links=(("Data Docs", "docs/index.html"),),
    )
