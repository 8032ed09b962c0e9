"""A run within a time budget: what the clock decides before and after the data is ready."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger

from sightline import budget, config, project
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.duration import Budget
    from sightline.params import Params
    from sightline.recipe import Recipe
    from tasks.journal import Journal


@dataclass(frozen=True)
class Clock:
    """A budget in seconds, or none, and when it began."""

    budget: Budget | None
    began: float

    def sized(self, overrides: dict[str, Any] | None) -> dict[str, Any]:
        """The overrides, and the network and image size that fit the budget."""
        given = dict(overrides or {})
        if self.budget is None:
            return given
        paths = project.Paths(config.find_root())
        params = config.load(paths.root, given)
        budget.check(paths, params, self.budget)
        if not isinstance(self.budget, float):
            return given
        dataset = params.datasets["target"]
        images = dataset.roles.train * budget.count_files(paths.raw("target"))
        return given | budget.choose(paths.runs, self.budget, params, given, max(1, round(images)))

    def resolved(self, journal: Journal, params: Params, datasets: tuple[DataRef, ...]) -> Params:
        """The values with the steps that end inside the budget; they are logged with the run."""
        if self.budget is None:
            return params
        counts = {data.use: dict(data.counts) for data in datasets}
        paths = journal.context.paths
        if isinstance(self.budget, float):
            end = self.began + self.budget
            plan = budget.resolve(paths.runs, self.budget, lambda: end - time.time(), params, counts)
        else:
            plan = budget.resolve_stages(paths.runs, self.budget, params, counts)
        get_run_logger().info(f"budget: {plan.said}")
        connect(paths).tag(journal.context.run, {"budget": json.dumps(self.budget), "plan": plan.said})

        def planned(stage: str, recipe: Recipe) -> Recipe:
            return replace(recipe, steps=plan.steps.get(stage, recipe.steps))

        pretrain, finetune = params.pretrain, params.finetune
        return replace(
            params,
            pretrain=replace(pretrain, recipe=planned("pretrain", pretrain.recipe)),
            finetune=replace(
                finetune,
                recipe=planned("finetune", finetune.recipe),
                scratch=planned("scratch", finetune.scratch),
            ),
        )
