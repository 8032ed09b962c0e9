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
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    said: str


def examine(paths: Paths | None) -> list[Finding]:
    """Versions and hardware; with a project also its parameters, stores and servers."""
    findings = [
        Finding("python", good=True, said=f"{platform.python_version()} on {platform.machine()}"),
        *_packages(),
        _torch(),
    ]
    findings += [_tool(name) for name in ("git", "dvc", "prefect", "mlflow")]
    if paths is None:
        return [
            *findings,
            Finding("project", good=True, said="none here; these were the installation's findings alone"),
        ]
    return [*findings, _params(paths), _dvc(paths), _mlflow(paths), _prefect()]


def _packages() -> list[Finding]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Finding(name, good=True, said=version(name)))
        except PackageNotFoundError:
            found.append(Finding(name, good=False, said=f"not installed: pip install {name}"))
    return found


def _torch() -> Finding:
    import torch

    from sightline.models.operators import ensure
    from sightline.train.inference import best_device, has_bf16

    device = best_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} CPU cores"
    bf16 = "bfloat16" if has_bf16(device) else "float32 (no native bfloat16)"
    operators = "compiled" if ensure() else "not loadable beside this torch, replaced where needed"
    return Finding("training", good=True, said=f"{device.type} ({name}), {bf16}; torchvision's operators: {operators}")


def _tool(name: str) -> Finding:
    place = shutil.which(name)
    said = place or f"not on the PATH: install {name}, or activate the environment that holds it"
    return Finding(f"command {name}", good=place is not None, said=said)


def _params(paths: Paths) -> Finding:
    try:
        params = paths.params
    except SightlineError as error:
        return Finding("params.yaml", good=False, said=str(error))
    return Finding(
        "params.yaml", good=True, said=f"project {params.project.name}, data sets {', '.join(sorted(params.datasets))}"
    )


def _dvc(paths: Paths) -> Finding:
    from sightline.data.versions.dvc import opened

    try:
        with opened(paths.root) as repo:
            remotes = ", ".join(repo.config["remote"]) or "no remote yet: `dvc remote add -d NAME URL`"
    except SightlineError as error:
        return Finding("DVC", good=False, said=str(error))
    return Finding("DVC", good=True, said=remotes)


def _mlflow(paths: Paths) -> Finding:
    from sightline.tracking.runs import CHAMPION, connect

    try:
        tracker = connect(paths)
        champion = tracker.aliased(tracker.classifier_model, CHAMPION)
    except SightlineError as error:
        return Finding("MLflow", good=False, said=str(error))
    said = f"champion is version {champion.version}" if champion else "no champion yet"
    return Finding("MLflow", good=True, said=f"{os.environ['MLFLOW_TRACKING_URI']}, {said}")


def _prefect() -> Finding:
    import httpx

    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return Finding("Prefect", good=True, said="no server set: each run starts its own for a while")
    try:
        answer = httpx.get(f"{address}/health", timeout=5)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return Finding(
            "Prefect",
            good=False,
            said=f"{address} does not answer ({error}): `prefect server start`, or unset PREFECT_API_URL",
        )
    return Finding("Prefect", good=True, said=f"{address} answers")
