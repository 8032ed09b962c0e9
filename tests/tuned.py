"""A study of a toy project, and a trial of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline import config
from sightline.data.reference import describe
from sightline.recipe import Chance
from sightline.tune import study, trial

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.project import Paths
    from sightline.train.checkpoint import Epoch
    from sightline.tune.search import Attempt
    from sightline.tune.space import Asked
    from sightline.tune.study import Search


def opened(paths: Paths, given: dict[str, Any] | None = None, seconds: float = 600.0, spent: float = 0.0) -> Search:
    """The study without a backbone."""
    params = config.load(paths.root, given)
    data = describe(paths, "target", "v1", "", "")
    return study.open_search(paths, params, given or {}, data, None, seconds, spent)


def trained(
    paths: Paths, number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0
) -> Attempt:
    """A trial as the task trains it, without MLflow."""
    folder = paths.runs / "trial" / str(origin)
    folder.mkdir(parents=True, exist_ok=True)
    return trial.run(paths, folder, asked, None, Chance(seed=again), lambda _: None, hopeless, f"run {number}", 1)
