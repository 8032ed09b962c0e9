"""The page of the target's images that a backbone learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.duplicates.across import picture
from sightline.data.files.facts import read_bytes
from sightline.data.versions.archive import Version
from sightline.files import write_atomically
from sightline.registry.leaks import bytes_of
from sightline.report.rendering import templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.project import Paths
    from sightline.registry.leaks import Leak

SIDE = 192
"""Longest side of a picture, pixels."""
PICTURES = 200
"""Pairs that are shown with pictures; all are listed."""


def write_leaks(paths: Paths, found: Sequence[Leak]) -> Path:
    """Write the page `reports/leaks.html`; its path."""
    pairs = [
        (leak, picture(read_bytes(paths.raw("target"), leak.target), SIDE), _learned(paths, leak))
        for leak in found[:PICTURES]
    ]
    title = f"{paths.params.project.name}: images of the target that the backbone learned from"
    html = templates().get_template("leaks.html.j2").render(title=title, pairs=pairs, rest=found[PICTURES:])
    path = paths.reports / "leaks.html"
    write_atomically(path, html)
    return path


def _learned(paths: Paths, leak: Leak) -> bytes | None:
    one = leak.learned
    data = bytes_of(paths, Version(one.use, one.digest, one.raw), leak.source, leak.sha256)
    return None if data is None else picture(data, SIDE)
