"""Tests of the pages, in a real browser where there is one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import boxed
import browsing
import httpx
import pytest
from answering import follower, image, served, version
from PIL import Image

from sightline.heads.located import told
from sightline.models.predictor import Predictor
from sightline.serve.app import application
from sightline.serve.batcher import Version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from browsing import Browser

EDGES = """[...document.querySelectorAll('{name}')].map((one) => {{
  const {{ x, y, width, height }} = one.getBoundingClientRect()
  return [x, y, width, height]
}})"""
"""Left, top, width and height in the window, of each such thing."""


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
def detector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server whose version finds boxes."""
    bundle = boxed.write(tmp_path_factory.mktemp("detector"))
    with served(application(follower(load=lambda: Version("1", "its digest", Predictor.load(bundle))))) as one:
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
@pytest.mark.parametrize("width", [1280, 390])
def test_boxes_are_drawn_where_they_are_answered(browser: Browser, detector: str, width: int, tmp_path: Path) -> None:
    """Over the picture, however the window cuts it; counts and sureness beside it."""
    photo = tmp_path / "squares.png"
    Image.fromarray(boxed.draw(1)[0]).save(photo)
    browser.open(detector, width)
    browser.choose("input[type=file]", photo)
    browser.run("/version/.test(document.querySelector('main').innerText)")
    answer = httpx.post(f"{detector}/predict", content=photo.read_bytes()).json()["answers"][0]
    assert len(answer["boxes"]) > 2
    ((left, top, wide, high),) = browser.run(EDGES.format(name="img"))
    factor = min(wide / boxed.SIDES[0], high / boxed.SIDES[1])
    left, top = left + (wide - factor * boxed.SIDES[0]) / 2, top + (high - factor * boxed.SIDES[1]) / 2
    drawn = browser.run(EDGES.format(name="rect"))
    for box, edges in zip(answer["boxes"], reversed(drawn), strict=True):
        place = [left + factor * box["x1"], top + factor * box["y1"]]
        sides = [factor * (box["x2"] - box["x1"]), factor * (box["y2"] - box["y1"])]
        assert edges == pytest.approx([*place, *sides], abs=1.5)
    said = browser.run("document.querySelector('main').innerText")
    assert said.startswith(told(box["label"] for box in answer["boxes"]))
    assert said.count(" %") == len(answer["boxes"])
    assert browser.run("document.documentElement.scrollWidth") <= width


@browsing.needed
def test_form_that_browsers_do_not_show_is_answered(
    browser: Browser, detector: str, address: str, tmp_path: Path
) -> None:
    """With a word in the place of its picture, be there boxes or not."""
    photo = tmp_path / "squares.tiff"
    Image.fromarray(boxed.draw(1)[0]).save(photo)
    for server in (detector, address):
        browser.open(server, 1280)
        browser.choose("input[type=file]", photo)
        browser.run("/version/.test(document.querySelector('main').innerText)")
        assert "cannot show" in browser.run("document.querySelector('figure').innerText")
        assert browser.run("String(document.querySelectorAll('img, svg').length)") == "0"


@browsing.needed
def test_requests_are_tried_on_their_page(browser: Browser, address: str, photo: Path) -> None:
    """A file is chosen, sent and answered; all that the page fetches comes from the server."""
    browser.asked.clear()
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
