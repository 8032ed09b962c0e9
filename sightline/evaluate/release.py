"""Test releases: a named, immutable list of test images, and the only door to their pixels."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline import names
from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.data.manifest import OK
from sightline.data.shards import are_current
from sightline.digests import digest_of
from sightline.errors import DataError
from sightline.evaluate import fixed, leaving

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.data.loader import Images
    from sightline.project import Paths


GROWTH = 0.05
"""A release grows once so many further test images are there, as a share of its own."""


@dataclass(frozen=True)
class Release:
    """A test release of one data set."""

    name: str
    images: tuple[str, ...]
    """SHA-256 of each image, in the order of evaluation."""
    new: frozenset[str] = frozenset()
    """Those that were labelled since the releases before it; none in the first one."""
    left: tuple[str, ...] = ()
    """SHA-256 of those that the list names too, and that have left the test role."""

    @property
    def digest(self) -> str:
        """Identity of the release."""
        return digest_of([self.name, self.images, *([sorted(self.new)] if self.new else [])])

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """(N,) whether each image belongs to the new part."""
        return np.array([digest in self.new for digest in self.images], dtype=bool)


def current(paths: Paths, name: str) -> Release:
    """The newest release of that `name` of the target; the first of all is made from the present test role.

    A release is fixed for ever. Once a twentieth as many test images have come as it holds, the next one, NAME+1 and so
    on, has its images and, as new part, those. No image of the test role was ever trained on. A name with + means
    exactly that release. Images with the same bytes count once.

    It goes on without images that have left the test role. Raises DataError where it cannot be made, where there are
    releases of other names alone, or where more have left than `evaluate.kept` allows.
    """
    folder = fixed.folder(paths)
    fixed.check(paths, name)
    present = list(dict.fromkeys(_test_rows(paths)["sha256"]))
    line = _line(folder, name)
    if not line:
        return make(paths, name)
    newest = _read(line[-1])
    left = leaving.left(paths, newest.name, newest.images, frozenset(present))
    rest = tuple(digest for digest in newest.images if digest not in set(left))
    came = [digest for digest in present if digest not in set(newest.images)]
    if "+" in name or len(came) < GROWTH * len(newest.images):
        return replace(newest, images=rest, new=newest.new.difference(left), left=left)
    return _keep(paths, Release(f"{name}+{len(line)}", rest + tuple(came), _unseen(folder, came)))


def line_of(name: str) -> str:
    """The name under which a release was fixed before it grew."""
    return name.partition("+")[0]


def stands(paths: Paths, name: str, digest: str) -> bool:
    """Whether a release of that `name` and digest is still the one by which the project compares.

    It is not once it has grown: whoever was compared on NAME+1 was not on the images of NAME+2.
    """
    asked = paths.params.evaluate.release
    return current(paths, asked if asked == name else line_of(name)).digest == digest


def make(paths: Paths, name: str) -> Release:
    """Fix the present test images as a release of that new `name`.

    Raises DataError where there is one already, where it is no name, or where there is no test image.
    """
    try:
        names.check("release", name)
    except ValueError as error:
        raise DataError(str(error)) from None
    if name in fixed.names(paths):
        raise DataError(f"there is a test release {name} already, and it is fixed for ever; take another name")
    if "+" in name:
        raise DataError(f"release = {name!r}: NAME+1 is what release NAME grows to by itself; take a name without +")
    present = list(dict.fromkeys(_test_rows(paths)["sha256"]))
    if not present:
        raise DataError("the target has no test images: raise datasets.target.roles.test, or add images")
    return _keep(paths, Release(name, tuple(present), _unseen(fixed.folder(paths), present)))


def listed(paths: Paths, release: Release) -> Release:
    """The release as it was fixed, with the images that have left it since."""
    return _read(fixed.folder(paths) / f"{release.name}.json")


def known(paths: Paths) -> list[Release]:
    """Every release of the project, by name."""
    return [_read(path) for path in sorted(fixed.folder(paths).glob("*.json"), key=lambda path: path.stem)]


def open_images(paths: Paths, release: Release) -> tuple[Images, list[str]]:
    """The pixels of the release's images, in its order, and their paths in the raw folder.

    Raises DataError where shards and manifest disagree.
    """
    import torch

    from sightline.data.loader import Images, load_any

    everything = load_any(paths.shards("target"), "test")
    # Shards hold their rows in the order of the manifest within the shard.
    rows = _test_rows(paths).sort_values("shard", kind="stable")
    if not are_current(paths, "target", "test"):
        raise DataError("the test shards do not belong to this manifest; run `sightline run` or `dvc repro`")
    place = {digest: number for number, digest in enumerate(rows["sha256"])}
    order = [place[digest] for digest in release.images]
    picked = torch.tensor(order)
    labels, task = everything.labels[picked], everything.task
    images = Images(everything.pixels[picked], labels, everything.classes, task=task)
    return images, rows["path"].iloc[order].tolist()


def open_files(paths: Paths, release: Release) -> list[bytes]:
    """The files of the release's images, in its order, as serving would receive them."""
    rows = _test_rows(paths)
    path_of = dict(zip(rows["sha256"], rows["path"], strict=True))
    return [read_bytes(paths.raw("target"), path_of[digest]) for digest in release.images]


def labels(paths: Paths, release: Release) -> NDArray[np.str_]:
    """The label of each image of the release, in its order: a class, or the text of a set of them."""
    rows = _test_rows(paths)
    label_of = dict(zip(rows["sha256"], rows["label"], strict=True))
    return np.array([label_of[digest] for digest in release.images])


def rows(paths: Paths, release: Release) -> pd.DataFrame:
    """The manifest's rows of the release's images, in its order."""
    present = _test_rows(paths).drop_duplicates("sha256").set_index("sha256", drop=False)
    return present.loc[list(release.images)].reset_index(drop=True)


def groups(paths: Paths, release: Release) -> NDArray[np.int64]:
    """(N,) which of the release's images belong together, by number: no independent evidence."""
    return manifest.groups(rows(paths, release))


def told(paths: Paths, release: Release) -> dict[str, Any]:
    """What the figures of an evaluation say of the release, with the paths of the images that have left it."""
    left = leaving.where_were(paths, release.name, release.left)
    return {"name": release.name, "digest": release.digest, "images": len(release.images), "left": left}


def waiting(paths: Paths, release: Release) -> int:
    """How many images have joined the test role since the release was fixed."""
    return len(set(_test_rows(paths)["sha256"]) - set(release.images))


def _line(folder: Path, name: str) -> list[Path]:
    """The files of the release and of those that it grew to, oldest first; none where there is none yet."""
    if not (folder / f"{name}.json").is_file():
        return []
    later = {int(path.stem[len(name) + 1 :]): path for path in folder.glob("*.json") if _grew(path.stem, name)}
    return [folder / f"{name}.json", *(later[number] for number in sorted(later))]


def _grew(stem: str, name: str) -> bool:
    return stem.startswith(f"{name}+") and stem[len(name) + 1 :].isdecimal()


def _read(path: Path) -> Release:
    values = fixed.read(path)
    return Release(values["name"], tuple(values["images"]), frozenset(values.get("new", ())))


def _keep(paths: Paths, made: Release) -> Release:
    where = leaving.paths_of(paths, made.images)
    values = {"name": made.name, "images": made.images, "new": sorted(made.new), "paths": where}
    fixed.write(fixed.folder(paths) / f"{made.name}.json", values)
    return made


def _unseen(folder: Path, images: list[str]) -> frozenset[str]:
    """Those of `images` that stand in no release yet; none where this is the first release.

    One that was changed tells nothing: a new release is the way out of that.
    """
    before = []
    for path in folder.glob("*.json"):
        with suppress(DataError):
            before.append(_read(path).images)
    return frozenset(images).difference(*before) if before else frozenset()


def _test_rows(paths: Paths) -> pd.DataFrame:
    rows = manifest.read(paths.manifest("target"))
    return rows[(rows["status"] == OK) & (rows["role"] == "test")].reset_index(drop=True)
