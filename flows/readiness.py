"""What is looked at once the data are ready and before anything is trained: whether this run can come to anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.logging import get_run_logger

from sightline.data.versions import archive
from sightline.errors import DataError
from sightline.evaluate import leaving, release
from sightline.registry import leaks, learned, prospects
from sightline.registry.learned import Learned
from sightline.report.leaks import write_leaks
from sightline.tracking.runs import connect
from sightline.train import beginning
from sightline.words import counted
from tasks.pages import link

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.params import Params
    from sightline.project import Paths


def begun(params: Params, target: DataRef) -> Params:
    """The values with a backbone that comes with Sightline named by its digest, or left out, which is told."""
    params, said = beginning.begun(params, dict(target.counts).get("train", 0), len(target.classes))
    if said:
        get_run_logger().info(said)
    return params


def look_ahead(paths: Paths, params: Params, init: str | None) -> None:
    """Say what the release and the calibration images can show, and which test images have left.

    `init`: the weights that the backbone begins with, as `pinned` names them. Raises DataError where too many have
    left, or where the source, or what those weights learned from, holds held-out images.
    """
    testing = release.current(paths, params.evaluate.release)
    if testing.left:
        where = leaving.shown(leaving.where_were(paths, testing.name, testing.left))
        get_run_logger().warning(
            f"test release {testing.name} goes on without {counted(len(testing.left), 'image')}: {where}"
        )
    refuse_leaks(paths, params, init)
    get_run_logger().info(prospects.told(paths, testing, params.gate))
    if said := prospects.unpromised(paths, params.evaluate.wanted_accuracy):
        get_run_logger().info(said)


def refuse_leaks(paths: Paths, params: Params, init: str | None) -> None:
    """Raise DataError where the source, or what the weights `init` learned from, holds held-out images."""
    source = archive.current(paths, "source") if "source" in params.datasets else None
    own = (Learned("source", source.digest, source.raw),) if source else ()
    found, past = leaks.leaks(paths, learned.past(connect(paths), own, init))
    if past.unknown:
        get_run_logger().warning(f"{past.doubt}: whether it saw images that the model will be judged by cannot be told")
    if not found:
        return
    page = write_leaks(paths, found)
    link(paths, page, "Images that the backbone must not see", "leaks")
    begun = any(leak.learned.of for leak in found)
    remedy = "begin with other weights (pretrain.init)" if begun else f"remove them from {paths.raw('source')}"
    said = f"{leaks.sentence(found)}; {remedy} or run without a backbone, then run again"
    raise DataError(f"{said}. All of them, with pictures: {page}")
