"""A small project with a champion, and captured answers of it, as its server records them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from conftest import COLOURS, draw, enter, make_images, make_project
from PIL import Image

from sightline.digests import dvc_digest
from sightline.evaluate.evaluation import evaluate
from sightline.params import Gate
from sightline.recipe import Recipe
from sightline.registry import promotion
from sightline.registry.candidate import Request
from sightline.registry.served import answering
from sightline.serve.batcher import Answered
from sightline.serve.capture import Capture, Origin
from sightline.serve.store import Store
from sightline.stage import run_stage
from sightline.tracking.runs import connect
from sightline.train import stages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from sightline.project import Paths
    from sightline.serve.record import Role

FIRST = 50_000
"""Seed of the first image of the traffic: none of the project's."""


def crown(home: Path, patch: pytest.MonkeyPatch) -> Paths:
    """A project whose first version was trained, evaluated and promoted."""
    paths = enter(make_project(home / "toy project", make_images(home / "images", per_class=200)), patch)
    for stage in ("ingest", "validate", "preprocess"):
        run_stage(paths, stage, "target")
    folder, evaluation = paths.runs / "scratch", paths.runs / "evaluation"
    for one in (folder, evaluation):
        one.mkdir(parents=True)
    place = stages.Place(paths.root, folder, paths.shards("target"), lambda _: None)
    best = stages.scratch(place, "cnn", Recipe(epochs=6, batch_size=32), 0)
    done, tracker = evaluate(paths, evaluation, best, paths.params.evaluate), connect(paths)
    data, verdict = (dvc_digest(path("target").parent) for path in (paths.manifest, paths.verdict))
    tags = {"data.target": data, "validation.target": verdict, "code": "toy"}
    version = promotion.register(tracker, tracker.start("toy", {}), best, done, tags).version
    outcome = promotion.promote(tracker, Request(version=version, reason="test", actor="ann"), Gate(), "r1")
    assert outcome.promoted, outcome.sentence
    assert outcome.messages == ()
    return paths


def toys(first: int, count: int, noise: float = 0.0) -> list[bytes]:
    """Image files of the traffic; with noise they look otherwise than those that the project holds."""
    rng, colours = np.random.default_rng(first), list(COLOURS.values())
    found = []
    for seed in range(FIRST + first, FIRST + first + count):
        pixels = np.asarray(draw(seed, colours[int(rng.integers(3))])).astype(float)
        pixels += rng.normal(0, noise, pixels.shape) if noise else 0
        out = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "PNG")
        found.append(out.getvalue())
    return found


def capture(
    paths: Paths, images: Sequence[bytes], name: str, camera: str | None = None, role: Role = "champion"
) -> list[str]:
    """Record the champion's answers to image files, a request NAME-number each; the answers."""
    version, policy = answering(paths), paths.params.capture
    pixels = np.stack([version.predictor.decode(data) for data in images])
    answers, described = version.predictor.described(images, pixels)
    writer = Capture(Store(paths.root, policy.folder), policy)
    for number, (answer, numbers, data) in enumerate(zip(answers, described, images, strict=True)):
        origin = Origin(f"{name}-{number}", 0, camera=camera)
        writer.note(origin, Answered(answer, version, numbers), data, role)
    writer.close()
    return [one.label for one in answers]
