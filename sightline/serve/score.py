"""Answers for many images: a Parquet file with a row each, made in parts so that a killed job goes on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.data.sources.item import spelled
from sightline.files import replacing, write_atomically
from sightline.images.reading import UnreadableImage
from sightline.serve import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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
PLAN = "plan.json"


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


def score(
    images: Sequence[Source],
    version: Version,
    out: Path,
    step: Callable[[int], None] = lambda _count: None,
) -> Scored:
    """Answer `images` into the Parquet file `out`, a row each in their order; `step` hears of every part.

    The classes of the column `probabilities` stand in the file's metadata. Unreadable images are rows with an `error`.
    A job that was killed goes on with the parts beside `out` where version, limits and images are the same, and no
    image's file was changed meanwhile.
    """
    parts = out.with_name(f".{out.name}.parts")
    plan = json.dumps(_plan(images, version))
    if not (parts / PLAN).is_file() or (parts / PLAN).read_text(encoding="utf-8") != plan:
        shutil.rmtree(parts, ignore_errors=True)
        write_atomically(parts / PLAN, plan)
    chunks = [images[start : start + PART] for start in range(0, len(images), PART)]
    files = [parts / f"{number:06d}.parquet" for number in range(len(chunks))]
    task = version.predictor.task
    schema = SCHEMA if task.is_exclusive else SCHEMA.append(LABELS)
    schema = schema.append(BOXES) if task.is_located else schema
    resumed = 0
    with ThreadPoolExecutor(os.cpu_count(), "decode") as pool:
        for chunk, file in zip(chunks, files, strict=True):
            if file.is_file():
                resumed += len(chunk)
            else:
                _write(file, pa.Table.from_pylist(_rows(chunk, version, pool), schema))
            step(len(chunk))
    known = {b"classes": json.dumps(version.predictor.card.classes).encode()}
    counts = _join(files, out, schema.with_metadata(known))
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


def _write(file: Path, table: pa.Table) -> None:
    with replacing(file) as scratch:
        pq.write_table(table, scratch)


def _join(files: Sequence[Path], out: Path, schema: pa.Schema) -> tuple[int, int]:
    """Put the parts together; how many rows are unreadable, and how many abstain."""
    unreadable = abstained = 0
    with replacing(out) as scratch, pq.ParquetWriter(scratch, schema) as writer:
        for file in files:
            table = pq.read_table(file)
            unreadable += len(table) - table["error"].null_count
            abstained += table["abstain"].to_pylist().count(True)
            writer.write_table(table.cast(schema))
    return unreadable, abstained
