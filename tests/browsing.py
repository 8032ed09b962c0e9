"""A real browser for tests of pages, where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from servers import free_port
from websockets.sync.client import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from websockets.sync.connection import Connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needed = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Browser:
    """A tab of Chromium that reaches this machine alone, driven over its own protocol."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._number, self._loaded = connection, 0, 0
        self.asked: set[str] = set()
        """Addresses that its pages wanted."""
        self.errors: list[str] = []
        """What its console said was wrong."""
        for part in ("Page", "Network", "Runtime", "DOM", "Log"):
            self(f"{part}.enable")

    def __call__(self, method: str, **values: Any) -> Any:
        """Call a method of the protocol."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": values}))
        while True:
            said = self._hear()
            if said.get("id") == self._number:
                return said["result"]

    def _hear(self) -> Any:
        said = json.loads(self._connection.recv(timeout=20))
        if said.get("method") == "Network.requestWillBeSent":
            self.asked.add(said["params"]["request"]["url"])
        self._loaded += said.get("method") == "Page.loadEventFired"
        entry = said.get("params", {}).get("entry", {})
        if said.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(said["params"]["exceptionDetails"].get("exception", said["params"])))
        elif said.get("method") == "Log.entryAdded" and entry.get("level") == "error":
            self.errors.append(f"{entry['text']} {entry.get('url', '')}")
        return said

    def open(self, address: str, width: int) -> None:
        """Go to a page in a window of that width, and wait for it: the one before may hold the same things."""
        before = self._loaded
        self("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self("Page.navigate", url=address)
        while self._loaded == before:
            self._hear()

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


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """One with its profile in `folder`."""
    with _chromium(folder) as address, connect(address, max_size=None) as connection:
        yield Browser(connection)


@contextmanager
def _chromium(folder: Path) -> Iterator[str]:
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
