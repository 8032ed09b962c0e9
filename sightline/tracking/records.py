"""The project's own record of each version: what MLflow says of it, so that nobody waits for MLflow to say it again.

It counts for the project's own store alone, which nobody writes but the project: on a server others write too.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from sightline import stored
from sightline.errors import Damaged
from sightline.files import write_atomically
from sightline.names import plain

if TYPE_CHECKING:
    from filelock import FileLock

    from sightline.project import Paths


@dataclass(frozen=True)
class RunRecord:
    """A run of MLflow."""

    name: str
    status: str
    started: int
    """Milliseconds since 1970."""
    metrics: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Record:
    """A registered version."""

    model: str
    version: str
    aliases: list[str]
    created: int
    """Milliseconds since 1970."""
    run: str | None
    """Id of the run that trained it."""
    tags: dict[str, str]
    facts: RunRecord | None
    """None where the store does not hold the run."""
    backbone: tuple[str, str | None] | None
    """Version, and run, of the registered backbone that it began from."""
    artifacts: str | None
    """Folder of the flow run's artifacts below the project; None where they lie elsewhere."""


def own_store(paths: Paths) -> str:
    """Address of the project's own MLflow store."""
    return f"sqlite:///{paths.mlflow / 'mlflow.db'}"


def is_own(paths: Paths) -> bool:
    """Whether the store in use is the project's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") in {None, "", own_store(paths)}


def read(paths: Paths, model: str, version: str) -> Record | None:
    """The record of a version; None where there is none, or where it does not count."""
    try:
        if not is_own(paths):
            return None
        values = stored.unseal(_place(paths, model, version))
        if (values["model"], values["version"]) != (model, version):
            return None
        facts = values["facts"] and RunRecord(**values["facts"])
        return Record(**{**values, "facts": facts, "backbone": values["backbone"] and tuple(values["backbone"])})
    except (Damaged, ValueError, TypeError, KeyError):
        # Damaged, or of another release: MLflow is asked, and it is written anew.
        return None


def write(paths: Paths, record: Record) -> None:
    """Keep a record, where it counts."""
    if is_own(paths):
        write_atomically(_place(paths, record.model, record.version), stored.seal(asdict(record)))


def drop(paths: Paths, model: str, version: str) -> None:
    """Forget what is recorded of a version."""
    _place(paths, model, version).unlink(missing_ok=True)


def lock(paths: Paths) -> FileLock:
    """One process at a time asks MLflow and records the answer, so that the last record is the newest."""
    from filelock import FileLock

    paths.mlflow.mkdir(exist_ok=True)
    return FileLock(paths.mlflow / "versions.lock")


def below(paths: Paths, uri: str) -> str | None:
    """The path below the project of a `file:` address; None where it leads elsewhere."""
    place = urlparse(uri)
    folder = Path(unquote(place.path))
    if place.scheme not in {"", "file"} or not folder.is_relative_to(paths.root):
        return None
    return folder.relative_to(paths.root).as_posix()


def _place(paths: Paths, model: str, version: str) -> Path:
    return paths.mlflow / "versions" / plain(model) / f"{plain(version)}.json"
