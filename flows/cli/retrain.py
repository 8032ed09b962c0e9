"""The command line: `sightline why-retrain`."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import AsJson, enter, say
from sightline import config
from sightline.errors import ConfigError

if TYPE_CHECKING:
    from sightline.monitor.policy import Facts


def why_retrain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take the values of --set for the facts: what would be decided then.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Another limit, such as retrain.cooldown=1; with --dry-run another fact: facts.new_labels=300.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain whether a training would start now, and why: what `train/on-signal` and `train/nightly` ask first."""
    paths = enter()
    from sightline.monitor.facts import gather
    from sightline.monitor.policy import Facts, decide

    given = config.settings(settings or [], ("facts", "retrain"))
    assumed = {key.partition(".")[2]: value for key, value in given.items() if key.startswith("facts.")}
    known = [one.name for one in fields(Facts)]
    unknown = sorted(assumed.keys() - set(known))
    if unknown:
        raise ConfigError(f"--set facts.{unknown[0]}: there is no such fact; there are {', '.join(known)}")
    if assumed and not dry_run:
        raise ConfigError(f"--set facts.{next(iter(assumed))}: facts are assumed with --dry-run alone")
    limits = config.load(paths.root, {key: value for key, value in given.items() if key.startswith("retrain.")}).retrain
    facts = _assumed(gather(paths), assumed)
    decision = decide(facts, limits)
    if as_json:
        typer.echo(json.dumps({**decision.as_json(), "facts": asdict(facts), "limits": asdict(limits)}))
        return
    say(decision.sentence)
    for name, value in asdict(facts).items():
        mark = " (assumed)" if name in assumed else ""
        say(f"  {name.replace('_', ' ')}: {_shown(value)}{mark}")


def _assumed(facts: Facts, values: dict[str, Any]) -> Facts:
    """The facts with other values."""
    from pydantic import TypeAdapter, ValidationError

    from sightline.monitor.policy import Facts

    try:
        return TypeAdapter(Facts).validate_python({**asdict(facts), **values})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise ConfigError(f"--set facts.{wrong['loc'][0]}={wrong['input']}: {wrong['msg'].lower()}") from None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        f"{value:,.3g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value or "none")
    )
