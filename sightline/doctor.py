"""Look whether everything is there that the project needs, and whether it answers."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.project import Paths

PACKAGES = (
    "sightline",
    "prefect",
    "fastapi",
    "sqlalchemy",
    "torch",
    "torchvision",
    "dvc",
    "mlflow",
    "great-expectations",
    "pillow",
)


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    what: str
    good: bool
    said: str


def examine(paths: Paths | None) -> list[Diagnosis]:
    """Versions and hardware; with a project also its parameters, stores and servers."""
    diagnoses = [
        Diagnosis("python", good=True, said=f"{platform.python_version()} on {platform.machine()}"),
        *_packages(),
        _torch(),
    ]
    diagnoses += [_tool(name) for name in ("git", "dvc", "prefect", "mlflow")]
    if paths is None:
        return [
            *diagnoses,
            Diagnosis("project", good=True, said="none here; these were the installation's findings alone"),
        ]
    return [*diagnoses, _params(paths), _dvc(paths), _mlflow(paths), _prefect()]


def _packages() -> list[Diagnosis]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Diagnosis(name, good=True, said=version(name)))
        except PackageNotFoundError:
            found.append(Diagnosis(name, good=False, said=f"not installed: pip install {name}"))
    return found


def _torch() -> Diagnosis:
    import torch

    from sightline.models.device import best_device, has_bf16
    from sightline.models.operators import ensure

    device = best_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} CPU cores"
    bf16 = "bfloat16" if has_bf16(device) else "float32 (no native bfloat16)"
    operators = "compiled" if ensure() else "not loadable beside this torch, replaced where needed"
    return Diagnosis(
        "training", good=True, said=f"{device.type} ({name}), {bf16}; torchvision's operators: {operators}"
    )


def _tool(name: str) -> Diagnosis:
    place = shutil.which(name)
    said = place or f"not on the PATH: install {name}, or activate the environment that holds it"
    return Diagnosis(f"command {name}", good=place is not None, said=said)


def _params(paths: Paths) -> Diagnosis:
    try:
        params = paths.params
    except SightlineError as error:
        return Diagnosis("params.yaml", good=False, said=str(error))
    return Diagnosis(
        "params.yaml", good=True, said=f"project {params.project.name}, data sets {', '.join(sorted(params.datasets))}"
    )


def _dvc(paths: Paths) -> Diagnosis:
    from sightline.data.versions.dvc import opened

    try:
        with opened(paths.root) as repo:
            remotes = ", ".join(repo.config["remote"]) or "no remote yet: `dvc remote add -d NAME URL`"
    except SightlineError as error:
        return Diagnosis("DVC", good=False, said=str(error))
    return Diagnosis("DVC", good=True, said=remotes)


def _mlflow(paths: Paths) -> Diagnosis:
    from sightline.tracking.runs import connect
    from sightline.tracking.versions import CHAMPION

    try:
        tracker = connect(paths)
        champion = tracker.aliased(tracker.classifier_model, CHAMPION)
    except SightlineError as error:
        return Diagnosis("MLflow", good=False, said=str(error))
    said = f"champion is version {champion.version}" if champion else "no champion yet"
    return Diagnosis("MLflow", good=True, said=f"{os.environ['MLFLOW_TRACKING_URI']}, {said}")


def _prefect() -> Diagnosis:
    import httpx

    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return Diagnosis("Prefect", good=True, said="no server set: each run starts its own for a while")
    try:
        answer = httpx.get(f"{address}/health", timeout=5)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return Diagnosis(
            "Prefect",
            good=False,
            said=f"{address} does not answer ({error}): `prefect server start`, or unset PREFECT_API_URL",
        )
    return Diagnosis("Prefect", good=True, said=f"{address} answers")
