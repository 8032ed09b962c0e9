"""Tests of versions that answer beside the champion, over a real socket."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import torch
from answering import follower, image, served, version
from sqlalchemy.exc import OperationalError

from sightline.errors import RegistryError
from sightline.heads.known import of
from sightline.heads.labels import DETECT
from sightline.models.bundle import Card
from sightline.models.detector import build
from sightline.models.predictor import Predictor
from sightline.params import Capture as Policy
from sightline.serve import challenger as beside
from sightline.serve import follow
from sightline.serve.app import application
from sightline.serve.batcher import Version
from sightline.serve.capture import Capture, drawn
from sightline.serve.challenger import Challenger, Task
from sightline.serve.history import look
from sightline.serve.record import as_label
from sightline.serve.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI


class Ledger:
    """What the ledger says of the challenger: nothing, why it is over, or that it cannot be read."""

    says: str | None = None
    trouble: Exception | None = None

    def __call__(self) -> str | None:
        """Why it is over."""
        if self.trouble is not None:
            raise self.trouble
        return self.says


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is looked at more often than each second."""
    monkeypatch.setattr(follow, "SECONDS", 0.02)


@contextmanager
def serving(
    folder: Path, task: Task, ledger: Ledger, second: Version | None = None, first: Version | None = None
) -> Iterator[tuple[httpx.Client, FastAPI]]:
    """A client of a server with version 1 as champion and 2, of other weights, beside it."""
    capture = Capture(Store(folder, "captured"), Policy())
    challenger = Challenger(second or version("2", seed=2), task, ledger)
    champion = follower(lambda: "1", lambda: first or version("1", seed=1))
    app = application(champion, capture=capture, challenger=challenger)
    with served(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client, app


def wait(until: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for table in look(Store(folder, "captured")).tables() for row in table.to_pylist()]


def figure(client: httpx.Client, name: str) -> float:
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def test_shadow_answers_unheard(tmp_path: Path) -> None:
    """Callers hear the champion alone; what the shadow says of the same images is recorded, counted and timed."""
    expected = {number: version(number, seed=int(number)).predictor for number in "12"}
    with serving(tmp_path, Task(shadow=True), Ledger()) as (client, _):
        for seed in range(12):
            (answer,) = client.post("/predict", content=image(seed)).json()["answers"]
            assert (answer["version"], answer["role"]) == ("1", "champion")
        wait(lambda: figure(client, "sightline_shadow_seconds_count") == 12)
        agreed = figure(client, 'sightline_shadow_answers_total{agrees="yes",version="2"}')
        assert agreed + figure(client, 'sightline_shadow_answers_total{agrees="no",version="2"}') == 12
    both = [(expected[number].predict([image(seed)])[0].label) for seed in range(12) for number in "12"]
    assert agreed == sum(one == other for one, other in zip(both[::2], both[1::2], strict=True))
    assert agreed < 12
    found: dict[str, dict[str, dict[str, Any]]] = {"champion": {}, "shadow": {}}
    for row in rows(tmp_path):
        found[row["role"]][row["request"]] = row
    assert found["champion"].keys() == found["shadow"].keys()
    for request, row in found["shadow"].items():
        assert (row["version"], row["digest"], row["sha256"]) == (
            "2",
            "digest of 2",
            found["champion"][request]["sha256"],
        )


def detector(number: str, seed: int) -> Version:
    """A detector with random weights, which shows a few boxes."""
    torch.manual_seed(seed)
    decoding = {"shifts": [0.0, 0.0], "thresholds": [0.0101, 0.0101], "images": 8}
    card = Card("cnn", 64, ("green", "red"), 1.0, "", fit="letterbox", task=DETECT, decoding=decoding)
    return Version(number, f"digest of {number}", Predictor(card, build("cnn", 2, 64)))


def test_boxes_of_a_shadow_are_compared_one_by_one(tmp_path: Path) -> None:
    """Answers that name the same classes elsewhere do not agree; how far they do is added up."""
    first, second = detector("1", 1), detector("2", 2)
    with serving(tmp_path, Task(shadow=True), Ledger(), second, first) as (client, _):
        for seed in range(8):
            assert client.post("/predict", content=image(seed)).status_code == 200
        wait(lambda: figure(client, "sightline_shadow_seconds_count") == 8)
        agreed = figure(client, 'sightline_shadow_answers_total{agrees="yes"')
        alike = figure(client, "sightline_shadow_agreement_total")
    said = {(row["request"], row["role"]): row for row in rows(tmp_path)}
    pairs = [(row, said[request, "shadow"]) for (request, role), row in said.items() if role == "champion"]
    figures = [of(DETECT).agreement(as_label(shadow), as_label(champion)) for champion, shadow in pairs]
    assert agreed == figures.count(1.0) < sum(champion["label"] == shadow["label"] for champion, shadow in pairs)
    assert alike == pytest.approx(sum(figures), abs=1e-3)


def test_shadow_has_less_priority_than_any_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the champion has anything to do it does nothing: what is too much is dropped and counted."""
    monkeypatch.setattr(beside, "WAITING", 5)
    with serving(tmp_path, Task(shadow=True), Ledger()) as (client, app):
        app.state.service.batcher.waiting += 1
        for seed in range(12):
            assert client.post("/predict", content=image(seed)).status_code == 200
        assert figure(client, "sightline_shadow_answers_total") == 0
        assert figure(client, "sightline_shadow_dropped_total") == 7
        app.state.service.batcher.waiting -= 1
        wait(lambda: figure(client, "sightline_shadow_answers_total") == 5)


def test_canary_answers_its_share(tmp_path: Path) -> None:
    """Drawn by the request's id, all of its images alike; answer and record name version and role, however many ask.

    A shadow sees what the champion has answered alone.
    """
    with serving(tmp_path, Task(shadow=True, canary=0.3), Ledger()) as (client, _):
        files = [("i", ("a.png", image()))] * 2
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: client.post("/predict", files=files).json(), range(60)))
        own = sum(reply["answers"][0]["role"] == "champion" for reply in replies)
        seen = ("sightline_shadow_answers_total", "sightline_shadow_dropped_total")
        wait(lambda: sum(figure(client, name) for name in seen) == 2 * own)
    expected = {number: version(number, seed=int(number)).predictor.predict([image()])[0] for number in "12"}
    for reply in replies:
        canary = drawn("canary", reply["request"], 0.3)
        for answer in reply["answers"]:
            assert (answer["version"], answer["role"]) == (("2", "canary") if canary else ("1", "champion"))
            assert answer["probability"] == pytest.approx(expected[answer["version"]].probability, abs=1e-5)
    told = {(reply["request"], one["version"], one["role"]) for reply in replies for one in reply["answers"]}
    found = {(row["request"], row["version"], row["role"]) for row in rows(tmp_path)}
    assert {one for one in found if one[2] != "shadow"} == told
    assert {one[0] for one in found if one[2] == "shadow"} <= {one[0] for one in told if one[2] == "champion"}
    assert 5 < sum(role == "canary" for _, _, role in told) < 35


@pytest.mark.parametrize(
    ("task", "trouble"),
    [
        (Task(shadow=True), RegistryError("the ledger does not answer")),
        (Task(canary=0.5), OperationalError("SELECT 1", {}, ConnectionError("server closed the connection"))),
    ],
)
def test_challenger_ends_by_itself(
    tmp_path: Path, task: Task, trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the ledger has spoken; until the ledger can be read it pauses; no request fails meanwhile."""
    ledger = Ledger()
    with serving(tmp_path, task, ledger) as (client, _):
        ended, found = threading.Event(), []

        def ask() -> None:
            with httpx.Client(base_url=client.base_url, timeout=30) as own:
                while not ended.is_set():
                    found.append(own.post("/predict", content=image()))
                    time.sleep(0.01)

        def told() -> dict[str, Any]:
            said: dict[str, Any] = client.get("/readyz").json()["challenger"]
            return said

        def counted() -> float:
            if task.shadow:
                return figure(client, "sightline_shadow_answers_total")
            lines = [
                line for line in client.get("/metrics").text.splitlines() if line.startswith("sightline_answers_t")
            ]
            return sum(float(line.rsplit(" ", 1)[1]) for line in lines if 'version="2"' in line)

        def nothing_more() -> bool:
            time.sleep(0.1)
            before = counted()
            time.sleep(0.1)
            return counted() == before

        with ThreadPoolExecutor(2) as pool:
            for _ in range(2):
                pool.submit(ask)
            try:
                wait(counted)
                ledger.trouble = trouble
                wait(lambda: told()["ledger"])
                wait(nothing_more)  # what was under way then still comes
                ledger.trouble = None
                wait(lambda: told()["ledger"] is None)
                before = counted()
                wait(lambda: counted() > before)
                ledger.says = "version 2 is refused"
                wait(lambda: told()["ended"])
                ledger.says = None
                wait(nothing_more)  # what was under way then still comes
                assert told()["ended"] == "version 2 is refused"
            finally:
                ended.set()
    assert {reply.status_code for reply in found} == {200}
    said = [record.getMessage() for record in caplog.records if record.name == beside.__name__]
    assert [("does not answer" in one, "answers no more" in one) for one in said] == [(True, False), (False, True)]


def test_callers_never_pay_for_a_broken_challenger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a canary fails the champion answers; where a shadow fails it is counted."""
    second = version("2", seed=2)

    def broken(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(second.predictor, "described", broken)
    with serving(tmp_path, Task(shadow=True, canary=0.5), Ledger(), second) as (client, _):
        answers = [client.post("/predict", content=image()).json()["answers"][0] for _ in range(20)]
        assert {(one["version"], one["role"]) for one in answers} == {("1", "champion")}
        wait(lambda: figure(client, "sightline_shadow_failed_total") == 20)
        assert 2 < figure(client, "sightline_canary_failed_total") < 18
