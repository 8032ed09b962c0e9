"""A run within a time budget: what the clock decides before and after the data is ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger

from sightline import config, project
from sightline.tracking import connect
from sightline.train import budget

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.params import Params
    from tasks.journal import Journal


@dataclass(frozen=True)
class Clock:
    """A budget in seconds, or none, and when it began."""

    seconds: float | None
    began: float

    def sized(self, overrides: dict[str, Any] | None) -> dict[str, Any]:
        """The overrides, and the network and image size that fit the budget."""
        given = dict(overrides or {})
        if self.seconds is None:
            return given
        paths = project.Paths(config.find_root())
        params = config.load(paths.root, given)
        dataset = params.datasets["target"]
        folder = paths.raw("target")
        images = dataset.roles.train * sum(1 for path in folder.rglob("*") if path.is_file())
        return given | budget.choose(paths.runs, self.seconds, params, given, max(1, round(images)))

    def resolved(self, journal: Journal, params: Params, target: DataRef, source: DataRef | None) -> Params:
        """The values with the steps that end inside the budget; they are logged with the run."""
        if self.seconds is None:
            return params
        end = self.began + self.seconds
        counts = {data.use: dict(data.counts) for data in (target, source) if data is not None}
        paths = journal.context.paths
        plan = budget.resolve(paths.runs, self.seconds, lambda: end - time.time(), params, counts)
        get_run_logger().info(f"budget: {plan.said}")
        connect(paths).tag(journal.context.run, {"budget": f"{self.seconds:g} s", "plan": plan.said})
        pretrain, finetune, steps = params.pretrain, params.finetune, plan.steps
        return replace(
            params,
            pretrain=replace(pretrain, recipe=replace(pretrain.recipe, steps=steps.get("pretrain", 0))),
            finetune=replace(
                finetune,
                recipe=replace(finetune.recipe, steps=steps.get("finetune", 0)),
                scratch=replace(finetune.scratch, steps=steps["scratch"]),
            ),
        )
