"""The process that trains a version again: `python -m sightline.lineage.retrain`, in a folder that `reproduce` made.

It knows neither Prefect nor MLflow nor the project that the version came from: there is no cache that it could ask.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.data.shards import preprocess
from sightline.processes import end_with_the_parent
from sightline.project import Paths
from sightline.train import chain
from sightline.train.machine import use_threads
from sightline.train.stages import InProcess, Place

if TYPE_CHECKING:
    from sightline.train.result import Trained

REQUEST, ANSWER = "request.json", "answer.json"


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """What is asked for."""

    threads: dict[str, str]
    """Stage → how many threads it computed with, in the order of the stages."""
    workers: dict[str, int]
    """Stage → how many processes trained together."""
    decode: tuple[str, ...]
    """Data sets whose shards are to be made from the raw images; those of others are there."""


def retrain(root: Path, request: Retraining) -> list[Trained]:
    """Make the shards and train the stages, in the project folder `root`; what came out, in their order."""
    paths = Paths(root)
    for use in request.decode:
        preprocess(paths, use)

    def place(stage: str, use: str) -> Place:
        use_threads(request.threads[stage])
        folder = paths.runs / stage
        folder.mkdir(parents=True)
        workers, deterministic = request.workers[stage], paths.params.project.deterministic
        return Place(
            paths.root, folder, paths.shards(use), lambda _: None, workers=workers, deterministic=deterministic
        )

    trainer = InProcess(place, has_source="source" in paths.params.datasets)
    return list(chain.train(trainer, paths.params, request.threads).all)


def main() -> None:
    """Answer the request in the working directory; the answer is written last."""
    end_with_the_parent()
    root = Path.cwd()
    values = json.loads((root / REQUEST).read_text(encoding="utf-8"))
    done = retrain(root, Retraining(**{**values, "decode": tuple(values["decode"])}))
    (root / ANSWER).write_text(json.dumps([asdict(one) for one in done]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
