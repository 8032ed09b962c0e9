"""How soon a mistake at the command line is told: seconds of each that `tests/flows/test_mistakes.py` lists.

    python benchmarks/mistakes.py [--only WORD…] [--quick]

Every mistake is made in a process of its own on a terminal, in a folder as its test makes it; a project with a champion
is trained first. Beside the clock stand the seconds of processors, which other work on the machine does not stretch:
they are held against the mark of 3 s. `silence` is the longest time in which nothing was to be seen. --quick: where
there is no project, and every fourth of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from pathlib import Path

from terminal import Watched, watch

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "flows")]

from conftest import COLOURS, draw, make_images, make_project  # noqa: E402 — the tests' toys
from test_mistakes import FRESH, OUTSIDE, TRAINED, Mistake  # noqa: E402

MARKS = {"slowest_cpu_s": 3.0, "longest_silence_s": 2.5}
"""Two seconds of silence, and half of one for the clock of a busy machine."""


def main() -> None:
    """Make the mistakes and print the slowest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="mistakes with this word alone")
    parser.add_argument("--quick", action="store_true", help="fewer of them")
    asked = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")

    def wanted(mistakes: tuple[Mistake, ...]) -> list[Mistake]:
        step = 4 if asked.quick and mistakes is not OUTSIDE else 1
        return [one for one in mistakes[::step] if not asked.only or set(asked.only) & set(one.words.split())]

    seen: list[tuple[Mistake, Watched]] = []
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for number, mistake in enumerate(wanted(OUTSIDE)):
            seen.append((mistake, made(mistake, home / f"outside{number}")))
        toy = make_project(home / "toy", make_images(home / "images")).root
        for number, mistake in enumerate(wanted(FRESH)):
            folder = home / f"fresh{number}"
            shutil.copytree(toy, folder / "toy", symlinks=True)
            seen.append((mistake, made(mistake, folder / "toy")))
            shutil.rmtree(folder)
        if wanted(TRAINED):
            seen += [(one, asked_of_champion(one, toy, home)) for one in told(toy, wanted(TRAINED))]
    for mistake, watched in sorted(seen, key=lambda one: -one[1].cpu):
        flaw = "" if watched.status == mistake.status else f"  status {watched.status}: {watched.said.strip()[-300:]}"
        print(f"{watched.wall:6.2f} s {watched.cpu:6.2f} CPU s  silence {watched.silence:5.2f}  {mistake.words}{flaw}")
    figures = {
        "mistakes": len(seen),
        "slowest_cpu_s": round(max(watched.cpu for _, watched in seen), 2),
        "longest_silence_s": round(max(watched.silence for _, watched in seen), 2),
        "wrong_status": sum(watched.status != mistake.status for mistake, watched in seen),
    }
    met = figures["wrong_status"] == 0 and all(figures[name] <= mark for name, mark in MARKS.items())
    print(json.dumps({"name": "mistakes", "figures": figures, "marks": MARKS, "met": met}))


def made(mistake: Mistake, folder: Path) -> Watched:
    """The mistake, in `folder`."""
    folder.mkdir(exist_ok=True)
    mistake.before(folder)
    return watch(folder, *mistake.words.split())


def told(toy: Path, mistakes: list[Mistake]) -> list[Mistake]:
    """The same mistakes, once the toy has a champion."""
    ran = watch(toy, "run")
    if ran.status:
        raise SystemExit(ran.said[-3000:])
    return mistakes


def asked_of_champion(mistake: Mistake, toy: Path, home: Path) -> Watched:
    """The mistake in the project that has a champion, with what it names."""
    given = home / "given"
    given.mkdir(exist_ok=True)
    draw(1, COLOURS["red"]).save(given / "photo.png")
    (given / "notes.jpg").write_text("no image")
    (given / "table.csv").write_text("a,b\n1,2\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        values = {
            "photo": given / "photo.png",
            "text": given / "notes.jpg",
            "table": given / "table.csv",
            "folder": given,
            "port": taken.getsockname()[1],
        }
        return watch(toy, *(word.format(**values) for word in mistake.words.split()))


if __name__ == "__main__":
    main()
