"""Where captured answers lie: a folder of this machine, or an address that fsspec reaches; a folder in it for each day.

A file is there whole or not at all, whoever is killed meanwhile.
"""

from __future__ import annotations

import logging
import posixpath
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sightline.errors import ConfigError
from sightline.files import SCRATCH, write_atomically
from sightline.masking import masked
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = re.compile(r"date=(\d{4}-\d\d-\d\d)")
SUFFIX = ".parquet"
PUT_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory"})
"""Protocols of stores in which an object appears once all of it has arrived."""
FOUND = "all-old-since.txt"
"""The day on which all that was recorded was found too old; what a clock wrote that was ahead counts for nothing."""
LEFT = 3600.0
"""Seconds after which a scratch file is one that a killed writer left."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """A file."""

    name: str
    """Below the folder: `date=2026-11-27/….parquet`."""
    size: int


class Store:
    """The folder or address `folder`; a folder without a scheme lies below `root`, or at home after a `~`.

    Raises ConfigError where nothing installed knows such addresses.
    """

    def __init__(self, root: Path, folder: str) -> None:
        from fsspec.core import url_to_fs

        self.shown = folder
        try:
            self._fs, self._root = url_to_fs(folder if "://" in folder else str(root / Path(folder).expanduser()))
        except (ValueError, ImportError, RuntimeError) as error:
            raise ConfigError(
                f"capture.folder = {folder!r} cannot be used: {error}; name a folder, or install what it needs"
            ) from None
        protocol = self._fs.protocol
        self._protocols = {protocol} if isinstance(protocol, str) else set(protocol)
        self._folder = Path(self._root) if self._protocols & {"file", "local"} else None

    def put(self, name: str, data: bytes) -> None:
        """Make the file `name`."""
        if self._folder is not None:
            self._hide(self._folder)
            write_atomically(self._folder / name, data)
            return
        path = self._path(name)
        if self._protocols & PUT_WHOLE:
            self._fs.pipe_file(path, data)
            return
        self._fs.makedirs(posixpath.dirname(path), exist_ok=True)
        scratch = self._path(posixpath.join(posixpath.dirname(name), f".{posixpath.basename(name)}{SCRATCH}"))
        self._fs.pipe_file(scratch, data)
        self._fs.mv(scratch, path)

    @staticmethod
    def _hide(folder: Path) -> None:
        """Projects of before this folder was known do not tell git to leave it out."""
        if not folder.is_dir():
            write_atomically(folder / ".gitignore", "*\n")

    def days(self) -> list[date]:
        """Those of which there are files, in order."""
        found = []
        for one in self._list(self._root):
            match = DAY.fullmatch(posixpath.basename(one["name"].rstrip("/")))
            with suppress(ValueError):
                found += [date.fromisoformat(match[1])] if match else []
        return sorted(found)

    def older(self, days: int) -> list[date]:
        """Those days that were more than `days` days ago, in order."""
        oldest = datetime.now(UTC).date() - timedelta(days=days)
        return [day for day in self.days() if day < oldest]

    def files(self, day: date) -> Iterator[Place]:
        """Those of a day, by name; scratch files are none."""
        folder = f"date={day}"
        for one in sorted(self._list(self._path(folder)), key=lambda one: str(one["name"])):
            base = posixpath.basename(one["name"])
            if base.endswith(SUFFIX):
                yield Place(f"{folder}/{base}", int(one["size"] or 0))

    def open(self, name: str) -> Any:
        """The file `name`, to be read."""
        if self._folder is not None:
            return pa.OSFile(str(self._folder / name))
        return self._fs.open(self._path(name), "rb")

    def remove(self, day: date) -> None:
        """All that lies in the folder of a day."""
        self._fs.rm(self._path(f"date={day}"), recursive=True)

    def rotate(self, days: int) -> None:
        """Remove the days that were more than `days` days ago, and what killed writers left.

        Where nothing was recorded within `days` days before today the clock may be ahead, and nothing goes until the
        day after this was found first.
        """
        self._sweep()
        old = self.older(days)
        if old and self._is_in_doubt(days):
            log.warning(
                "nothing was recorded in the last capture.days = %d days, as though the clock were ahead: %s of %s go "
                "tomorrow",
                days, counted(len(old), "day"), masked(self.shown),
            )  # fmt: skip
            return
        for day in old:
            self.remove(day)

    def _is_in_doubt(self, days: int) -> bool:
        """Whether all that was recorded before today is too old, as some of it is, and no earlier day found that."""
        today = datetime.now(UTC).date()
        before = [day for day in self.days() if day < today]
        if before[-1] >= today - timedelta(days=days):
            return False
        try:
            with self.open(FOUND) as handle:
                found = bytes(handle.read()).decode(errors="replace")
        except FileNotFoundError:
            found = ""
        if before[-1].isoformat() < found < today.isoformat():
            return False
        self.put(FOUND, today.isoformat().encode())
        return True

    def _sweep(self) -> None:
        if self._folder is None:
            return
        for left in self._folder.glob(f"*/.*{SCRATCH}"):
            with suppress(FileNotFoundError):
                if left.stat().st_mtime < time.time() - LEFT:
                    left.unlink()

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)

    def _list(self, path: str) -> list[dict[str, Any]]:
        self._fs.invalidate_cache()
        try:
            found: list[dict[str, Any]] = self._fs.ls(path, detail=True)
        except FileNotFoundError:
            return []
        return found
