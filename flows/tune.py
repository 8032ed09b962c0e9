"""The flow that searches for better values: trials on the validation images, a page, and `params.yaml` where asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.readiness import begun, refuse_leaks
from flows.stages import Tasks, prepare
from flows.start import begin, in_turn
from flows.summary import Tuned
from sightline import config
from sightline.recipe import Chance
from sightline.registry.backbones import pinned
from sightline.report.tune import write_tune_page
from sightline.tracking.runs import connect
from sightline.train import chain
from sightline.tune import study
from sightline.tune.search import Attempt, Found, found, repeat, search
from tasks.journal import Journal, ended
from tasks.pages import link
from tasks.tuning import trial

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.train.checkpoint import Epoch
    from sightline.tune.space import Asked
    from tasks.context import Context

BUDGET = 1800.0
"""Seconds, where nobody says how long."""


@flow(name="tune")
def tune(
    budget: float | None = None,
    trials: int | None = None,
    apply: bool = False,  # noqa: FBT001, FBT002 — Prefect's page asks for flow parameters by name
    overrides: dict[str, Any] | None = None,
    began: float | None = None,
) -> Tuned:
    """Search for a recipe, network and image size that do better on the validation images.

    Args:
        budget: Seconds in which the search shall end; by default half an hour, or as long as `trials` take.
        trials: Trials of the study altogether, those of earlier searches and of other copies of the project counted.
        apply: Write what was found into params.yaml.
        overrides: Values to search around, by their dotted names, such as {"pretrain.network": "resnet18"}.
        began: When the budget's clock started, seconds of `time.time()`; by default now.
    """
    with in_turn("the search", began) as clock:
        until = clock + (budget or (float("inf") if trials else BUDGET))
        context, params = begin("tune", overrides)
        paths, journal = context.paths, Journal(context)
        with ended(context):
            data = prepare(journal, params)
            params = begun(params, data.target)
            init = pinned(paths, params.pretrain.init)
            refuse_leaks(paths, params, init)
            stages = [stage for stage in chain.stages_of(params) if stage in {chain.PRETRAIN, chain.TRANSFER}]
            start = chain.train(Tasks(journal, data, init), params, stages).start
            now = time.time()
            looking = study.open_search(paths, params, overrides or {}, data.target, start, until - now, now - clock)
            if looking.told:
                get_run_logger().info(looking.told)

            def train(
                number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0
            ) -> Attempt:
                chance = Chance(seed=params.project.seed + again, deterministic=params.project.deterministic)
                return trial(context, data.target, number, origin, asked, start, chance, hopeless)

            search(looking, train, paths.runs, context.workers, until, trials)
            repeat(looking, train, paths.runs, context.workers, until)
            # These stay in params.yaml; the others are taken out of it at the end.
            given = {key: value for key, value in (overrides or {}).items() if key not in config.DATA_KEYS}
            best = found(looking, paths.runs, context.workers, given)
            if apply and not best.is_present:
                config.save(paths.root, best.values)
            return _publish(context, best, write_tune_page(paths, looking, best), applied=apply)


def _publish(context: Context, best: Found, page: Path, *, applied: bool) -> Tuned:
    """Say what was found, on Prefect's and MLflow's pages too."""
    words = best.words if not best.is_present else ""
    get_run_logger().info(best.sentence)
    create_markdown_artifact(f"{best.sentence}\n\n```sh\nsightline run {words}\n```\n", key="tune")
    tracker = connect(context.paths)
    tracker.log(context.run, {"objective": best.value})
    tracker.tag(context.run, {"found": words or "nothing better"})
    tracker.artifact(context.run, page, "report")
    link(context.paths, page, "The search", "tune-page", tracker.address(context.run, f"report/{page.name}"))
    return Tuned(
        sentence=best.sentence,
        values=best.values,
        words=words,
        applied=applied and bool(best.values),
        trials=best.trials,
        pruned=best.pruned,
        value=best.value,
        before=best.before,
        page=str(page),
    )
