"""What happens, told to Prefect: an event for its triggers, and an alert to people by its notification blocks.

Each alarm is told once. What could not be told is told after the next look.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flows.email_alert import EmailAlert
from sightline.errors import SightlineError
from sightline.files import write_atomically
from sightline.report.addresses import address
from sightline.report.monitor import sentences

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from prefect.blocks.abstract import NotificationBlock
    from prefect.events import Event

    from sightline.monitor.outcome import Outcome
    from sightline.project import Paths

DRIFT, HARM, LABELS = "sightline.drift", "sightline.harm", "sightline.labels"
EMAIL = EmailAlert.get_block_type_slug()
PATIENCE = 15.0
"""Seconds in which Prefect's server has to take an event."""
WORDS = {DRIFT: "the traffic has shifted", HARM: "accuracy fell"}
"""Subjects of alerts."""


@dataclass(frozen=True)
class Alarm:
    """Something that people and triggers must hear of."""

    event: str
    key: str
    """Tells it from every other one."""


def tell(paths: Paths, outcome: Outcome, warn: Callable[[str], None]) -> list[str]:
    """Tell the alarms of a look that nobody was told of yet; their events. `warn` hears of what failed."""
    told, place = set(_told(paths)), _place(paths)
    page = paths.reports / "monitor.html"
    new = []
    for alarm in _alarms(outcome):
        ways: dict[str, Callable[[], Any]] = {
            block: _alert(block, alarm, paths, outcome, page) for block in _blocks(paths)
        }
        if "PREFECT_API_URL" in os.environ:
            ways["event"] = _event(alarm, paths, outcome, page)
        for way, send in ways.items():
            mark = f"{alarm.key} {way}"
            if mark in told:
                continue
            try:
                send()
            except Exception as error:  # noqa: BLE001 — every kind of block fails in words of its own
                warn(f"{alarm.event} could not be told by {way}, and is told again after the next look: {error}")
                continue
            told.add(mark)
            write_atomically(place, json.dumps(sorted(told), indent=1))
            new.append(alarm.event)
    return list(dict.fromkeys(new))


def labels_came(paths: Paths, version: str, changed: int, warn: Callable[[str], None]) -> None:
    """Tell Prefect's triggers, where there is a server that has any, that people labelled images.

    `warn` hears of it where the server does not.
    """
    if "PREFECT_API_URL" not in os.environ:
        return
    try:
        _emit(LABELS, paths, {"version": version, "labels": changed, "sentence": f"{changed} images were labelled"})
    except Exception as error:  # noqa: BLE001 — the labels are taken, whatever keeps the server from hearing of them
        warn(f"the labels are taken, but {LABELS} was not told to Prefect's triggers: {error}")


def _alarms(outcome: Outcome) -> list[Alarm]:
    found = []
    if outcome.alarm is not None:
        found.append(Alarm(DRIFT, f"{DRIFT} {outcome.digest} {outcome.reference} {outcome.alarm.number}"))
    if outcome.harm is not None and outcome.harm.harmed:
        found.append(Alarm(HARM, f"{HARM} {outcome.digest} {outcome.reference}"))
    return found


def _event(alarm: Alarm, paths: Paths, outcome: Outcome, page: Path) -> Callable[[], None]:
    about = {"version": outcome.version, "page": address(paths, page), "sentence": " ".join(sentences(outcome))}
    return lambda: _emit(alarm.event, paths, about)


def _emit(event: str, paths: Paths, payload: dict[str, Any]) -> None:
    from prefect.events import Event, Resource

    name = paths.params.project.name
    resource = Resource({"prefect.resource.id": f"sightline.project.{name}", "prefect.resource.name": name})
    try:
        asyncio.run(_send(Event(event=event, resource=resource, payload=payload)))
    except TimeoutError:
        where = os.environ["PREFECT_API_URL"]
        raise SightlineError(f"PREFECT_API_URL = {where} took no event within {PATIENCE:g} seconds") from None


async def _send(event: Event) -> None:
    """Send it ourselves: Prefect's own thread says nothing of an event that it lost, and is waited for for ever."""
    from prefect.client.orchestration import get_client
    from prefect.events.clients import get_events_client
    from prefect.events.related import related_resources_from_run_context

    # After each event the server is asked whether it came.
    async with asyncio.timeout(PATIENCE), get_client() as api, get_events_client(checkpoint_every=1) as events:
        event.related += await related_resources_from_run_context(api)
        await events.emit(event)


def _blocks(paths: Paths) -> list[str]:
    return paths.params.monitor.alerts


def _alert(block: str, alarm: Alarm, paths: Paths, outcome: Outcome, page: Path) -> Callable[[], Any]:
    from prefect.blocks.core import Block

    subject = f"{paths.params.project.name}, version {outcome.version}: {WORDS[alarm.event]}"
    where = f"{address(paths, page)} (while `sightline report --serve` runs in {paths.root})"
    body = "\n".join([*sentences(outcome), "", where])

    def send() -> None:
        # Loaded by its slug: those of Prefect, of its collections, and ours.
        loaded = EmailAlert.load(block.split("/", 1)[1]) if block.startswith(f"{EMAIL}/") else Block.load(block)
        sending: Any = cast("NotificationBlock", loaded).notify(body, subject)
        # Prefect's own blocks have sent it by now; those that only know to be awaited have not.
        if inspect.iscoroutine(sending):
            asyncio.run(sending)

    return send


def _place(paths: Paths) -> Path:
    return paths.root / "monitor" / "told.json"


def _told(paths: Paths) -> list[str]:
    place = _place(paths)
    if not place.is_file():
        return []
    try:
        found: list[str] = json.loads(place.read_text(encoding="utf-8"))
    except ValueError:
        # Told twice is better than never.
        return []
    return found
