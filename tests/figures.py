"""Figures of an evaluation, as a page and its plots get them."""

from __future__ import annotations

from typing import Any

import numpy as np


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
