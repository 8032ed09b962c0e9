"""A run within a time budget: what the clock decides before and after the data is ready."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger

from sightline import config, project
from sightline.budget import amount, overhead, plan
from sightline.budget.choice import choose, replaced
from sightline.data import shards
from sightline.data.versions.warm import start_ahead
from sightline.errors import DataError
from sightline.heads.labels import LABELS
from sightline.tracking.runs import connect
from sightline.train import chain

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.duration import Budget
    from sightline.params import Params
    from sightline.recipe import Recipe
    from tasks.journal import Journal


TRAINING = {"pretrain", "finetune", "scratch"}
"""Steps of a run whose time goes by their training."""


@dataclass
class Clock:
    """A budget in seconds, or none, and when it began."""

    budget: Budget | None
    began: float
    entered: float = field(default_factory=time.time)
    """When the flow began."""
    ready: float = 0.0
    """When the data were ready and the steps known."""

    def sized(self, overrides: dict[str, Any] | None) -> dict[str, Any]:
        """The overrides, and the network and image size that fit the budget."""
        given = dict(overrides or {})
        if self.budget is None:
            return given
        paths = project.Paths(config.find_root())
        params = config.load(paths.root, given)
        if isinstance(self.budget, dict):
            plan.check_stages(params, self.budget)
            return given
        counts = amount.expected(paths, "target")
        beside = overhead.expected(paths.runs, self.entered - self.began, sum(counts.values()))
        # A run that is repeated, or one with other values: its data are ready, or nearly.
        again = paths.manifest("target").is_file()
        ready = replace(beside, head=0.0) if again else beside
        # Whoever looks for small objects says how many pixels they need: of detectors the budget decides the steps.
        if not LABELS[params.task_of("target")].are_boxes:

            def answering(network: str, size: int) -> float:
                return overhead.answers(paths.runs, network, size).seconds(counts)

            chosen = choose(paths.runs, self.budget, params, given, max(1, counts["train"]), ready, answering)
            if said := replaced(params, chosen):
                get_run_logger().info(f"budget: {said}")
            given |= chosen
        params = config.load(paths.root, given)
        if again and not _is_stored(paths, params.preprocess.size):
            # What it takes from there to images of another size nobody has measured.
            ready = replace(beside, shown=False)
        plan.check(paths.runs, self.budget, params, ready)
        # Not before: what is measured above must have the machine for itself.
        start_ahead(paths)
        return given

    def resolved(self, journal: Journal, params: Params, datasets: tuple[DataRef, ...]) -> Params:
        """The values with the steps that end inside the budget; they are logged with the run."""
        self.ready = time.time()
        if self.budget is None:
            return params
        counts = {data.use: dict(data.counts) for data in datasets}
        paths = journal.context.paths
        if isinstance(self.budget, float):
            end, images = self.began + self.budget, sum(counts["target"].values())
            beside = overhead.expected(paths.runs, self.entered - self.began, images)
            answers = _answers(paths, params)
            made = plan.resolve(paths.runs, self.budget, lambda: end - time.time(), params, counts, beside, answers)
        else:
            made = plan.resolve_stages(paths.runs, self.budget, params, counts)
        get_run_logger().info(f"budget: {made.said}")
        connect(paths).tag(journal.context.run, {"budget": json.dumps(self.budget), "plan": made.said})
        self.ready = time.time()

        def planned(stage: str, recipe: Recipe) -> Recipe:
            return replace(recipe, steps=made.steps.get(stage, recipe.steps))

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

    def noted(self, journal: Journal, params: Params, data: DataRef) -> None:
        """Remember what a run with a budget took before and after training: by that the next ones are planned."""
        ran = {row.name.partition(" ")[0]: row for row in journal.rows if row.outcome == "ran"}
        if not isinstance(self.budget, float) or "evaluate" not in ran:
            return
        paths, counts = journal.context.paths, dict(data.counts)
        trained = sum(row.seconds for name, row in ran.items() if name in TRAINING)
        answering = _answers(paths, params).seconds(counts)
        head = self.ready - self.began if "ingest" in ran else None
        tail = time.time() - self.ready - trained
        overhead.remember(paths.runs, head, tail, answering, sum(counts.values()))


def _is_stored(paths: project.Paths, size: int) -> bool:
    """Whether the images of the target are there at that size, pixels."""
    try:
        return shards.read_index(paths.shards("target")).size == size
    except DataError:
        return False


def _answers(paths: project.Paths, params: Params) -> overhead.Answers:
    """How fast this machine answers with the network of a run."""
    task = chain.learned(params, chain.SCRATCH)
    return overhead.answers(paths.runs, params.pretrain.network, params.preprocess.size, task)
