"""The command line: `sightline why-retrain`."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from typing import Annotated, Any

import typer

from flows.cli.common import AsJson, enter, say
from sightline import config
from sightline.errors import ConfigError


def why_retrain(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take the values of --set for the facts: what would be decided then.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Another limit, such as retrain.cooldown=1; with --dry-run another fact, too, such as new_labels=300.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Explain whether a training would start now, and why: what `train/on-signal` and `train/nightly` ask first."""
    paths = enter()
    from sightline.monitor.facts import gather
    from sightline.monitor.policy import Facts, decide

    given = dict(config.parse_setting(text) for text in settings or [])
    assumed = {key: value for key, value in given.items() if "." not in key}
    known = [one.name for one in fields(Facts)]
    unknown = sorted(assumed.keys() - set(known))
    if unknown:
        raise ConfigError(f"--set {unknown[0]}: there is no such fact; there are {', '.join(known)}")
    if assumed and not dry_run:
        raise ConfigError(f"--set {next(iter(assumed))}: facts are assumed with --dry-run alone")
    limits = config.load(paths.root, _limits(given)).retrain
    facts = replace(gather(paths), **assumed)
    decision = decide(facts, limits)
    if as_json:
        typer.echo(json.dumps({**decision.as_json(), "facts": asdict(facts), "limits": asdict(limits)}))
        return
    say(decision.sentence)
    for name, value in asdict(facts).items():
        mark = " (assumed)" if name in assumed else ""
        say(f"  {name.replace('_', ' ')}: {_shown(value)}{mark}")


def _limits(given: dict[str, Any]) -> dict[str, Any]:
    limits = {key: value for key, value in given.items() if "." in key}
    other = next((key for key in limits if not key.startswith("retrain.")), None)
    if other is not None:
        raise ConfigError(f"--set {other}: this command takes values of retrain; `sightline run` takes all")
    return limits


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
