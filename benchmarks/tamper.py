"""Damage to what a project stores: each is found before use or healed, and none gives another answer.

    python benchmarks/tamper.py [--quick] [--cases N] [--seed N] [--only TEXT] [--keep FOLDER] [--cells FILE]

A tiny project is trained. Its tree is walked; files whose paths differ in digests and numbers alone are of one kind.
Of each kind some files (--quick: one of each of a few kinds) are damaged in three ways: a flipped byte, a cut to half,
another file's content. After each the usual commands are called as a user would: predict, run, evaluate, history,
lineage. Either one refuses with a sentence, or all answer as before; never a traceback, never another answer. Where all
answer, the file is whole again, or `sightline verify` says that it is damaged; else it is `idle`, which is not found.

Cases that were tried stay in the file `--cells`, if it is named, and are not tried again: all of them take hours.

What a person gives and commits (images, params.yaml, the YAML files of DVC and Prefect, git's own folder) is the
question, not the answer, and stays as it is; so do pages, which nothing reads.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sets import Cells

from sightline.config import write_value

VALUES = {
    "project.preset": None,
    "project.deterministic": True,
    "preprocess.size": 16,
    "pretrain.network": "cnn",
    "pretrain.recipe.epochs": 2,
    "finetune.recipe.epochs": 2,
    "finetune.recipe.min_steps": 4,
    "finetune.scratch.epochs": 2,
    "finetune.scratch.min_steps": 12,
}
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
GIVEN = re.compile(
    r"\.git/|\.gitignore|\.gitkeep|\.dvcignore|\.dvc/(\.gitignore|config|tmp/)|data/(raw|docs|labels)/(?!\w+\.dvc)|reports/|"
    r"(params|dvc|prefect)\.ya?ml|prefect\.toml|.*\.(html|svg|lock)$(?<!dvc\.lock)"
)
"""Files that people give, pages, and locks that are empty."""
CLOCKED = {"cost", "seconds", "report", "rows", "at", "run", "mean_ms", "p50_ms", "p95_ms", "page", "messages"}
HARMS = ("flip", "cut", "swap")
FEW = 8
"""Cases of --quick."""


@dataclass(frozen=True)
class Case:
    """One damaged file, and what came of it."""

    kind: str
    path: str
    harm: str
    outcome: str
    """healed, refused, told or idle; else what went wrong: traceback, answer."""
    said: str


def main() -> None:
    """Damage files of every kind and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{FEW} cases, drawn from all kinds")
    parser.add_argument("--cases", type=int, help="so many cases at most, drawn from all kinds")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--only", default="", help="kinds that this regular expression finds")
    parser.add_argument("--keep", type=Path, help="where the trained project is kept, and taken from where it is there")
    parser.add_argument("--cells", type=Path, help="keeps the cases that were tried")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tamper") as folder:
        root = words.keep or Path(folder) / "project"
        if not (root / "params.yaml").is_file():
            make(root)
        whole = Path(folder) / "whole"
        shutil.copytree(root, whole, symlinks=True)
        known = answers(root)
        restore(root, whole)
        chosen = drawn(root, words.seed, words.cases or (FEW if words.quick else None), words.only)
        cells, cases = Cells(words.cells or Path(folder, "cells.json")), []
        for kind, path, harm in chosen:
            name = f"{words.seed}/{kind}/{harm}"
            if name not in cells.rows:
                cells.keep(name, asdict(one(root, known, kind, path, harm, draws(name))))
                restore(root, whole)
            cases.append(Case(**cells.rows[name]))
            print(f"{cases[-1].outcome:10} {harm:5} {kind:60} {cases[-1].said}", flush=True)
    report(cases)


def make(root: Path) -> None:
    """A trained project with a source, a baseline, an evaluated champion, and all of it committed."""
    for name, first in (("target", 0), ("source", 5000)):
        for number, (label, colour) in enumerate(COLOURS.items()):
            place = root.parent / f"{root.name} images" / name / label
            place.mkdir(parents=True, exist_ok=True)
            for index in range(40):
                picture(first + number * 100_000 + index, colour).save(place / f"{index:04d}.png")
    images = root.parent / f"{root.name} images"
    call(
        root.parent, "init", str(root), "--name", "toy", "--images", f"{images}/target", "--source", f"{images}/source"
    )
    for key, value in VALUES.items():
        write_value(root, key, value)
    call(root, "run")
    call(root, "data", "baseline")
    call(root, "evaluate")
    call(root, "run")
    for command in (["add", "--all"], ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=root, check=True, capture_output=True)


def picture(seed: int, colour: tuple[int, int, int], size: int = 24) -> Image.Image:
    """A square of a colour on a noisy ground."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 90, (size, size, 3))
    top, left = rng.integers(2, size // 2, 2)
    pixels[top : top + size // 3, left : left + size // 3] = colour
    return Image.fromarray(pixels.astype(np.uint8))


def call(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One command of `sightline`, whatever its status."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "flows.cli", *words],
        cwd=folder,
        env={**os.environ, "DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        check=False,
    )


def commands(root: Path) -> list[list[str]]:
    """What a user calls, prediction first: it finds the project as the damage left it."""
    images = [str(path) for path in sorted((root / "data/raw/target").glob("*/000[0-3].png"))]
    return [
        ["predict", "--json", *images],
        ["history", "--json"],
        ["lineage", "--json"],
        ["evaluate", "--json"],
        ["run", "--json"],
        ["predict", "--json", *images],
        ["predict", "--json", "--version", "1", *images],
    ]


def answers(root: Path) -> list[str]:
    """What the commands answer where nothing is damaged."""
    found = []
    for words in commands(root):
        done = call(root, *words)
        if done.returncode:
            raise SystemExit(f"sightline {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        found.append(plain(words[0], done.stdout))
    return found


def plain(command: str, text: str) -> str:
    """An answer without what depends on the clock; of the history the promotions, for each run adds a row."""
    values = json.loads(text)
    if command == "history":
        values = [row for row in values if row["change"] is not None]
    if command == "lineage":
        values = {name: values[name] for name in ("model", "version") if name in values}
    return json.dumps(_plain(values), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in CLOCKED}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def kind_of(path: str) -> str:
    """The path without what differs between files of one kind: digests, ids, numbers."""
    path = re.sub(r"/code/.*", "/code/*", path)
    path = re.sub(r"(?<=/)(source|target|train|val|calib|test)(?=[/.-])", "*", path)
    return re.sub(r"\d+", "#", re.sub(r"(?<![a-z])(m-)?[0-9a-f]{2}/[0-9a-f]{20,}|(m-)?[0-9a-f]{12,}", "*", path))


def draws(name: str) -> random.Random:
    """The same for the same name, whatever else is tried."""
    return random.Random(name)  # noqa: S311 — draws of a test


def drawn(root: Path, seed: int, most: int | None, only: str) -> list[tuple[str, str, str]]:
    """Kind, path and harm of each case; of every kind one file for each harm, or `most` of all kinds."""
    kinds: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and path.stat().st_size and not GIVEN.match(name):
            kinds.setdefault(kind_of(name), []).append(name)
    picked = [
        (kind, draws(f"{seed}/{kind}/{harm}").choice(paths), harm)
        for kind, paths in kinds.items()
        if re.search(only, kind)
        for harm in HARMS
    ]
    print(f"{len(kinds)} kinds of stored files, {sum(map(len, kinds.values()))} files")
    if most is None or most >= len(picked):
        return picked
    return sorted(draws(str(seed)).sample(picked, most))


def one(root: Path, known: list[str], kind: str, path: str, harm: str, rng: random.Random) -> Case:
    """Damage the file, call the commands, and judge what came."""
    file = root / path
    damage(root, file, file.read_bytes(), harm, rng)
    damaged = file.read_bytes()
    outcome, said = "", ""
    for words, answer in zip(commands(root), known, strict=True):
        done = call(root, *words)
        if "Traceback (most recent call last)" in done.stdout + done.stderr:
            return Case(kind, path, harm, "traceback", f"{words[0]}: {last_line(done.stderr)}")
        if done.returncode:
            outcome, said = "refused", said or f"{words[0]}: {last_line(done.stderr or done.stdout)}"
        elif plain(words[0], done.stdout) != answer:
            return Case(kind, path, harm, "answer", f"{words[0]} answers otherwise, rc 0")
    if not outcome and (not file.is_file() or file.read_bytes() != damaged):
        outcome = "healed"
    return Case(kind, path, harm, outcome, said) if outcome else told(root, kind, path, harm, damaged)


def told(root: Path, kind: str, path: str, harm: str, damaged: bytes) -> Case:
    """What `sightline verify` says of a file that no command took notice of."""
    done = call(root, "verify", "--json")
    if "Traceback (most recent call last)" in done.stderr:
        return Case(kind, path, harm, "traceback", f"verify: {last_line(done.stderr)}")
    said = [one for one in json.loads(done.stdout) if one["state"] == "damaged"]
    if said:
        return Case(kind, path, harm, "told", f"verify: {said[0]['what']}, {said[0]['said']}"[:150])
    if not (root / path).is_file() or (root / path).read_bytes() != damaged:
        return Case(kind, path, harm, "healed", "by verify, which drops what is only noted")
    return Case(kind, path, harm, "idle", "")


def damage(root: Path, file: Path, content: bytes, harm: str, rng: random.Random) -> None:
    """Change the file; its folder and its rights stay."""
    file.chmod(0o644)
    if harm == "flip":
        place = rng.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :])
    elif harm == "cut":
        file.write_bytes(content[: len(content) // 2])
    else:
        alike = [path for path in sorted(root.rglob(f"*{file.suffix}")) if path.is_file() and ".git" not in path.parts]
        others = [path for path in alike if path.read_bytes() not in {content, b""}]
        file.write_bytes(rng.choice(others).read_bytes() if others else b"another content")


def last_line(text: str) -> str:
    """Of an error."""
    return " ".join((text.strip().splitlines() or ["nothing"])[-1].split())[:150]


def restore(root: Path, whole: Path) -> None:
    """The project as it was, at its place: MLflow knows its files by absolute paths."""
    shutil.rmtree(root)
    shutil.copytree(whole, root, symlinks=True)


def report(cases: list[Case]) -> None:
    """Outcomes by kind, and whether all is well."""
    print()
    for kind in dict.fromkeys(case.kind for case in cases):
        told = ", ".join(f"{case.harm}: {case.outcome}" for case in cases if case.kind == kind)
        print(f"{kind:70} {told}")
    counts = Counter(case.outcome for case in cases)
    figures: dict[str, float] = {
        name: counts[name] for name in ("healed", "refused", "told", "idle", "answer", "traceback")
    }
    found = figures["healed"] + figures["refused"] + figures["told"]
    # What no command and no verification took notice of was not found, whoever reads it.
    figures["found_share"] = round(found / len(cases), 4) if cases else 1.0
    marks = {"found_share": 1.0, "answer": 0, "traceback": 0}
    met = all(figures[name] == mark for name, mark in marks.items())
    print(json.dumps({"name": "tamper", "figures": figures, "marks": marks, "met": met}))


if __name__ == "__main__":
    main()
