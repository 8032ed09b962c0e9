"""Alerts by Prefect's notification blocks, seen arriving at a real SMTP server and a real webhook."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiosmtpd.controller import Controller
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.settings import PREFECT_API_URL, temporary_settings
from servers import free_port

from flows.email_alert import EmailAlert
from flows.signals import labels_came, tell
from sightline.config import write_value
from sightline.monitor.outcome import Alarm, Harm, Outcome
from sightline.project import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator

CALM = Outcome(at="2026-11-27T08:00:00+00:00", version="3", digest="abc", reference="def", seen=900)
DRIFT = Alarm(number=1, since="2026-11-27T07:59:00+00:00", entered=700, wealth=180.0, threshold=100.0)
HARM = Harm(
    harmed=True,
    since="2026-11-27T07:58:00+00:00",
    e_value=120,
    threshold=100,
    bound=0.05,
    labels=80,
    wrong=20,
    drawn=90,
)


class Letters:
    """What arrives by mail."""

    def __init__(self) -> None:
        self.got: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 — aiosmtpd's name
        """One letter."""
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    """An SMTP server, and its port."""
    port, handler = free_port(), Letters()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def posted() -> Iterator[tuple[list[Any], int]]:
    """What arrives at a webhook, and its port."""
    got: list[Any] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing to the terminal."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield got, server.server_address[1]
        server.shutdown()


@pytest.fixture
def told(
    toy: Paths,
    letters: tuple[Letters, int],
    posted: tuple[list[Any], int],
    prefect_server: None,  # noqa: ARG001
) -> Paths:
    """A project whose alarms go to both."""
    mail = EmailAlert(
        host="127.0.0.1", port=letters[1], starttls=False, sender="line@example.org", to=["ops@example.org"]
    )
    mail.save("ops", overwrite=True)
    body = {"title": "{{subject}}", "text": "{{body}}"}
    hook = CustomWebhookNotificationBlock(
        name="ops", url=f"http://127.0.0.1:{posted[1]}/", json_data=body, headers=None, cookies=None
    )
    hook.save("ops", overwrite=True)
    write_value(toy.root, "monitor.alerts", ["email-alert/ops", "custom-webhook/ops"])
    return Paths(toy.root)


def test_each_alarm_is_told_once(told: Paths, letters: tuple[Letters, int], posted: tuple[list[Any], int]) -> None:
    """A calm look tells nothing; an alarm is told once by each block, with its page; harm is another alarm."""
    warned: list[str] = []
    assert tell(told, CALM, warned.append) == []
    drifting = replace(CALM, alarm=DRIFT)
    assert tell(told, drifting, warned.append) == ["sightline.drift"]
    assert tell(told, drifting, warned.append) == []
    (letter,), (post,) = letters[0].got, posted[0]
    page = "http://127.0.0.1:8765/reports/monitor.html"
    assert letter["to"] == "ops@example.org"
    assert letter["subject"] == "toy, version 3: the traffic has shifted"
    assert page in letter.get_content()
    assert page in post["text"]
    assert post["title"] == letter["subject"]
    letters[0].got.clear()
    posted[0].clear()
    assert tell(told, replace(drifting, harm=HARM), warned.append) == ["sightline.harm"]
    assert tell(told, replace(drifting, alarm=replace(DRIFT, number=2)), warned.append) == ["sightline.drift"]
    told_of = [post["title"].partition(": ")[2] for post in posted[0]]
    assert told_of == ["accuracy fell", "the traffic has shifted"]
    assert (len(letters[0].got), warned) == (2, [])
    assert tell(told, replace(CALM, harm=HARM), warned.append) == []
    assert tell(told, replace(CALM, harm=HARM, reference="another"), warned.append) == ["sightline.harm"]


def test_what_a_server_did_not_take_is_told_later(told: Paths, posted: tuple[list[Any], int]) -> None:
    """Where the mail server is down the webhook hears it all the same, and the mail comes after the next look."""
    EmailAlert(host="127.0.0.1", port=free_port(), starttls=False, sender="a@b.c", to=["d@e.f"]).save(
        "ops", overwrite=True
    )
    warned: list[str] = []
    drifting = replace(CALM, alarm=DRIFT)
    tell(told, drifting, warned.append)
    (said,) = warned
    assert said.startswith(
        "sightline.drift could not be told by email-alert/ops, and is told again after the next look"
    )
    handler, port = Letters(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        back = EmailAlert(host="127.0.0.1", port=port, starttls=False, sender="a@b.c", to=["d@e.f"])
        back.save("ops", overwrite=True)
        tell(told, drifting, warned.append)
    finally:
        controller.stop()
    assert (len(handler.got), len(posted[0]), len(warned)) == (1, 1, 1)


@pytest.mark.parametrize("is_there", [False, True])
def test_who_imports_labels_waits_for_no_silent_server(
    toy: Paths, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    """Where Prefect's server is down, or takes a connection and says nothing, the command warns, and ends."""
    monkeypatch.setattr("flows.signals.PATIENCE", 3.0)
    warned: list[str] = []
    with socket.create_server(("127.0.0.1", free_port())) as silent:
        port = silent.getsockname()[1] if is_there else free_port()
        address = f"http://127.0.0.1:{port}/api"
        monkeypatch.setenv("PREFECT_API_URL", address)
        with temporary_settings({PREFECT_API_URL: address}):
            labels_came(toy, "abc", 3, warned.append)
            assert tell(toy, replace(CALM, alarm=DRIFT), warned.append) == []
    assert warned[0].startswith(
        "the labels are taken, but sightline.labels was not told to Prefect's triggers: PREFECT"
    )
    assert warned[1].startswith("sightline.drift could not be told by event, and is told again after the next look")


def test_event_reaches_the_server(toy: Paths, monkeypatch: pytest.MonkeyPatch, prefect_server: None) -> None:  # noqa: ARG001
    """It is there before the command ends."""
    address = PREFECT_API_URL.value()
    monkeypatch.setenv("PREFECT_API_URL", address)
    warned: list[str] = []
    labels_came(toy, "abc", 3, warned.append)
    wanted = {"filter": {"event": {"prefix": ["sightline.labels"]}}}
    for _ in range(100):
        events = httpx.post(f"{address}/events/filter", json=wanted).json()["events"]
        if events:
            break
        time.sleep(0.1)
    assert [one["payload"]["labels"] for one in events] == [3]
    assert warned == []
