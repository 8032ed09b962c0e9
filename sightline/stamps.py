"""Stamps: what a whole run depends on and what it leaves behind, by size, times and inode of each file.

No file is read. Equal stamps say that what was found at the last look still holds; unequal ones say only that somebody
has to look closer.
"""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sightline.digests import PACKAGES, digest_of
from sightline.models.named import placed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sightline.params import Params
    from sightline.project import Paths

LIBRARIES = ("torch", "torchvision", "numpy", "pandas", "pillow", "scipy", "scikit-learn", "great_expectations", "dvc")
STORES = ("MLFLOW_TRACKING_URI", "SIGHTLINE_LEDGER_URI")
"""Variables that say where registry and ledger are."""


def inputs(paths: Paths, params: Params) -> dict[str, str]:
    """Name → digest of the stamps of what a run starts from."""
    images = {f"images of {use}": _stamp([paths.raw(use)], follow=False) for use in params.datasets}
    given = [placed(paths.root, params.pretrain.init)] if params.pretrain.init else []
    return images | {
        "labels": _stamp([paths.labels("target").parent]),
        "baselines": _stamp([paths.baseline("target").parent]),
        "files of the project": _stamp([paths.root / name for name in ("params.yaml", "dvc.yaml")]),
        "given weights": _stamp(given),
        "code": _stamp(_packages()),
        "libraries": digest_of([platform.python_version(), *map(_installed, LIBRARIES)]),
        "stores": digest_of([os.environ.get(name) for name in STORES]),
    }


def outputs(paths: Paths, params: Params) -> dict[str, str]:
    """Name → digest of the stamps of what a run leaves behind: data, weights, evaluations, releases, models."""
    data, dvc = paths.root / "data", paths.root / ".dvc"
    pointers = [paths.raw(use).with_name(paths.raw(use).name + ".dvc") for use in params.datasets]
    kept = [paths.root / "dvc.lock", paths.code, data / "external", dvc / "config", dvc / "config.local", *pointers]
    return {
        "versions of the data": _stamp([*kept, data / "history"]),
        "data sets": _stamp([data / name for name in ("manifests", "validation", "shards", "releases")]),
        # A folder's own times tell whether an object came or went: DVC never changes one.
        "DVC's cache": _stamp(_shelves(dvc / "cache" / "files" / "md5"), deep=False),
        "runs": _stamp([paths.runs]),
        "registered models": _stamp([paths.mlflow / "artifacts" / "models"]),
    }


def _packages() -> list[Path]:
    from pathlib import Path

    found = [find_spec(name) for name in PACKAGES]
    return [Path(place) for spec in found if spec for place in spec.submodule_search_locations or ()]


def _installed(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"{library} none"


def _shelves(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else [folder]


def _stamp(places: Sequence[Path], *, deep: bool = True, follow: bool = True) -> str:
    """Digest of the stamps of the files at and below `places`, whose absence counts too."""
    digest = hashlib.sha256()
    for place in places:
        digest.update(os.fsencode(place) + b"\0")
        for line in _lines(os.fspath(place), deep=deep, follow=follow):
            digest.update(os.fsencode(line) + b"\0")
    return digest.hexdigest()


def _lines(place: str, *, deep: bool, follow: bool) -> Iterator[str]:
    yield _line(place, isdir=deep and os.path.isdir(place))  # noqa: PTH112 — a million files: texts, not paths
    seen: set[tuple[int, int]] = set()
    # A user may have linked a folder of results to a larger disk; a link into its own loop is followed once. In folders
    # of images links to folders are followed by nobody: they may lead to the root of the machine.
    for where, folders, names in os.walk(place, followlinks=follow) if deep else ():
        known = os.stat(where)  # noqa: PTH116
        if (known.st_dev, known.st_ino) in seen or where.endswith("__pycache__"):
            folders.clear()
            continue
        seen.add((known.st_dev, known.st_ino))
        folders.sort()
        yield where
        for name in sorted(names):
            yield _line(os.path.join(where, name), isdir=False)  # noqa: PTH118


def _line(path: str, *, isdir: bool) -> str:
    """A folder that is walked through stands for its files: its own times change with every hidden one."""
    try:
        known = os.stat(path)  # noqa: PTH116
    except OSError:
        return f"{path} none"
    if isdir:
        return f"{path} folder"
    return f"{path} {known.st_size} {known.st_mtime_ns} {known.st_ctime_ns} {known.st_ino}"
