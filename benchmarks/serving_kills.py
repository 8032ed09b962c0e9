"""SIGKILL of `sightline serve` under load and of `sightline score`, at random moments.

    python benchmarks/serving_kills.py [--kills N] [--seed N] [--quick]

After each kill of the server every captured file must be whole, no answer be recorded twice, and the server start
again. After each kill of the batch job the same command goes on; at the end every image is there once, in order, with
the answer of an undisturbed job. Files and parts are small here (0.2 s, 16 images), so that a kill meets one being
written. --quick: five kills of each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
from serving import answered, made, photos, server

from sightline.config import load
from sightline.serve.history import look
from sightline.serve.store import Store

KILLS, IMAGES = 20, 640
COMMAND = """
import sys
from sightline.serve import capture, score
capture.SECONDS, score.PART = 0.2, 16
from flows.cli.app import app
app()
"""
WORDS = [sys.executable, "-P", "-c", COMMAND]


def main() -> None:
    """Kill both, a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    kills = 5 if words.quick else words.kills
    moments = random.Random(words.seed)  # noqa: S311 — the same moments each time
    images = photos(None)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        made(home, "cnn", 64, images[0])
        folder = home / "images"
        folder.mkdir()
        for number in range(IMAGES):
            (folder / f"{number:04}.jpg").write_bytes(images[number % len(images)])
        of_server = serve(home / "project", images, kills, moments)
        of_job = score(home / "project", folder, kills, moments)
    figures = {**of_server, **of_job}
    for key, value in figures.items():
        print(f"{key:34} {value}")
    wrong = ("files_damaged", "answers_twice", "images_missing_or_twice", "images_answered_otherwise")
    marks = dict.fromkeys(wrong, 0)
    met = all(figures[key] == 0 for key in wrong) and figures["server_killed"] == figures["job_killed"] == kills
    print(json.dumps({"name": "serving_kills", "figures": figures, "marks": marks, "met": met}))


def serve(project: Path, images: list[bytes], kills: int, moments: random.Random) -> dict[str, int]:
    """Kill a server under load so often; what was recorded."""
    done = 0
    for _ in range(kills):
        with server([*WORDS, "serve", "--version", "1", "--port", "{port}"], "/readyz", project) as port:
            (pid,) = subprocess.check_output(["pgrep", "-f", f"serve --version 1 --port {port}"], text=True).split()
            asyncio.run(loaded(port, images, moments.uniform(0.3, 4.0), int(pid)))
            done += 1
    # As people find it: `look` names what cannot be read.
    found = look(Store(project, load(project).capture.folder))
    rows = [(one["request"], one["place"], one["role"]) for table in found.tables() for one in table.to_pylist()]
    return {
        "server_killed": done,
        "files": len(found.files),
        "files_damaged": len(found.damaged),
        "answers_recorded": len(rows),
        "answers_twice": len(rows) - len(set(rows)),
    }


async def loaded(port: int, images: list[bytes], seconds: float, pid: int) -> None:
    """Four clients until the server is killed."""

    async def client(number: int) -> None:
        with suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while True:
                body = images[number % len(images)]
                head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
                await answered(reader, writer, head + body)
                number += 4

    clients = [asyncio.create_task(client(number)) for number in range(4)]
    await asyncio.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*clients)


def score(project: Path, folder: Path, kills: int, moments: random.Random) -> dict[str, int]:
    """Kill a batch job so often, let it end, and compare with an undisturbed one."""
    whole, out = project.parent / "whole.parquet", project.parent / "out.parquet"
    subprocess.run(_job(folder, whole), cwd=project, check=True, capture_output=True)
    killed = 0
    while True:
        process = subprocess.Popen(
            [*_job(folder, out), "--json"], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        if killed < kills:
            had = _parts(out)
            while process.poll() is None and _parts(out) == had:
                time.sleep(0.01)
            with suppress(subprocess.TimeoutExpired):
                process.wait(moments.uniform(0.0, 0.1))
            if process.poll() is None:
                process.kill()
                killed += 1
            process.communicate()
            if out.exists():
                out.unlink()  # it was quicker than the kill: from the beginning
            continue
        resumed = json.loads(process.communicate()[0])["resumed"]
        break
    rows, expected = pd.read_parquet(out), pd.read_parquet(whole)
    names = [str(path) for path in sorted(folder.iterdir())]
    same = [
        tuple(one) == tuple(other) for one, other in zip(rows["probabilities"], expected["probabilities"], strict=False)
    ]
    return {
        "job_killed": killed,
        "images_that_the_last_found_done": resumed,
        "images_missing_or_twice": abs(len(rows) - len(names))
        + sum(a != b for a, b in zip(rows["path"], names, strict=False)),
        "images_answered_otherwise": same.count(False),
    }


def _parts(out: Path) -> int:
    """How many parts of the answer are there already."""
    return len(list(out.with_name(f".{out.name}.parts").glob("*.part")))


def _job(folder: Path, out: Path) -> list[str]:
    return [*WORDS, "score", str(folder), "--out", str(out), "--version", "1"]


if __name__ == "__main__":
    main()
