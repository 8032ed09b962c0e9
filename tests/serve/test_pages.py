"""Tests of the pages, in a real browser where there is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import browsing
import httpx
import pytest
from answering import image, served, version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browsing import Browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing.browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a server that holds version 1."""
    with served() as one:
        yield one


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image file."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(image())
    return path


@browsing.needed
@pytest.mark.parametrize("width", [1280, 390])
def test_dropped_photo_is_answered(browser: Browser, address: str, photo: Path, width: int) -> None:
    """Label, likeliest classes with bars as long as they are likely, and version; nothing wider than the window."""
    browser.open(address, width)
    browser.choose("input[type=file]", photo)
    said = browser.run(
        "/version/.test(document.querySelector('main').innerText) && document.querySelector('main').innerText"
    )
    (expected,) = version("1").predictor.predict([image()])
    assert said.startswith(expected.label)
    assert f"{100 * expected.probability:.1f} %" in said
    bars = "[...document.querySelectorAll('.bar i')].map((bar) => bar.offsetWidth / bar.parentNode.offsetWidth)"
    assert browser.run(bars) == pytest.approx(sorted(expected.probabilities, reverse=True), abs=0.02)
    assert browser.run("document.documentElement.scrollWidth") <= width


@browsing.needed
def test_requests_are_tried_on_their_page(browser: Browser, address: str, photo: Path) -> None:
    """A file is chosen, sent and answered; all that the page fetches comes from the server."""
    browser.open(f"{address}/docs", 1280)
    browser.click(".opblock-post .opblock-summary-control")
    browser.click(".opblock-post .try-out__btn")
    browser.choose(".opblock-post input[type=file]", photo)
    browser.click(".execute")
    said = browser.run("document.querySelector('.live-responses-table .highlight-code')?.innerText")
    assert '"answers"' in said
    assert {one for one in browser.asked if not one.startswith((address, "data:", "blob:"))} == set()


def test_pages_name_no_other_server(address: str) -> None:
    """Where there is no browser too: whatever the page of the requests fetches lies on this server."""
    page = httpx.get(f"{address}/docs").text
    assert "://" not in page
    for name in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert httpx.get(f"{address}/{name}").status_code == 200
    assert httpx.get(f"{address}/docs/../page.html").status_code == 404


def test_page_of_the_requests_asks_for_the_token() -> None:
    """Where one is wanted; nobody is asked for one else."""
    with served(token="secret") as address:  # noqa: S106 — of this test alone
        said = httpx.get(f"{address}/openapi.json").json()
        assert said["paths"]["/predict"]["post"]["security"] == [{"HTTPBearer": []}]
    with served() as address:
        assert "security" not in httpx.get(f"{address}/openapi.json").json()["paths"]["/predict"]["post"]
