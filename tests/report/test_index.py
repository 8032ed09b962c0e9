"""The index of runs, and the server that shows the pages."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from sightline.registry.ledger import INSUFFICIENT, PROMOTED, Entry
from sightline.registry.opening import open_ledger
from sightline.report.about import facts
from sightline.report.addresses import address
from sightline.report.index import entries, write_index
from sightline.report.served import server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths


def _page(paths: Paths, name: str, version: str, decision: str, at: str) -> None:
    """A page as a run writes it, of that time."""
    said = facts(version, decision, f'<b>version</b> {version} of "it"', 0.9)
    said = said.replace(said[said.index('"at": "') : -1], f'"at": "{at}"').replace('"', "&#34;")
    paths.reports.mkdir(exist_ok=True)
    (paths.reports / name).write_text(f'<head><meta name="sightline-run" content="{said}"></head>', encoding="utf-8")


def test_runs_stand_by_date_with_version_and_decision(toy: Paths) -> None:
    """The newest first; other pages of the folder are linked too, and nothing in a page becomes markup."""
    _page(toy, "quick-otter.html", "1", "promoted", "2026-01-31T12:00:00+00:00")
    _page(toy, "lazy-fox & co.html", "2", "refused", "2026-02-28T12:00:00+00:00")
    (toy.reports / "monitor.html").write_text("<p>time line", encoding="utf-8")
    assert [(one.version, one.decision, one.accuracy) for one in entries(toy)] == [
        ("2", "refused", 0.9),
        ("1", "promoted", 0.9),
    ]
    text = write_index(toy).read_text(encoding="utf-8")
    assert text.index("lazy-fox%20%26%20co.html") < text.index("quick-otter.html") < text.index("monitor.html")
    assert '<span class="tag bad">refused</span>' in text
    assert "<b>version" not in text


def test_pages_of_several_clocks_stand_in_the_order_of_time(toy: Paths) -> None:
    """A worker says its times by another clock than a person elsewhere."""
    _page(toy, "worker.html", "1", "promoted", "2026-01-31T12:00:00+00:00")
    _page(toy, "person.html", "2", "promoted", "2026-01-31T07:30:00-05:00")
    assert [one.version for one in entries(toy)] == ["2", "1"]


def test_index_says_what_the_ledger_says_now(toy: Paths) -> None:
    """A version that a person took later is the champion, whatever its page said then; without a ledger the page is."""
    _page(toy, "first.html", "1", "promoted", "2026-01-30T12:00:00+00:00")
    _page(toy, "second.html", "2", "insufficient", "2026-01-31T12:00:00+00:00")
    assert [(one.version, one.now, one.words) for one in entries(toy)] == [
        ("2", "", "insufficient"),
        ("1", "", "promoted"),
    ]
    ledger, row = open_ledger(toy), {"model": "toy-classifier", "actor": "a", "reason": "b"}
    ledger.append(Entry(**row, version="1", champion_before=None, decision=PROMOTED))  # type: ignore[arg-type]
    ledger.append(Entry(**row, version="2", champion_before="1", decision=INSUFFICIENT))  # type: ignore[arg-type]
    ledger.append(Entry(**row, version="2", champion_before="1", decision=PROMOTED))  # type: ignore[arg-type]
    ledger.close()
    assert [one.words for one in entries(toy)] == [
        "insufficient, now champion",
        "promoted, now no longer champion",
    ]
    text = write_index(toy).read_text(encoding="utf-8")
    assert '<span class="tag good">champion</span></td><td><span class="tag ">insufficient</span>' in text


def test_page_of_the_future_is_not_the_newest(toy: Paths) -> None:
    """What a clock wrote that was ahead stands behind all others; clocks of two machines differ a little."""
    later = datetime.now(UTC) + timedelta(minutes=5)
    _page(toy, "ahead.html", "1", "promoted", "2999-01-31T12:00:00+00:00")
    _page(toy, "old.html", "2", "refused", "2026-01-31T12:00:00+00:00")
    _page(toy, "elsewhere.html", "3", "refused", later.isoformat())
    assert [one.version for one in entries(toy)] == ["3", "2", "1"]


def test_page_without_its_facts_stops_nothing(toy: Paths) -> None:
    """A page that something else wrote, or that is damaged, is one of the others."""
    toy.reports.mkdir()
    (toy.reports / "odd.html").write_text('<meta name="sightline-run" content="{">', encoding="utf-8")
    assert entries(toy) == []
    assert 'href="odd.html"' in write_index(toy).read_text(encoding="utf-8")


@contextmanager
def _served(paths: Paths) -> Iterator[int]:
    with server(paths, 0) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(listening.server_address[1])
        finally:
            listening.shutdown()
            thread.join()


def test_server_shows_pages_and_images_and_nothing_else(toy: Paths) -> None:
    """Neither values, keys nor stores of the project, nor what a link in a folder of pages leads to."""
    _page(toy, "a run.html", "1", "promoted", "2026-01-31T12:00:00+00:00")
    write_index(toy)
    image = next(toy.raw("target").rglob("*.png"))
    (toy.raw("target") / "notes.txt").write_text("no image")
    (toy.reports / "out.html").symlink_to(toy.root / "params.yaml")
    with _served(toy) as port, httpx.Client(follow_redirects=True) as client:

        def status(path: str) -> int:
            return client.get(f"http://127.0.0.1:{port}{path}").status_code

        assert "a%20run.html" in client.get(f"http://127.0.0.1:{port}/").text
        assert client.get(address(toy, toy.reports / "a run.html", port)).status_code == 200
        assert client.get(address(toy, image, port)).content == image.read_bytes()
        refused = ["/params.yaml", "/.dvc/config", "/reports/", "/reports/../params.yaml", "/reports/out.html"]
        refused += ["/reports/%2e%2e/params.yaml", "/data/raw/target/notes.txt", "/mlflow/mlflow.db", "/.git/config"]
        assert {path: status(path) for path in refused} == dict.fromkeys(refused, 404)


def test_server_answers_this_machine_alone(toy: Paths) -> None:
    """A page from elsewhere that makes its own name lead here is refused."""
    write_index(toy)
    with _served(toy) as port:
        place = f"http://127.0.0.1:{port}/reports/index.html"
        assert httpx.get(place).status_code == 200
        assert httpx.get(place, headers={"Host": f"attacker.example:{port}"}).status_code == 403


@pytest.mark.usefixtures("toy")
def test_empty_project_has_an_empty_index(toy: Paths) -> None:
    """It says that no run has ended."""
    assert "No run has ended yet" in write_index(toy).read_text(encoding="utf-8")
