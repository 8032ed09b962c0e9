"""Where a browser opens a page of the project, while `sightline report --serve` runs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

HOST, PORT = "127.0.0.1", 8765


def address(paths: Paths, page: Path, port: int = PORT) -> str:
    """Of a page below the project: no browser follows a link to a file from a page of Prefect's server."""
    return f"http://{HOST}:{port}/{quote(page.absolute().relative_to(paths.root.absolute()).as_posix())}"
