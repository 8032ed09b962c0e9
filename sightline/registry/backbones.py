"""Where a backbone comes from: a registered version becomes a file of weights that training can read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.errors import ModelError, RegistryError
from sightline.files import replacing
from sightline.heads.known import of
from sightline.models.named import FASTER_RCNN, backbone_of, placed
from sightline.models.weights import WEIGHTS
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHAMPION, find

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.params import Params
    from sightline.project import Paths

SCHEME = "registry:"


def pinned(paths: Paths, init: str | None) -> str | None:
    """`pretrain.init` with the version that it means now: registry:NAME/VERSION instead of an alias or the champion.

    A file that holds the weights of a registered version is that version; other files and the names of other weights
    stay as they are. Raises RegistryError where there is no such version.
    """
    if init is None or is_exact(init):
        return init
    tracker, file = connect(paths), placed(paths.root, init)
    if init == CHAMPION or init.startswith(SCHEME):
        version = find(tracker, _asked(init))
    else:
        known = tracker.holding(file_digest(file)) if file.is_file() else None
        if known is None:
            return init
        version = known
    return f"{SCHEME}{version.name}/{version.version}"


def check(paths: Paths, params: Params) -> None:
    """Raise ModelError or RegistryError where its network or the weights to begin with do not exist.

    ModelError too for a detector where nothing is located.
    """
    init = params.pretrain.init
    if init is not None and (init == CHAMPION or init.startswith(SCHEME)):
        find(connect(paths), _asked(init))
        init = None
    from sightline.models import zoo  # torch is imported once MLflow knows the version

    network, task = params.pretrain.network, params.task_of("target")
    if network.startswith(FASTER_RCNN) and not of(task).is_located:
        raise ModelError(
            f"pretrain.network = {network!r} finds boxes, and project.task is {task}: "
            f"set pretrain.network to {backbone_of(network)}"
        )
    zoo.check(network, init, paths.root)


def _asked(init: str) -> str:
    """The registered version that `champion` or `registry:…` names, as `find` takes it."""
    return f"@{CHAMPION}" if init == CHAMPION else init.removeprefix(SCHEME)


def is_exact(init: str) -> bool:
    """Whether it names one registered version, which stays the same."""
    return init.startswith(SCHEME) and "@" not in init and "/" in init


def fetched(paths: Paths, init: str | None) -> str | None:
    """`pretrain.init` as training reads it: a file of the project for those of a file or of the registry, else `init`.

    `registry:NAME/VERSION` and `registry:NAME@alias` name a registered version, `champion` the present champion of the
    project, for a warm start. The file is a copy that is named by its digest, so that the same weights are the same
    input, and others under the same name another one. Raises RegistryError where there is no such version, or where it
    holds no weights.
    """
    if init is None:
        return None
    if init == CHAMPION or init.startswith(SCHEME):
        return _kept(paths, _registered(paths, init))
    file = placed(paths.root, init)
    return _kept(paths, file) if file.is_file() else init


def _registered(paths: Paths, init: str) -> Path:
    """The weights of the registered version that `init` names."""
    tracker = connect(paths)
    version = find(tracker, _asked(init))
    found = next(tracker.files(version.name, str(version.version)).rglob(WEIGHTS), None)
    if found is None:
        raise RegistryError(f"{init}: version {version.version} of {version.name} holds no {WEIGHTS}")
    if found.is_symlink() or version.tags.get("weights") not in {None, file_digest(found)}:
        raise RegistryError(
            f"{init}: {found} was changed since version {version.version} of {version.name} was registered: "
            "`sightline verify --fix` puts it back where it can"
        )
    return found


def _kept(paths: Paths, file: Path) -> str:
    """The copy of a file of weights that is named by its digest, relative to the project; one that is whole stays."""
    digest = file_digest(file)
    target = paths.runs / "init" / f"{digest}{file.suffix}"
    if not target.is_file() or file_digest(target) != digest:
        with replacing(target) as scratch:
            shutil.copyfile(file, scratch)
    return target.relative_to(paths.root).as_posix()
