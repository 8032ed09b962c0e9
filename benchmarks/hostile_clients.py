"""What hostile clients cost the others: latency of good traffic and memory of a real `sightline serve` beside each.

    python benchmarks/hostile_clients.py [--seconds N] [--network NAME --size PIXELS] [--quick]

Good traffic: four clients that send a JPEG of 500×375 each, five times a second. Beside it one kind of hostile clients
after the other, in a process of their own on the same cores. `flood` asks for what is right, only too often: no server
tells it from good traffic, so it stands below the line, and counts for memory and faults alone.
The marks are issue 22's. --quick: three seconds for each kind, a cnn at 64 px.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from serving import answered, made, photos, server

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

MARKS = {"p99_times": 2.0, "peak_mib_more": 1024.0, "faults": 0.0}
GOOD, PAUSE = 4, 0.2
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\n"
FLOOD = "flood"
"""The kind that is only too much."""


@dataclass(frozen=True)
class Met:
    """What good traffic met beside a kind, and what became of the server."""

    p50: float
    """Milliseconds."""
    p99: float
    turned_away: int
    """Good requests with a 429."""
    faults: int
    """Good requests with another status than 200 and 429, and hostile ones with a 5xx or a traceback."""
    peak: float
    """MiB of the server so far."""


def main() -> None:
    """Every kind beside good traffic, a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    if words.quick:
        words.seconds, words.network, words.size = 3.0, "cnn", 64
    images = photos(None)
    found: dict[str, Met] = {}
    with tempfile.TemporaryDirectory() as name:
        made(Path(name), words.network, words.size, images[0])
        command = [sys.executable, "-P", "-m", "flows.cli", "serve", "--version", "1", "--port", "{port}"]
        with server(command, "/readyz", Path(name) / "project") as port:
            pid = int(
                subprocess.check_output(["pgrep", "-f", f"serve --version 1 --port {port}"], text=True).split()[0]
            )
            beside(port, pid, None, images, 20 if not words.quick else 8)  # until the faster form is made
            for kind in ("none", *KINDS):
                found[kind] = beside(port, pid, KINDS.get(kind), images, words.seconds)
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}: {words.network}, {words.size} px"
    )
    print(f"{'good traffic beside':22} {'p50 ms':>8} {'p99 ms':>8} {'429':>5} {'faults':>7} {'peak MiB':>9}")
    for kind, met in found.items():
        print(f"{kind:22} {met.p50:8.1f} {met.p99:8.1f} {met.turned_away:5} {met.faults:7} {met.peak:9.0f}")
    quiet, judged = found["none"], [met for kind, met in found.items() if kind not in {"none", FLOOD}]
    figures = {
        "p99_times": max(met.p99 for met in judged) / quiet.p99,
        "peak_mib_more": max(met.peak for met in found.values()) - quiet.peak,
        "turned_away": float(sum(met.turned_away for met in judged)),
        "faults": float(sum(met.faults for met in found.values())),
    }
    is_met = all(figures[key] <= mark for key, mark in MARKS.items())
    print(json.dumps({"name": "hostile_clients", "figures": figures, "marks": MARKS, "met": is_met}))


def beside(
    port: int, pid: int, kind: Callable[[int], Coroutine[Any, Any, int]] | None, images: list[bytes], seconds: float
) -> Met:
    """Good traffic for so long, beside hostile clients of that kind."""
    faults = multiprocessing.Value("i", 0)
    hostile = multiprocessing.Process(target=_hostile, args=[kind, port, seconds + 1, faults], daemon=True)
    if kind is not None:
        hostile.start()
        time.sleep(1)
    taken, bad = asyncio.run(_good(port, images, seconds))
    if kind is not None:
        hostile.join(seconds + 60)
        hostile.kill()
    p50, p99 = np.quantile(taken, (0.5, 0.99))
    wrong = sum(status not in {200, 429} for status in bad)
    return Met(float(p50), float(p99), bad.count(429), wrong + faults.value, _peak(pid))


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


async def _good(port: int, images: list[bytes], seconds: float) -> tuple[list[float], list[int]]:
    taken: list[float] = []
    bad: list[int] = []
    ends = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < ends:
            body = images[number % len(images)]
            began = time.perf_counter()
            status = await answered(reader, writer, HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            taken.append(1000 * (time.perf_counter() - began))
            bad.extend([] if status == 200 else [status])
            number += GOOD
            await asyncio.sleep(max(0.0, PAUSE - taken[-1] / 1000))
        writer.close()

    await asyncio.gather(*(client(number) for number in range(GOOD)))
    return taken, bad


def _hostile(kind: Callable[[int], Coroutine[Any, Any, int]], port: int, seconds: float, faults: Any) -> None:
    async def all_of_them() -> None:
        ends = time.perf_counter() + seconds

        async def client() -> None:
            while time.perf_counter() < ends:
                with suppress(OSError, EOFError, asyncio.IncompleteReadError):
                    async with asyncio.timeout(max(0.1, ends - time.perf_counter())):
                        faults.value += await kind(port)
                await asyncio.sleep(0.05)

        with suppress(TimeoutError):
            await asyncio.gather(*(client() for _ in range(CLIENTS.get(kind, 4))), return_exceptions=True)

    asyncio.run(all_of_them())


async def _say(port: int, *parts: bytes, pause: float = 0.0) -> int:
    """Send these; whether the answer is the server's fault."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    try:
        with suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        said = await reader.read(1 << 16)
        return int(b"Traceback" in said or said.startswith((b"HTTP/1.1 500", b"HTTP/1.1 502", b"HTTP/1.1 504")))
    finally:
        writer.close()


def _post(body: bytes, kind: str = "image/png") -> bytes:
    return HEAD + f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("1", (width, height)).save(out, "PNG")
    return out.getvalue()


def _form(part: bytes, count: int) -> bytes:
    file = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + part + b"\r\n"
    return _post(file * count + b"--x--\r\n", "multipart/form-data; boundary=x")


async def _large_bodies(port: int) -> int:
    return await _say(
        port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[b"100000\r\n" + bytes(1 << 20) + b"\r\n"] * 200
    )


async def _parts(port: int) -> int:
    return await _say(port, _form(b"x", 10_000))


async def _bombs(port: int) -> int:
    return await _say(port, _form(_png(5000, 5000), 30)) + await _say(port, _post(_png(30_000, 3_000)))


async def _slow_heads(port: int) -> int:
    return await _say(port, HEAD, *[b"X-A: b\r\n"] * 1000, pause=0.5)


async def _slow_bodies(port: int) -> int:
    return await _say(port, HEAD + b"Content-Length: 30000000\r\n\r\n", *[bytes(1 << 18)] * 1000, pause=0.5)


async def _json(port: int) -> int:
    return await _say(port, _post(b'{"images": [' + b"{}," * 5_000_000 + b"0]}", "application/json"))


async def _garbage(port: int) -> int:
    rng = np.random.default_rng()
    return await _say(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + rng.bytes(2000))


async def _hang_ups(port: int) -> int:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEAD + b"Content-Length: 100000\r\n\r\nxx")
    await writer.drain()
    writer.close()
    return 0


async def _wrong(port: int) -> int:
    said = [b"BREW /predict HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"]
    return sum([await _say(port, one) for one in [*said, _post(b"<html>", "text/html")]])


async def _flood(port: int) -> int:
    return await _say(port, _post(_png(500, 375)))


KINDS = {
    "200 MB bodies": _large_bodies,
    "10,000 parts": _parts,
    "bombs": _bombs,
    "JSON of small things": _json,
    "slow heads": _slow_heads,
    "slow bodies": _slow_bodies,
    "garbage": _garbage,
    "hang-ups": _hang_ups,
    "wrong requests": _wrong,
    FLOOD: _flood,
}
CLIENTS: dict[Any, int] = {_slow_heads: 300, _slow_bodies: 100, _flood: 200}
"""Of a kind at a time; four of the others."""

if __name__ == "__main__":
    main()
