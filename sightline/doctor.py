"""Look whether everything is there that the project needs, and whether it answers."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from sightline import servers
from sightline.digests import git
from sightline.errors import SightlineError
from sightline.masking import masked

if TYPE_CHECKING:
    from sightline.project import Paths
    from sightline.registry.ledger import Identity

DEEPER = "`sightline doctor --deep`"

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


def examine(paths: Paths | None, *, deep: bool = False) -> list[Diagnosis]:
    """Versions and hardware; with a project also its parameters, stores and servers.

    With `deep`, torch and its operators are loaded, MLflow's store is opened, and the champion answers its golden
    images; without, they are only looked for.
    """
    diagnoses = [
        Diagnosis("python", good=True, said=f"{platform.python_version()} on {platform.machine()}"),
        *_packages(),
        _torch() if deep else _cores(),
    ]
    diagnoses.append(_walls())
    diagnoses += [_tool(name) for name in ("git", "dvc", "prefect", "mlflow")]
    if paths is None:
        return [
            *diagnoses,
            Diagnosis("project", good=True, said="none here; these were the installation's findings alone"),
        ]
    asked = [_mlflow(paths), _champion(paths)] if deep else [_store(paths)]
    found = [*diagnoses, _params(paths), _rights(paths), _git(paths), _dvc(paths), *asked, _prefect()]
    return [replace(one, said=masked(one.said)) for one in found]


def _packages() -> list[Diagnosis]:
    found = []
    for name in PACKAGES:
        try:
            found.append(Diagnosis(name, good=True, said=version(name)))
        except PackageNotFoundError:
            found.append(Diagnosis(name, good=False, said=f"not installed: pip install {name}"))
    return found


def _cores() -> Diagnosis:
    return Diagnosis("training", good=True, said=f"{os.cpu_count()} CPU cores; {DEEPER} tries torch and looks for GPUs")


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


def _walls() -> Diagnosis:
    """What stands behind the rule that no code of a model is executed; a kernel without it is no fault."""
    from sightline.registry.sandbox import WALLS, standing

    up = standing()
    kept = "; ".join(f"{name}: {what}" if name in up else f"no {name} in this kernel" for name, what in WALLS.items())
    return Diagnosis("walls around a model on trial", good=True, said=kept)


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


def _rights(paths: Paths) -> Diagnosis:
    """Whether this user may write where a run does."""
    folders = (paths.root, paths.root / "data", paths.runs, paths.reports, paths.mlflow)
    places = [one for one in (*folders, *sorted(paths.mlflow.glob("*.db"))) if one.exists()]
    closed = [one for one in places if not os.access(one, os.W_OK, effective_ids=True)]
    if not closed:
        return Diagnosis("rights", good=True, said="this user may write the project")
    names = ", ".join(one.name if one == paths.root else one.relative_to(paths.root).as_posix() for one in closed)
    return Diagnosis(
        "rights",
        good=False,
        said=f"this user has no right to write {names}: only commands that answer or look work here",
    )


def _git(paths: Paths) -> Diagnosis:
    """The project's repository, which git may refuse to read where it belongs to another user."""
    try:
        commit = git(paths.root, "rev-parse", "--short", "HEAD").decode().strip()
    except SightlineError as error:
        return Diagnosis("git", good=False, said=str(error))
    return Diagnosis("git", good=True, said=f"commit {commit}" if commit else "no commit yet, for a version to name")


def _dvc(paths: Paths) -> Diagnosis:
    from sightline.data.versions.dvc import opened

    try:
        with opened(paths.root) as repo:
            remotes = ", ".join(repo.config["remote"]) or "no remote yet: `dvc remote add -d NAME URL`"
    except SightlineError as error:
        return Diagnosis("DVC", good=False, said=str(error))
    return Diagnosis("DVC", good=True, said=remotes)


def _store(paths: Paths) -> Diagnosis:
    """MLflow's store as seen from outside, and the champion by the ledger."""
    address = os.environ["MLFLOW_TRACKING_URI"]
    try:
        if address.startswith(servers.WEB) or servers.is_slip(address):
            trouble = servers.trouble(address, servers.MLFLOW)
            if trouble:
                return Diagnosis("MLflow", good=False, said=trouble)
        said = _named(_crowned(paths))
    except SightlineError as error:
        return Diagnosis("MLflow", good=False, said=str(error))
    return Diagnosis("MLflow", good=True, said=f"{address}, {said}; {DEEPER} opens it")


def _mlflow(paths: Paths) -> Diagnosis:
    """MLflow's store, opened: it must hold what the ledger made champion."""
    from sightline.registry import strangers
    from sightline.tracking.runs import connect

    try:
        champion = _crowned(paths)
        trouble = strangers.told(connect(paths), champion)
    except SightlineError as error:
        return Diagnosis("MLflow", good=False, said=str(error))
    said = trouble or f"{os.environ['MLFLOW_TRACKING_URI']}, {_named(champion)}"
    return Diagnosis("MLflow", good=not trouble, said=said)


def _champion(paths: Paths) -> Diagnosis:
    """The champion, answering its golden images as it was registered to."""
    from sightline.registry.served import served
    from sightline.registry.trial import check_answers

    try:
        if _crowned(paths) is None:
            return Diagnosis("champion", good=True, said="none yet")
        champion = served(paths)
        check_answers(champion.bundle)
    except SightlineError as error:
        return Diagnosis("champion", good=False, said=str(error))
    return Diagnosis("champion", good=True, said=f"version {champion.version} gives its golden answers")


def _crowned(paths: Paths) -> Identity | None:
    from sightline.registry.opening import open_ledger
    from sightline.tracking.versions import classifier_of

    ledger = open_ledger(paths)
    try:
        return ledger.standing(classifier_of(paths.params.project.name)).champion
    finally:
        ledger.close()


def _named(champion: Identity | None) -> str:
    return f"champion is version {champion.version}" if champion else "no champion yet"


def _prefect() -> Diagnosis:
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return Diagnosis("Prefect", good=True, said="no server set: each run starts its own for a while")
    trouble = servers.trouble(address, servers.PREFECT)
    if trouble:
        return Diagnosis("Prefect", good=False, said=trouble)
    return Diagnosis("Prefect", good=True, said=f"{address} answers")
