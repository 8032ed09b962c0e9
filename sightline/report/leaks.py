"""The page of the target's images that the source holds too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.duplicates.across import picture
from sightline.data.files.facts import read_bytes
from sightline.files import write_atomically
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
        (leak, *(picture(read_bytes(paths.raw(use), path), SIDE) for use, path in _ends(leak)))
        for leak in found[:PICTURES]
    ]
    title = f"{paths.params.project.name}: images of the target that the source holds too"
    html = templates().get_template("leaks.html.j2").render(title=title, pairs=pairs, rest=found[PICTURES:])
    path = paths.reports / "leaks.html"
    write_atomically(path, html)
    return path


def _ends(leak: Leak) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("target", leak.target), ("source", leak.source)
