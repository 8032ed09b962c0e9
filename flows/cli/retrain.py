"""The command line: `sightline why-retrain`."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import Annotated, Any, get_type_hints

import typer

from flows.cli.common import AsJson, enter, say
from sightline import config
from sightline.errors import ConfigError
from sightline.words import counted


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
    from sightline.monitor.policy import Facts, decide

    given = config.settings(settings or [], ("facts", "retrain"))
    assumed = {key.partition(".")[2]: value for key, value in given.items() if key.startswith("facts.")}
    known = [one.name for one in fields(Facts)]
    unknown = sorted(assumed.keys() - set(known))
    if unknown:
        raise ConfigError(f"--set facts.{unknown[0]}: there is no such fact; there are {', '.join(known)}")
    if assumed and not dry_run:
        raise ConfigError(f"--set facts.{next(iter(assumed))}: facts are assumed with --dry-run alone")
    assumed = _typed(assumed)
    limits = config.load(paths.root, {key: value for key, value in given.items() if key.startswith("retrain.")}).retrain
    from sightline.monitor.facts import gather

    facts = gather(paths, assumed=assumed)
    decision = decide(facts, limits)
    if as_json:
        typer.echo(json.dumps({**decision.as_json(), "facts": asdict(facts), "limits": asdict(limits)}))
        return
    say(decision.sentence)
    for name, value in asdict(facts).items():
        mark = " (assumed)" if name in assumed else ""
        say(f"  {name.replace('_', ' ')}: {_shown(value)}{mark}")
    if facts.clock_ahead:
        say(
            f"{counted(facts.clock_ahead, 'training')} began later than now: a clock was ahead, and what they took and "
            "when they began counts for nothing",
            err=True,
        )


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Facts by their names, each of its type."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    from sightline.monitor.policy import Facts

    types, found = get_type_hints(Facts), {}
    config_of_facts = ConfigDict(**Facts.__pydantic_config__)  # type: ignore[typeddict-item]
    for name, value in values.items():
        try:
            found[name] = TypeAdapter(types[name], config=config_of_facts).validate_python(value)
        except ValidationError as error:
            said = error.errors()[0]["msg"].lower()
            raise ConfigError(f"--set facts.{name}={value}: {said}") from None
    return found


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
