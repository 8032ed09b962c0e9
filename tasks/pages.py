"""Pages of the project on Prefect's page: as an address that a browser opens from there, which it does no file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.artifacts import create_link_artifact

from sightline.report.addresses import address

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def link(paths: Paths, page: Path, title: str, key: str, shown: str | None = None) -> None:
    """Link `page`, below the project, as an artifact of this run; `shown`: where a server shows it already."""
    text = title if shown else f"{title}, while `sightline report --serve` runs in the project"
    create_link_artifact(shown or address(paths, page), link_text=text, key=key)
