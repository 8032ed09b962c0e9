"""What a registered version remembers of how it came to be: enough to show its lineage, and to train it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sightline.digests import code_digest, digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.data.reference import DataRef
    from sightline.params import Params
    from sightline.project import Paths
    from sightline.train.result import Trained

TRAINS = ("sightline.train.stages", "sightline.data.shards")
"""Modules whose import closures decide the weights: what trains, and what makes pixels of the images."""
SCRATCH = "scratch"
FOLDER = "origin"
"""Folder of a run's artifacts that holds the patch of a dirty tree, named by its SHA-256."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One training stage on the way to a version's weights."""

    stage: str
    weights: str
    """SHA-256 of its weights file."""
    run: str
    """MLflow run that recorded it."""
    machine: dict[str, str]
    """What `sightline.train.machine` said there."""


def training_code() -> str:
    """Digest of our code that decides what weights come out."""
    return digest_of([code_digest(module) for module in TRAINS])[:16]


def patch_path(digest: str) -> str:
    """Where among a run's artifacts the patch with this SHA-256 lies."""
    return f"{FOLDER}/{digest}.patch"


def data_tags(paths: Paths, *datasets: DataRef | None) -> dict[str, str]:
    """The versions of data sets: manifest, raw images, verdict and shards, each by its DVC digest."""
    from sightline.data.versions import archive

    tags: dict[str, str] = {}
    for data in datasets:
        if data is not None:
            raw = archive.current(paths, data.use).raw
            tags |= {f"data.{data.use}": data.version, f"validation.{data.use}": data.validation}
            tags |= {f"shards.{data.use}": data.shards} | ({f"raw.{data.use}": raw} if raw else {})
    return tags


def training_tags(
    params: Params, overrides: Mapping[str, Any] | None, stages: Sequence[Trained | None]
) -> dict[str, str]:
    """The values that counted, those of `--set` among them, and the stages; the last one made the version's weights."""
    line = [
        Stage(stage=one.stage, weights=one.weights, run=one.run, machine=dict(one.notes)["machine"])
        for one in stages
        if one is not None
    ]
    values = asdict(params)
    # The recipes hold its values already, and `presets` is no part of them.
    values["project"]["preset"] = None
    plan = {"params": values, "overrides": dict(overrides or {})}
    return {
        "stage": line[-1].stage,
        "plan": json.dumps(plan, sort_keys=True),
        "training": json.dumps([asdict(one) for one in line], sort_keys=True),
        "code.training": training_code(),
    }


def line_of(best: Trained, *others: Trained | None) -> list[Trained]:
    """The stages that led to `best`, in their order: from scratch nothing came before."""
    if best.stage == SCRATCH:
        return [best]
    known = [one for one in others if one is not None]
    return known[: [one.stage for one in known].index(best.stage) + 1]


def stages_of(tags: Mapping[str, str]) -> list[Stage]:
    """The stages that a version's tags tell of; none where it was registered before they were recorded."""
    return [Stage(**values) for values in json.loads(tags.get("training", "[]"))]


def plan_of(tags: Mapping[str, str]) -> dict[str, Any] | None:
    """`params` and `overrides` of the run that made a version; None where they were not recorded."""
    found: dict[str, Any] | None = json.loads(tags["plan"]) if "plan" in tags else None
    return found


def write_params(root: Path, plan: Mapping[str, Any]) -> None:
    """Make the recorded values the project's params.yaml: JSON is YAML."""
    from sightline.config import PARAMS

    # What the preset brought stands in the recipes already, and the presets themselves were not recorded.
    given = plan["params"]
    values = {**given, "project": {**given["project"], "preset": None}}
    # Before there was a choice every image was squeezed.
    values["preprocess"] = {"fit": "squeeze", **given["preprocess"]}
    (root / PARAMS).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
