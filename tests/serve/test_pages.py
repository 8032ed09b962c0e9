"""Tests of the pages, in a real browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from answering import image, served, version
from servers import free_port
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browsing = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Browser:
    """A tab of Chromium that reaches this machine alone, driven over its own protocol."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._number = connection, 0
        self.asked: set[str] = set()
        """Addresses that its pages wanted."""
        for part in ("Page", "Network", "Runtime", "DOM"):
            self(f"{part}.enable")

    def __call__(self, method: str, **values: Any) -> Any:
        """Call a method of the protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": values}))
        while True:
            said = json.loads(self._connection.recv(timeout=20))
            if said.get("method") == "Network.requestWillBeSent":
                self.asked.add(said["params"]["request"]["url"])
            if said.get("id") == self._number:
                return said["result"]

    def open(self, address: str, width: int) -> None:
        """Go to a page in a window of that width."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """What the script comes to, once it comes to something."""
        end = time.monotonic() + 20
        while True:
            found = self("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")
            if found:
                return found
            assert time.monotonic() < end, script
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        """Click what is there, or comes."""
        self.run(f"((one) => one && (one.click(), true))(document.querySelector('{selector}'))")

    def choose(self, selector: str, path: Path) -> None:
        """Put the file into the field."""
        self.run(f"!!document.querySelector('{selector}')")
        root = self("DOM.getDocument")["root"]["nodeId"]
        field = self("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self("DOM.setFileInputFiles", nodeId=field, files=[str(path)])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of this file."""
    with chromium(tmp_path_factory.mktemp("chromium")) as address, connect(address, max_size=None) as connection:
        yield Browser(connection)


@contextmanager
def chromium(folder: Path) -> Iterator[str]:
    port = free_port()
    words = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    words += [
        f"--remote-debugging-port={port}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "about:blank",
    ]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
                tabs = client.get(f"http://127.0.0.1:{port}/json").json()
            yield next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        finally:
            process.terminate()


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


@browsing
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


@browsing
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
