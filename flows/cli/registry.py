"""The command line: `sightline promote`, `approve`, `rollback` and `history`."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import AsJson, Settings, enter, say
from flows.cli.prefect_runs import mine
from sightline import config
from sightline.errors import ConfigError
from sightline.evaluate import fixed
from sightline.registry.blessing import REQUIRED, check_names

if TYPE_CHECKING:
    from sightline.registry.outcome import Outcome

Reason = Annotated[str, typer.Option(help="Why; it stands in the ledger.")]


class Rule(StrEnum):
    """How a candidate is compared with the champion."""

    better = "better"
    no_worse = "no_worse"


def promote(
    version: Annotated[str, typer.Argument(help="Version of the classifier in the registry.")],
    reason: Reason,
    rule: Annotated[
        Rule, typer.Option(help="no_worse: for a fix or a smaller model, worse by less than gate.margin.")
    ] = Rule.better,
    override: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help=f"Set a check aside, loudly and on record: {', '.join(REQUIRED)}."),
    ] = None,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Put a registered version through the gate. Exit status 1 where it does not become champion."""
    paths = enter()
    overrides = config.settings(settings or [], ("evaluate", "gate"))
    fixed.check(paths, config.load(paths.root, overrides).evaluate.release)
    check_names(override or [])
    _check_told(reason)
    from flows.cli.console import use_plain_lines
    from flows.cli.prefect_server import prefect_ready
    from sightline.tracking.runs import check_version

    check_version(paths, version)
    use_plain_lines()
    with prefect_ready(paths):
        from flows.promote import promote as flow

    with mine():
        outcome = flow(version, reason, rule.value, override, overrides=overrides or None)
    _show(outcome, as_json=as_json)
    from sightline.registry.ledger import REFUSED

    if outcome.champion != version or outcome.decision == REFUSED:
        raise typer.Exit(1)


def _check_told(reason: str) -> None:
    if not reason.strip():
        raise ConfigError("--reason is empty: say why in some words, they stand in the ledger")


def approve(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="The version that waits; by default the last one.")
    ] = None,
    reason: Reason = "",
    refuse: Annotated[
        bool, typer.Option("--refuse", help="Say no instead, with --reason: it waits no more, nor does its run.")
    ] = False,
) -> None:
    """Make a version the champion that waits for a person: as gate.approval asks, or for lack of test images.

    From any copy of the project that shares its ledger; a run that waits for it ends by itself.
    """
    paths = enter()
    from sightline.registry.waiting import waiting

    number = waiting(paths, version)
    from sightline.registry import promotion
    from sightline.report.index import write_index
    from sightline.tracking.runs import connect

    decide = promotion.refuse if refuse else promotion.approve
    outcome = decide(connect(paths), number, getpass.getuser(), reason)
    write_index(paths)
    for one in outcome.messages:
        say(one)
    say(f"version {number} is {'refused' if refuse else 'approved and champion now'}")


def rollback(reason: Reason = "rollback", as_json: AsJson = False) -> None:
    """Bring the previous champion back, once it has been loaded and has answered. Takes seconds, asks no gate.

    The version that it leads away from comes back only where somebody promotes it.
    """
    paths = enter()
    _check_told(reason)
    from sightline.registry.waiting import check_earlier

    check_earlier(paths)
    from sightline.registry.promotion import roll_back
    from sightline.report.index import write_index
    from sightline.tracking.runs import connect

    outcome = roll_back(connect(paths), reason)
    write_index(paths)
    _show(outcome, as_json=as_json)


def history(as_json: AsJson = False) -> None:
    """Show the promotion ledger: who made which version champion, or did not, when and why."""
    from sightline.registry.opening import history as rows

    found = rows(enter(), lambda said: typer.echo(said, err=True))
    if as_json:
        typer.echo(json.dumps(found))
        return
    from flows.cli.show import show_history

    show_history(found)


def _show(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))
        return
    from flows.cli.show import show_outcome

    show_outcome(outcome)
