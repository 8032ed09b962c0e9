"""Many at once on one project: on its fresh stores, then before two Prefect workers and beside labels that come in.

    python benchmarks/together.py [--minutes N] [--quick]

*starts*: eight `sightline run` at once in a project that never ran. *workers*: a Prefect server and two workers, by the
README's commands; for so many minutes (5; --quick: 1) its deployments are called as fast as they are answered, while
labels are imported and `sightline run` is given by hand. Every command must end well (an import that says who is at
work is given again), every flow run COMPLETED, and afterwards no lock is held, no run RUNNING, and `sightline verify`
finds all whole.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from kills import COLOURS, champion, finish, locked, make_project, running, start

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTS, WORKERS, MINUTES = 8, 2, 5.0
DEPLOYMENTS = ("train/manual", "train/nightly", "monitor/hourly")
WAITING = 3
"""Flow runs that wait or run at a time, at most."""
PATIENCE = 600
"""Seconds after which what has not ended counts as lost."""
REFUSED, BUSY = 2, "wait for its end, then ask again"
"""How a command that changes data ends while a run is at work."""
OVER = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def main() -> None:
    """Both parts; what went wrong, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--quick", action="store_true", help="one minute")
    words = parser.parse_args()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "project")
        make_project(root)
        starts(root, wrong)
        figures = workers(root, Path(scratch, "server.log"), 60 * (1 if words.quick else words.minutes), wrong)
        wrong += [f"{name} is RUNNING" for name in running(root)] + [f"left: {name}" for name in locked(root)]
        command(root, dict(os.environ), "verify", wrong=wrong)
    for one in wrong:
        print(one)
    figures = {"starts": STARTS, "workers": WORKERS, **figures, "wrong": len(wrong)}
    print(json.dumps({"name": "together", "figures": figures, "marks": {"wrong": 0}, "met": not wrong}))


def starts(root: Path, wrong: list[str]) -> None:
    """Eight first runs at once: each ends well, one promotion in all."""
    for process in [start(root) for _ in range(STARTS)]:
        code, said = finish(process)
        if code or "Traceback" in said:
            wrong.append(f"first run: exit status {code}: {said[-500:]}")
    if (found := len(champion(root))) != 1:
        wrong.append(f"{found} promotions of {STARTS} first runs")


def workers(root: Path, log: Path, seconds: float, wrong: list[str]) -> dict[str, Any]:
    """So long a time before two workers; what was done in it."""
    rng, done = random.Random(0), Counter[str]()  # noqa: S311 — the same labels each time
    with served(root, log) as environment, httpx.Client(base_url=environment["PREFECT_API_URL"], timeout=60) as api:
        called: list[str] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if len([one for one in states(api, called).values() if one not in OVER]) < WAITING:
                called.append(call(api, DEPLOYMENTS[len(called) % len(DEPLOYMENTS)]))
            elif done["imports"] <= done["runs"]:
                relabel(root, environment, rng, wrong)
                done["imports"] += 1
            else:
                command(root, environment, "run", wrong=wrong)
                done["runs"] += 1
        until = time.monotonic() + PATIENCE
        while any(one not in OVER for one in states(api, called).values()) and time.monotonic() < until:
            time.sleep(1)
        ended = Counter(states(api, called).values())
    wrong += [f"{number} flow runs {state}" for state, number in ended.items() if state != "COMPLETED"]
    return {"flow_runs": len(called), "ended": dict(ended), **done}


def call(api: httpx.Client, deployment: str) -> str:
    """Ask for a run of a deployment; its id."""
    found = api.get(f"/deployments/name/{deployment}").raise_for_status().json()
    asked = api.post(f"/deployments/{found['id']}/create_flow_run", json={"state": {"type": "SCHEDULED"}})
    return str(asked.raise_for_status().json()["id"])


def states(api: httpx.Client, runs: list[str]) -> dict[str, str]:
    """State of each flow run; LOST where the server knows it no more."""
    said = dict.fromkeys(runs, "LOST")
    for one in range(0, len(runs), 100):
        asked = {"flow_runs": {"id": {"any_": runs[one : one + 100]}}}
        rows = api.post("/flow_runs/filter", json=asked).raise_for_status().json()
        said |= {row["id"]: row["state_type"] for row in rows}
    return said


def relabel(root: Path, environment: dict[str, str], rng: random.Random, wrong: list[str]) -> None:
    """Give one image another label, as a person does with the table that `export` writes."""
    table = root.parent / "labels.csv"
    command(root, environment, "data", "label", "export", str(table), "--all", wrong=wrong)
    with table.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    row = rng.choice(rows)
    row["label"] = rng.choice([name for name in COLOURS if name != row["label"]])
    with table.open("w", newline="", encoding="utf-8") as handle:
        out = csv.DictWriter(handle, list(row))
        out.writeheader()
        out.writerow(row)
    command(root, environment, "data", "label", "import", str(table), wrong=wrong)


def command(root: Path, environment: dict[str, str], *words: str, wrong: list[str]) -> None:
    """Give a command in the project, again while it says that a run is at work; what is wrong with how it ends."""
    given = [sys.executable, "-P", "-m", "flows.cli", *words]
    until = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(
            given,
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode != REFUSED or BUSY not in done.stdout or time.monotonic() > until:
            break
        time.sleep(1)
    if done.returncode or "Traceback" in done.stdout:
        wrong.append(f"sightline {' '.join(words[:3])}: exit status {done.returncode}: {done.stdout[-500:]}")


@contextmanager
def served(root: Path, log: Path) -> Iterator[dict[str, str]]:
    """A server, the project's deployments and two workers; the variables that lead there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = f"http://127.0.0.1:{port}/api"
    environment = {**os.environ, "PREFECT_API_URL": api, "DO_NOT_TRACK": "true", "PYTHONSAFEPATH": "1"}
    prefect = [sys.executable, "-P", "-m", "prefect"]
    started: list[subprocess.Popen[bytes]] = []
    with log.open("wb") as out:

        def begin(*words: str) -> None:
            given = [*prefect, *words]
            started.append(
                subprocess.Popen(given, cwd=root, env=environment, stdout=out, stderr=out, start_new_session=True)
            )

        try:
            begin("server", "start", "--port", str(port))
            wait_for(api, log)
            for words in (
                ("work-pool", "create", "sightline", "--type", "process"),
                ("--no-prompt", "deploy", "--all"),
            ):
                subprocess.run([*prefect, *words], cwd=root, env=environment, stdout=out, stderr=out, check=True)
            for _ in range(WORKERS):
                begin("worker", "start", "--pool", "sightline")
            yield environment
        finally:
            for process in reversed(started):
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()


def wait_for(api: str, log: Path) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            if httpx.get(f"{api}/health").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    sys.exit(f"no server:\n{log.read_text(errors='replace')[-2000:]}")


if __name__ == "__main__":
    main()
