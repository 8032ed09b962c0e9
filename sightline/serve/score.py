"""Answers for many images: a Parquet file with a row each, made in parts so that a killed job goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from sightline.data.sources.item import begins_like_an_image, spelled
from sightline.errors import ConfigError, DataError
from sightline.files import replacing, write_atomically
from sightline.images import kinds
from sightline.images.reading import SUFFIXES, UnreadableImage
from sightline.serve import record
from sightline.serve.images import TABLES, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.serve.batcher import Version
    from sightline.serve.images import Source

PART = 512
"""Images in a part: what a killed job loses at most."""
MANY = 2_000
"""Images from which on a faster form of the network is worth the seconds of making it."""
SCHEMA = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        ("label", pa.string()),
        ("probability", pa.float64()),
        ("probabilities", pa.list_(pa.float64())),
        ("set", pa.list_(pa.string())),
        ("abstain", pa.bool_()),
        ("foreign", pa.bool_()),
        ("foreign_score", pa.float64()),
        ("error", pa.string()),
        pa.field("version", pa.string(), nullable=False),
        pa.field("digest", pa.string(), nullable=False),
    ]
)
LABELS = pa.field("labels", pa.list_(pa.string()))
"""A column more, where images have several labels."""
BOXES = pa.field("boxes", record.BOXES)
"""One more, where they have boxes."""
SEAL = hashlib.sha256().digest_size
"""Bytes that a part begins with: the digest of all that follows them, and of the job that it belongs to."""


@dataclass(frozen=True)
class Scored:
    """What a job came to."""

    path: str
    version: str
    images: int
    unreadable: int
    abstained: int
    resumed: int
    """Images that an earlier job had answered already."""

    @property
    def sentence(self) -> str:
        """What there is to say."""
        return (
            f"{self.images:,} images answered by version {self.version} into {self.path}; "
            f"{self.unreadable:,} cannot be read, a person had better look at {self.abstained:,}"
        )


def job(images: str, out: str, folder: Path) -> tuple[list[Source], Path]:
    """The images that a person names, as `sources` does, and the file for the answers; both relative to `folder`.

    Raises ConfigError where `out` cannot take them: it is a folder, no name of a Parquet file, or one of the images;
    DataError where there is no image, or the file is neither one nor holds or names some.
    """
    if not images.strip():
        raise ConfigError("images is empty: name a folder, a table with a column path, or a tar file")
    if not out.strip():
        raise ConfigError("out is empty: name a file for the answers, such as answers.parquet")
    place = folder / os.path.expanduser(out)  # noqa: PTH111 — which leaves a name alone that is no user's
    if place.is_dir():
        raise ConfigError(f"out {place} is a folder: name a file in it, such as answers.parquet")
    if place.suffix != ".parquet":
        raise ConfigError(f"out {place}: the answers are written as Parquet, so let its name end in .parquet")
    named = folder / os.path.expanduser(images)  # noqa: PTH111
    _check(named)
    found = sources(named)
    if any(one.file.name == place.name and one.file.resolve() == place.resolve() for one in found):
        raise ConfigError(f"out {place} is one of the images: name another file for the answers")
    return found, place


def _check(named: Path) -> None:
    """Raises DataError where it is a file of a kind in which nobody looks for images."""
    suffix = named.suffix.lower()
    if not named.is_file() or suffix in {*SUFFIXES, *TABLES, ".tar"} or begins_like_an_image(str(named)):
        return
    with named.open("rb") as file:
        what = kinds.named(file.read(kinds.LOOKED_AT))
    said = f"{named}: no image, no table ({', '.join(TABLES)}) and no tar file"
    raise DataError(f"{said}, but {what}" if what else said)


def score(
    images: Sequence[Source],
    version: Version,
    out: Path,
    step: Callable[[int], None] = lambda _count: None,
) -> Scored:
    """Answer `images` into the Parquet file `out`, a row each in their order; `step` hears of every part.

    The classes of the column `probabilities` stand in the file's metadata. Unreadable images are rows with an `error`.
    A job that was killed goes on with the parts beside `out` where version, limits and images are the same, and no
    image's file was changed meanwhile. Raises DataError where another job is writing `out`.
    """
    with _alone(out):
        return _score(images, version, out, step)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """No other job writes `out` inside the block: it would take these parts for its own. A kill ends the lock."""
    place = out.with_name(f".{out.name}.lock")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place, timeout=0):
            try:
                yield
            finally:
                # While it is held: nobody else can have it by then.
                place.unlink(missing_ok=True)
    except Timeout:
        raise DataError(f"another job is writing {out}: wait for it, or let the answers go into another file") from None


def _score(images: Sequence[Source], version: Version, out: Path, step: Callable[[int], None]) -> Scored:
    parts = out.with_name(f".{out.name}.parts")
    plan = _plan(images, version)
    chunks = [images[start : start + PART] for start in range(0, len(images), PART)]
    files = [parts / f"{number:06d}.part" for number in range(len(chunks))]
    task = version.predictor.task
    schema = SCHEMA if task.is_exclusive else SCHEMA.append(LABELS)
    schema = schema.append(BOXES) if task.is_located else schema
    resumed = 0
    with ThreadPoolExecutor(os.cpu_count(), "decode") as pool:
        for chunk, file in zip(chunks, files, strict=True):
            if _opened(file, plan) is not None:
                resumed += len(chunk)
            else:
                _write(file, plan, pa.Table.from_pylist(_rows(chunk, version, pool), schema))
            step(len(chunk))
    known = {b"classes": json.dumps(version.predictor.card.classes).encode()}
    counts = _join(files, plan, out, schema.with_metadata(known))
    shutil.rmtree(parts)
    return Scored(str(out), version.number, len(images), *counts, resumed)


def _plan(images: Sequence[Source], version: Version) -> str:
    """Digest of all that the answers come from: of an image, its file as the disk knows it, for none is read twice."""

    @cache
    def stamp(file: Path) -> list[str | int]:
        try:
            found = file.stat()
        except OSError:
            return [str(file.absolute())]
        return [str(file.absolute()), found.st_size, found.st_mtime_ns]

    whole = hashlib.sha256(json.dumps([version.digest, version.predictor.max_pixels]).encode())
    for one in images:
        whole.update(json.dumps([one.name, one.offset, one.size, stamp(one.file)]).encode())
    return whole.hexdigest()


def _opened(part: Path, plan: str) -> bytes | None:
    """The Parquet file in a part; None where there is none of a job with this plan, or not every byte is as it was."""
    try:
        data = part.read_bytes()
    except OSError:
        return None
    return data[SEAL:] if data[:SEAL] == _seal(plan, data[SEAL:]) else None


def _seal(plan: str, data: bytes) -> bytes:
    return hashlib.sha256(plan.encode() + data).digest()


def _rows(chunk: Sequence[Source], version: Version, pool: ThreadPoolExecutor) -> list[dict[str, Any]]:
    read = list(pool.map(lambda one: _read(one, version), chunk))
    good = [(data, pixels) for data, pixels, error in read if error is None]
    answers = iter(
        version.predictor.answers([data for data, _ in good], np.stack([one for _, one in good])) if good else ()
    )
    rows = []
    for source, (_, _, error) in zip(chunk, read, strict=True):
        row: dict[str, Any] = {"path": spelled(source.name), "version": version.number, "digest": version.digest}
        row["error"] = error
        if error is None:
            answer = next(answers)
            found = asdict(answer)
            row |= {"set": found.pop("likely")} | found | answer.sets
        rows.append(row)
    return rows


def _read(source: Source, version: Version) -> tuple[bytes, NDArray[np.uint8], str | None]:
    nothing = np.empty(0, np.uint8)
    try:
        data = source.read()
        return data, version.predictor.decode(data), None
    except UnreadableImage as error:
        return b"", nothing, str(error)
    except OSError as error:
        return b"", nothing, f"cannot be read: {error.strerror}"


def _write(part: Path, plan: str, table: pa.Table) -> None:
    out = pa.BufferOutputStream()
    pq.write_table(table, out)
    data = out.getvalue().to_pybytes()
    write_atomically(part, _seal(plan, data) + data)


def _join(parts: Sequence[Path], plan: str, out: Path, schema: pa.Schema) -> tuple[int, int]:
    """Put the parts together; how many rows are unreadable, and how many abstain."""
    unreadable = abstained = 0
    with replacing(out) as scratch, pq.ParquetWriter(scratch, schema) as writer:
        for part in parts:
            data = _opened(part, plan)
            if data is None:
                raise DataError(
                    f"{part} is not as it was written: another job has written into it, or the disk fails; end that "
                    "job, and begin this one again: it goes on with the parts that are whole"
                )
            table = pq.read_table(pa.BufferReader(data))
            unreadable += len(table) - table["error"].null_count
            abstained += table["abstain"].to_pylist().count(True)
            writer.write_table(table.cast(schema))
    return unreadable, abstained
