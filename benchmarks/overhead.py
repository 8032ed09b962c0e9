"""What the chain costs around the training: seconds of processors and of the clock, each beside its mark.

    python benchmarks/overhead.py [--only ROW…] [--images FOLDER] [--quick]

Medians of five, after one call that does not count. The commands run on copies of one demonstration project, made by
the first of five first runs. `fixed` is a run on the images of FOLDER (1,440 of steel) with a budget of 60 s, less the
seconds of its training stages, which its processor seconds hold still. --quick: one call of each command that needs
no run, on the embedded digits without a source. The code that runs is the one on the Python path, so that an older
checkout answers with `PYTHONPATH=CHECKOUT`.
The marks are issue 19's, for two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MARKS = {
    "help": 0.5,
    "predict": 2.0,
    "history": 1.0,
    "lineage": 1.5,
    "doctor": 3.0,
    "rerun": 8.0,
    "rerun_server": 5.0,
    "first_run": 60.0,
    "fixed": 15.0,
}
"""Row → most seconds of the clock."""
SHORT = ("help", "predict", "history", "lineage", "doctor")
TRAINING = ("pretrain", "transfer", "finetune", "scratch")
TIMES = 5


@dataclass(frozen=True)
class Spent:
    """Seconds of one command."""

    wall: float
    cpu: float
    """Of the process and of those that it waited for."""
    said: str = ""


class Bench:
    """The projects that the commands run in."""

    def __init__(self, home: Path, images: Path | None, *, quick: bool) -> None:
        self.home, self.images, self.quick = home, images, quick
        self.first_runs: list[Spent] = []

    @cached_property
    def demo(self) -> Path:
        """The demonstration project, run once."""
        root = self.home / "demo"
        if self.quick:
            from sightline import scaffold

            scaffold.init(root, "embedded:digits", None, None, lambda _: None)
            spent(root, "run")
        else:
            self.first_runs.append(first_run(root))
        return root

    def copy(self, name: str) -> Path:
        """A copy of it to change."""
        return Path(shutil.copytree(self.demo, self.home / name, symlinks=True))


def main() -> None:
    """Time the rows and print them beside their marks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MARKS), metavar="ROW", help=", ".join(MARKS))
    parser.add_argument("--images", type=Path, help="a folder of class folders for the row `fixed`")
    parser.add_argument("--quick", action="store_true", help="short commands alone, once each")
    words = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'row':14} {'wall s':>8} {'CPU s':>8} {'mark':>6}")
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), words.images and words.images.resolve(), quick=words.quick)
        for name in words.only or (SHORT if words.quick else MARKS):
            if name == "fixed" and not (bench.images and bench.images.is_dir()):
                print(f"{name:14} skipped: name a folder of images with --images")
                continue
            taken = ROWS[name](bench)
            wall, cpu = (median(getattr(one, what) for one in taken) for what in ("wall", "cpu"))
            print(f"{name:14} {wall:8.2f} {cpu:8.2f} {MARKS[name]:6.1f}", flush=True)
            figures |= {name: wall, f"{name}_cpu": cpu}
    met = all(figures.get(name, 0.0) <= mark for name, mark in MARKS.items())
    print(json.dumps({"name": "overhead", "figures": figures, "marks": MARKS, "met": met}))


def spent(folder: Path, *words: str, environment: dict[str, str] | None = None) -> Spent:
    """One command in `folder`, timed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.cli", *words],
            cwd=folder,
            env={**os.environ, "DO_NOT_TRACK": "true", **(environment or {})},
            stdout=out,
            stderr=err,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"sightline {' '.join(words)} ended with {process.returncode}: {err.read()[-3000:]}")
        return Spent(wall, used.ru_utime + used.ru_stime, out.read())


def repeated(bench: Bench, folder: Path, *words: str, **more: Any) -> list[Spent]:
    """The same command again and again, the first one not counted."""
    spent(folder, *words, **more)
    return [spent(folder, *words, **more) for _ in range(1 if bench.quick else TIMES)]


def first_run(root: Path) -> Spent:
    """The demonstration from nothing."""
    made = spent(root.parent, "init", str(root))
    ran = spent(root, "run")
    return Spent(made.wall + ran.wall, made.cpu + ran.cpu)


def first_runs(bench: Bench) -> list[Spent]:
    """Five of them, the one that made the demonstration project among them."""
    _ = bench.demo
    while len(bench.first_runs) < TIMES:
        bench.first_runs.append(first_run(bench.home / f"first{len(bench.first_runs)}"))
    return bench.first_runs


def predict(bench: Bench) -> list[Spent]:
    """One image, asked of the champion."""
    image = next((bench.demo / "data" / "raw" / "target").rglob("*.png"))
    return repeated(bench, bench.demo, "predict", str(image), "--json")


def rerun_server(bench: Bench) -> list[Spent]:
    """A rerun without a change while a Prefect server runs."""
    root = bench.copy("served")
    with prefect_server(bench.home / "prefect") as address:
        return repeated(bench, root, "run", environment={"PREFECT_API_URL": address})


@contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """A Prefect server of its own; its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/api"
    environment = {**os.environ, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-P", "-m", "prefect", "server", "start", "--port", str(port)]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"{address}/health")
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str, seconds: float = 120) -> None:
    """Return once the address answers."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            with urlopen(address, timeout=5):  # noqa: S310 — our own server
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"{address} does not answer within {seconds:.0f} s")


def fixed(bench: Bench) -> list[Spent]:
    """Runs on other images with a budget of a minute, less the training stages; each in a project of its own."""
    found = []
    for number in range(TIMES):
        root = bench.home / f"fixed{number}"
        spent(bench.home, "init", str(root), "--images", str(bench.images))
        ran = spent(root, "run", "--budget", "60s", "--json")
        training = sum(row["seconds"] for row in json.loads(ran.said)["rows"] if row["name"] in TRAINING)
        found.append(Spent(ran.wall - training, ran.cpu))
    return found


ROWS: dict[str, Callable[[Bench], list[Spent]]] = {
    "help": lambda bench: repeated(bench, bench.home, "--help"),
    "predict": predict,
    "history": lambda bench: repeated(bench, bench.demo, "history"),
    "lineage": lambda bench: repeated(bench, bench.demo, "lineage"),
    "doctor": lambda bench: repeated(bench, bench.demo, "doctor"),
    "rerun": lambda bench: repeated(bench, bench.copy("again"), "run"),
    "rerun_server": rerun_server,
    "first_run": first_runs,
    "fixed": fixed,
}


if __name__ == "__main__":
    main()
