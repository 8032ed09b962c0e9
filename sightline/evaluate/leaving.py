"""Images that have left a test release: it goes on without a few, told by path, and stops where many are gone."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.versions import archive
from sightline.errors import DataError
from sightline.evaluate import fixed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sightline.project import Paths

SHOWN = 5
"""Paths that a message names; the others are counted."""


def left(paths: Paths, name: str, images: Sequence[str], present: Collection[str]) -> tuple[str, ...]:
    """Those of the `images` (SHA-256) of the release `name` that are not `present` in the test role.

    Raises DataError where the others are less than the share `evaluate.kept` of the release.
    """
    gone = tuple(digest for digest in images if digest not in present)
    kept = paths.params.evaluate.kept
    if gone and len(images) - len(gone) < kept * len(images):
        where = where_were(paths, name, gone)
        raise DataError(
            f"test release {name}: {len(gone)} of its {len(images)} images have left the test role "
            f"({shown(where)}), and evaluate.kept asks for {kept:.0%} of them; bring them back, or make a new release "
            f"(`sightline data release NAME`), which run, evaluate and promote all take: {fixed.NAMED}"
        )
    return gone


def where_were(paths: Paths, name: str, digests: Sequence[str]) -> list[str]:
    """The path of each of these images (SHA-256) of the release `name`, as the release or the data's log knows it."""
    if not digests:
        return []
    file = fixed.folder(paths) / f"{name}.json"
    known: dict[str, str] = fixed.read(file).get("paths", {}) if file.is_file() else {}
    versions = iter(_versions(paths))
    while not known.keys() >= set(digests):
        version = next(versions, None)
        if version is None:
            break
        # A version that DVC holds no more tells nothing; an older one may.
        with suppress(DataError):
            rows = archive.rows(paths, version)
            known = {**dict(zip(rows["sha256"], rows["path"], strict=True)), **known}
    return [known.get(digest, f"an image of no known path, sha256 {digest[:12]}…") for digest in digests]


def shown(where: Sequence[str]) -> str:
    """The first few of the paths, and how many more there are."""
    more = f" and {len(where) - SHOWN} more" if len(where) > SHOWN else ""
    return ", ".join(where[:SHOWN]) + more


def paths_of(paths: Paths, digests: Collection[str]) -> dict[str, str]:
    """SHA-256 → path of those of the images that the present manifest has: kept with a release for when they leave."""
    rows = manifest.read(paths.manifest("target"))
    rows = rows[rows["sha256"].isin(digests)]
    return dict(zip(rows["sha256"], rows["path"], strict=True))


def _versions(paths: Paths) -> Iterable[archive.Version]:
    """The target's versions, newest first."""
    log = paths.history("target")
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    for line in reversed(lines):
        yield archive.Version("target", json.loads(line)["version"], None)
