"""What is looked at once the data are ready and before anything is trained: whether this run can come to anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.artifacts import create_link_artifact
from prefect.logging import get_run_logger

from sightline.data.versions import archive
from sightline.errors import DataError
from sightline.evaluate import leaving, release
from sightline.registry import leaks, prospects
from sightline.report.leaks import write_leaks
from sightline.words import counted

if TYPE_CHECKING:
    from sightline.params import Params
    from sightline.project import Paths


def look_ahead(paths: Paths, params: Params) -> None:
    """Say what the test release can show, and which images have left it.

    Raises DataError where too many have left, or where the source would teach the backbone held-out images.
    """
    testing = release.current(paths, params.evaluate.release)
    if testing.left:
        where = leaving.shown(leaving.where_were(paths, testing.name, testing.left))
        get_run_logger().warning(
            f"test release {testing.name} goes on without {counted(len(testing.left), 'image')}: {where}"
        )
    if "source" in params.datasets:
        _refuse_leaks(paths)
    get_run_logger().info(prospects.told(paths, testing, params.gate))


def _refuse_leaks(paths: Paths) -> None:
    source = archive.current(paths, "source")
    found = leaks.leaks(paths, source.digest, source.raw)
    if found:
        page = write_leaks(paths, found)
        create_link_artifact(page.as_uri(), link_text="Images that the backbone must not see", key="leaks")
        raise DataError(
            f"{leaks.sentence(found)}; remove them from {paths.raw('source')} or run without a source, then run again. "
            f"All of them, with pictures: {page}"
        )
