"""The training flow: from raw images to a promoted champion."""

from __future__ import annotations

import getpass
from dataclasses import replace
from pathlib import Path
from typing import Any

from prefect import flow

from flows.approval import settle
from flows.budget import Clock
from flows.complete import Look
from flows.publish import publish, told
from flows.readiness import begun, look_ahead
from flows.stages import Tasks, graph_ahead, label_errors_of, lineage_tags, prepare
from flows.start import begin, in_turn
from flows.summary import Summary  # noqa: TC001 — Prefect reads the annotations of a flow
from sightline.lineage import origin
from sightline.registry.backbones import check, pinned
from sightline.registry.candidate import Request
from sightline.tracking.runs import connect
from sightline.train import chain, parts
from sightline.train.distributed import check_ahead
from tasks.evaluation import evaluate
from tasks.journal import Journal, ended
from tasks.promotion import promote, register


@flow(name="train")
def train(
    overrides: dict[str, Any] | None = None,
    budget: float | dict[str, float] | None = None,
    began: float | None = None,
    verify: bool = False,  # noqa: FBT001, FBT002 — Prefect's page asks for flow parameters by name
    save: bool = False,  # noqa: FBT001, FBT002
) -> Summary:
    """Validate the data, train what has changed, evaluate it, and promote it where it is better.

    Args:
        overrides: Values for this run by their dotted names, such as {"pretrain.epochs": 1}.
        budget: Seconds in which the run shall end; network, image size and steps follow from it. Or seconds of the
            stages, such as {"pretrain": 1200}: their steps follow from them.
        began: When the budget's clock started, seconds of `time.time()`; by default now.
        verify: Look at everything, although nothing seems to have changed.
        save: Write the overrides into params.yaml, and the network and image size that a budget chose.
    """
    with in_turn("the training flow", began) as start:
        clock = Clock(budget, start)
        context, params = begin("train", clock.sized(overrides), save=save)
        look, tracker, journal = Look(context.paths, overrides, budget), connect(context.paths), Journal(context)
        with ended(context):
            if not verify and (known := look.unchanged(tracker)) is not None:
                return told(tracker, context, known)
            check(context.paths, params)
            check_ahead(params)
            data = prepare(journal, params)
            params = begun(params, data.target)
            parts.check_ahead(params, data.all)
            init = pinned(context.paths, params.pretrain.init)
            look_ahead(context.paths, params, init)
            params = clock.resolved(journal, params, data.all)
            trained = chain.train(Tasks(journal, data, init), params, chain.stages_of(params))
            best, choice = trained.choose()
            graph_ahead(journal)
            tested = journal.cached(
                evaluate, data=data.target, candidate=best, others=trained.classifiers, params=params.evaluate
            )
            label_errors = (
                None if isinstance(budget, float) else label_errors_of(journal, params, data, trained, tested)
            )
            line = origin.line_of(best, *trained.from_backbone)
            tags = lineage_tags(context.paths, data, trained, choice, init) | origin.training_tags(
                params, overrides, line
            )
            version = journal.plain(register, best=best, evaluated=tested, tags=tags)
            request = Request(version=version.version, reason="training flow", actor=getpass.getuser(), is_asked=False)
            outcome = journal.plain(promote, request=request, limits=params.gate, release=params.evaluate.release)
            summary = publish(journal, data.all, trained.all, best, choice, tested, label_errors, outcome)
            clock.noted(journal, params, data.target)
            summary = replace(summary, outcome=settle(outcome, params, context))
            look.remember(tracker, context.run, Path(summary.report).stem, summary)
            return summary
