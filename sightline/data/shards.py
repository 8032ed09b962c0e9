"""Shards: the images of a role, decoded once to uint8 arrays that training maps from disk.

A shard is `ROLE-NNNNN.npy` of shape (rows, size, size, 3), its labels `ROLE-NNNNN.labels.npy` (what its task makes of
them: class indices, or a row of bits), its groups `ROLE-NNNNN.groups.npy` (a number for each group, the same in every
shard), and `index.json` says what is there. The index is written last, with the digest of each file: where both agree,
the shards are whole.

With `preprocess.store: jpeg` the training images are kept as JPEGs of that size, one behind the other in the same file
(bytes,), and `ROLE-NNNNN.offsets.npy` (rows + 1,) says where each begins. All other roles stay pixels, so that nothing
is measured on images that were compressed once more.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sightline import stored
from sightline.data import manifest, traits
from sightline.data.files.facts import read_bytes
from sightline.data.manifest import OK
from sightline.digests import code_digest, digest_of, file_digest
from sightline.errors import ConfigError, Damaged, DataError
from sightline.files import SCRATCH, replacing, write_atomically
from sightline.heads.labels import CLASSIFY, LABELS, noted
from sightline.images import jpeg
from sightline.images.reading import WHITE, decode, libraries
from sightline.images.shape import fit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.images.shape import Fit
    from sightline.params import Preprocess
    from sightline.project import Paths

INDEX = "index.json"
BEFORE = ("size", "classes", "shards")
"""What an index said before there were digests in it."""
DECODERS = ("sightline.images.reading", "sightline.images.jpeg")
"""Modules that make pixels of bytes, and bytes of pixels."""
BY = "decoders"
"""Under which a note says what made the shards."""


@dataclass(frozen=True)
class Shard:
    """One file of images."""

    role: str
    name: str
    rows: int
    key: str
    """Digest of everything that decides its bytes."""


@dataclass(frozen=True)
class Index:
    """The shards of one data set."""

    size: int
    classes: tuple[str, ...]
    shards: tuple[Shard, ...]
    fit: Fit = "squeeze"
    """How images of other shapes became square."""
    white: int = WHITE
    """Level of 16-bit grey that became white."""
    task: str = CLASSIFY
    """How the labels are meant."""

    @property
    def sentence(self) -> str:
        """What they are, for people."""
        made = {"squeeze": "squeezed", "fold": "folded", "pad": "padded", "crop": "cropped", "letterbox": "fitted"}[
            self.fit
        ]
        return f"{sum(one.rows for one in self.shards):,} images, {made} to squares of {self.size} px"

    def of(self, role: str) -> list[Shard]:
        """Shards of one role, in order."""
        return [shard for shard in self.shards if shard.role == role]

    def count(self, role: str) -> int:
        """Images of one role."""
        return sum(shard.rows for shard in self.of(role))


USUAL: dict[str, Any] = {"fit": Index.fit, "white": Index.white, "task": Index.task}
"""How images became pixels before there was a choice."""


def preprocess(paths: Paths, use: str) -> Index:
    """Decode the usable images of data set `use` to shards; those that stand whole, made by this code, are kept.

    Raises DataError where an image can no longer be read as the manifest says.
    """
    return write(paths, use, paths.params.preprocess, paths.shards(use), paths.decoded(use))


def write(
    paths: Paths, use: str, params: Preprocess, folder: Path, note: Path, roles: Collection[str] | None = None
) -> Index:
    """The shards of `preprocess` for other values, or these roles alone, in `folder`; `note` remembers their code."""
    rows = manifest.read(paths.manifest(use))
    folder.mkdir(parents=True, exist_ok=True)
    limit, white = paths.params.ingest.max_pixels, traits.read(paths.traits(use)).white
    task = paths.params.task_of(use)
    names = manifest.classes(rows, task)
    usable = rows[rows["status"] == OK]
    fit = _fit(params.fit, task, usable)
    wanted = usable if roles is None else usable[usable["role"].isin(roles)]
    work = _planned(wanted, params, names, fit, white, task)
    index = Index(params.size, tuple(names), tuple(shard for shard, _ in work), fit, white, task)
    kept = _kept(folder) if _is_by_this_code(note) else {}
    fresh = [(shard, part) for shard, part in work if kept.get(shard.name) != shard.key]
    (folder / INDEX).unlink(missing_ok=True)
    note.unlink(missing_ok=True)
    _write_all(folder, paths.raw(use), fresh, index, params, limit)
    for shard, part in work:
        _write_groups(folder / f"{shard.name}.groups.npy", part["group"])
    _remove_others(folder, {shard.name for shard in index.shards})
    stored.write(folder / INDEX, [path.name for path in folder.glob("*.npy")], **_said(index))
    write_atomically(note, stored.seal({BY: _code()}))
    return index


def are_current(paths: Paths, use: str, role: str) -> bool:
    """Whether a role's shards are of the manifest as it is now: not so between a change of the data and the next run.

    Raises DataError where the shards are not whole.
    """
    index, rows = read_index(paths.shards(use)), manifest.read(paths.manifest(use))
    wanted = rows[(rows["status"] == OK) & (rows["role"] == role)]
    made = replace(paths.params.preprocess, size=index.size)
    planned = _planned(wanted, made, manifest.classes(rows, index.task), index.fit, index.white, index.task)
    return [shard for shard, _ in planned] == index.of(role)


def _fit(asked: str, task: str, usable: pd.DataFrame) -> Fit:
    """How the usable images become square. Raises ConfigError where the task cannot learn from images made so."""
    only = LABELS[task].fit
    if only is not None:
        if asked not in {"auto", only}:
            raise ConfigError(f"preprocess.fit = {asked!r}: of {task} the boxes would lie elsewhere; set it to auto")
        return only
    return fit_of(usable[["width", "height"]].to_numpy(dtype=np.int64)) if asked == "auto" else cast("Fit", asked)


def read_index(folder: Path) -> Index:
    """The index of a shard folder.

    Raises DataError where it is missing or damaged: the shards are then not whole.
    """
    return _index(_told(folder))


def _told(folder: Path) -> dict[str, Any]:
    try:
        return stored.unseal(folder / INDEX, BEFORE, BEFORE)
    except Damaged as error:
        raise DataError(f"{error}: the shards are not whole; run `sightline run` or `dvc repro`") from None


def _index(told: dict[str, Any]) -> Index:
    shards = tuple(Shard(**shard) for shard in told["shards"])
    made = {name: told.get(name, default) for name, default in USUAL.items()}
    return Index(told["size"], tuple(told["classes"]), shards, **made)


def _said(index: Index) -> dict[str, Any]:
    """What the file of the index says: sets that are made as all once were stay the version that they are."""
    return {name: value for name, value in asdict(index).items() if name not in USUAL or value != USUAL[name]}


def _kept(folder: Path) -> dict[str, str]:
    """Name → key of the shards that stand as they were written; of the others, what is damaged goes."""
    try:
        told = _told(folder)
    except DataError:
        return {}
    damaged = stored.changed(folder, told.get(stored.FILES, {}))
    for name in damaged:
        (folder / name).unlink(missing_ok=True)
    # Groups alone are looked at each time and written anew without the images.
    lost = {name.partition(".")[0] for name in damaged if not name.endswith(".groups.npy")}
    whole = {name.partition(".")[0] for name in told.get(stored.FILES, {})} - lost
    return {shard.name: shard.key for shard in _index(told).shards if shard.name in whole}


def _is_by_this_code(note: Path) -> bool:
    try:
        return bool(stored.unseal(note, needed=[BY])[BY] == _code())
    except Damaged:
        return False


def _code() -> str:
    """Digest of what decides the bytes of shards besides images and values.

    It stands in no version of the data: the same pixels are the same version, whatever made them.
    """
    return digest_of([*map(code_digest, DECODERS), file_digest(Path(__file__)), *libraries().values()])


def _compresses(role: str, params: Preprocess) -> bool:
    return params.store == "jpeg" and role == "train"


def _planned(
    wanted: pd.DataFrame, params: Preprocess, names: list[str], fit: Fit, white: int, task: str
) -> list[tuple[Shard, pd.DataFrame]]:
    return [
        _plan(str(role), int(str(number)), part, params, names, fit, white, task)
        for (role, number), part in wanted.groupby(["role", "shard"], sort=True)
    ]


def _plan(
    role: str,
    number: int,
    part: pd.DataFrame,
    params: Preprocess,
    names: list[str],
    fit: Fit,
    white: int,
    task: str,
) -> tuple[Shard, pd.DataFrame]:
    name = f"{role}-{number:05d}"
    kind: list[object] = ["jpeg", params.quality] if _compresses(role, params) else []
    kind += [fit] if fit != USUAL["fit"] else []
    kind += ["white", white] if white != WHITE else []
    known = [params.size, names, part["sha256"].tolist(), part["label"].tolist(), *kind]
    key = digest_of([*known, *noted(task).values()])
    return Shard(role, name, len(part), key), part


def _write_all(
    folder: Path, raw: Path, fresh: list[tuple[Shard, pd.DataFrame]], index: Index, params: Preprocess, limit: float
) -> None:
    labels = LABELS[index.task]
    images = sum(shard.rows for shard, _ in fresh)
    with ProcessPoolExecutor(os.cpu_count() if images > params.size else 1) as pool:
        for shard, part in fresh:
            path, quality = folder / f"{shard.name}.npy", params.quality if _compresses(shard.role, params) else 0
            pixels = partial(decode, size=index.size, max_pixels=limit, fit=index.fit, white=index.white)
            read = partial(_stored, str(raw), pixels, quality)
            found = list(pool.map(read, part["path"].tolist(), part["sha256"].tolist(), chunksize=64))
            jpeg.offsets_of(path).unlink(missing_ok=True)
            if quality:
                _save(jpeg.offsets_of(path), np.cumsum([0, *map(len, found)], dtype=np.int64))
            _save(path, np.concatenate(found) if quality else np.stack(found))
            _save(folder / f"{shard.name}.labels.npy", labels.targets(part["label"], list(index.classes), index.size))


def _write_groups(path: Path, groups: pd.Series) -> None:
    """Write a number for each name, from its digest: it does not change when other groups come.

    Shards that stand may need it too: a group gets another name when one joins it.
    """
    digests = [hashlib.sha256(str(name).encode()).digest()[:8] for name in groups]
    numbers = np.array([int.from_bytes(one, signed=True) for one in digests], dtype=np.int64)
    if not path.is_file() or not np.array_equal(np.load(path), numbers):
        _save(path, numbers)


def _stored(
    raw: str, pixels: Callable[[bytes], NDArray[np.uint8]], quality: int, path: str, sha256: str
) -> NDArray[np.uint8]:
    """What a shard holds of an image: its pixels, or with a `quality` above 0 the bytes of a JPEG."""
    try:
        data = read_bytes(raw, path)
    except FileNotFoundError:
        raise DataError(
            f"{path} was removed while the run was at work: put it back, or run again, and it leaves the data set"
        ) from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DataError(f"{path} changed while the run was reading it: run again")
    return jpeg.encode(pixels(data), quality) if quality else pixels(data)


def _save(path: Path, array: NDArray[np.generic]) -> None:
    with replacing(path) as scratch, scratch.open("wb") as handle:
        np.save(handle, array)


def _remove_others(folder: Path, names: set[str]) -> None:
    """What the index does not name leaves the version, what a killed run left among it."""
    for path in (*folder.glob("*.npy"), *folder.glob(f".*{SCRATCH}")):
        if path.name.split(".")[0] not in names:
            path.unlink()
