"""What this machine knows of files that it has read already: facts by path and stamp, in one parquet file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pandas as pd

from sightline import stored
from sightline.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"sightline.key"
NEVER = ""
"""Stamp of a file that is read again each time."""


def stamp(folder: str, path: str) -> str:
    """Changes when the file does; for a member of a tar file, when the tar file does. NEVER where there is no file."""
    place = f"{folder}/{path}"
    try:
        known = os.stat(place)  # noqa: PTH116 — a million files
    except NotADirectoryError:
        known = os.stat(place.partition(".tar/")[0] + ".tar")  # noqa: PTH116
    except (OSError, ValueError):
        return NEVER
    return f"{known.st_size} {known.st_mtime_ns} {known.st_ino}"


def load(path: Path, key: str) -> pd.DataFrame | None:
    """The facts that were saved under the same `key`; None where there are none, or damaged ones."""
    if not stored.is_whole(path):
        return None
    from pyarrow import parquet

    if (parquet.read_schema(path).metadata or {}).get(KEY) != key.encode():
        return None
    return pd.read_parquet(path, engine="pyarrow")


def digests(path: Path) -> pd.DataFrame | None:
    """Path, stamp and SHA-256 of the files, by whatever limits they were read; None where there are none."""
    if not stored.is_whole(path):
        return None
    return pd.read_parquet(path, engine="pyarrow", columns=["path", "stamp", "sha256"])


def save(facts: pd.DataFrame, path: Path, key: str) -> None:
    """Keep `facts` under `key`, which tells how they were made: other limits or other code make other facts."""
    from pyarrow import Table, parquet

    table = Table.from_pandas(facts, preserve_index=False)
    keyed = table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: key.encode()})
    with replacing(path) as scratch:
        parquet.write_table(keyed, scratch)
    stored.sign(path)


def rows(path: Path) -> int:
    """Number of files whose facts are kept at `path`."""
    from pyarrow import parquet

    return int(parquet.read_metadata(path).num_rows)
