"""What the chain learns, answers and promotes, as digests: a change that should change nothing leaves them as they are.

    python benchmarks/unchanged.py [--images FOLDER --source FOLDER] [--quick] [--against FILE]

Runs the demonstration and, with `--images`, 60 steps on that folder with and without a source. `--against` compares
with the JSON of an earlier run on the same machine; the code that runs is the one on the Python path, so that an older
checkout answers with `PYTHONPATH=CHECKOUT`. What depends on the clock or on the code's own digest is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

STEPS = (
    *("--set", "pretrain.recipe.steps=60", "--set", "finetune.recipe.steps=60", "--set", "finetune.scratch.steps=60"),
    *("--set", "preprocess.size=32"),
)
CLOCKED = {"cost", "seconds", "images_per_second", "code", "at", "run", "machine", "path"}
"""Keys whose values differ between two runs of the same code, or name the code itself."""


def main() -> None:
    """Run the chains and print their digests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of own images, such as the steel set")
    parser.add_argument("--source", type=Path, help="a folder that a backbone learns from")
    parser.add_argument("--quick", action="store_true", help="the demonstration alone, one pass for each stage")
    parser.add_argument("--against", type=Path, help="the JSON of an earlier run")
    words = parser.parse_args()
    few = (
        "--set",
        "pretrain.recipe.epochs=1",
        "--set",
        "finetune.recipe.epochs=1",
        "--set",
        "finetune.scratch.epochs=1",
    )
    figures = {"demo": chain([], few if words.quick else ())}
    if words.images and not words.quick:
        figures["scratch"] = chain(["--images", str(words.images.resolve())], STEPS)
        if words.source:
            own = ["--images", str(words.images.resolve()), "--source", str(words.source.resolve())]
            figures["source"] = chain(own, STEPS)
    for name, found in figures.items():
        print(f"\n{name}")
        for key, value in found.items():
            print(f"  {key:28} {value[:48]}")
    marks = json.loads(words.against.read_text(encoding="utf-8").splitlines()[-1])["figures"] if words.against else {}
    differ = [
        f"{name}: {key}"
        for name, found in marks.items()
        for key in found
        if figures.get(name, {}).get(key) != found[key]
    ]
    if marks:
        print("\n" + ("\n".join(["different:", *differ]) if differ else "all the same"))
    print(json.dumps({"name": "unchanged", "figures": figures, "marks": marks, "met": not differ}))


def chain(images: list[str], settings: tuple[str, ...]) -> dict[str, str]:
    """One project from nothing to its decision; what came out, as digests."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        sightline(Path(folder), "init", str(root), "--name", "unchanged", *images)
        sightline(root, "run", *settings, refused=True)
        return digests(root)


def sightline(folder: Path, *words: str, refused: bool = False) -> str:
    """One command of the code on the Python path; what it printed."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "flows.cli", *words],
        cwd=folder,
        env={**os.environ, "DO_NOT_TRACK": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not refused:
        raise SystemExit(f"sightline {' '.join(words)} ended with {done.returncode}: {done.stderr[-3000:]}")
    return done.stdout


def digests(root: Path) -> dict[str, str]:
    """Of every stage the weights, of the evaluation figures and answers, of the gate what it found and decided."""
    found = {}
    for file in sorted(root.glob("runs/*/*/weights.safetensors")):
        found[f"weights of {file.parts[-3]}"] = hashlib.sha256(file.read_bytes()).hexdigest()
    for use in ("source", "target"):
        place = root / "data" / "manifests" / use / "manifest.parquet"
        if place.is_file():
            found[f"manifest of {use}"] = _table(place)
    (evaluation,) = root.glob("runs/evaluate/*/evaluation.json")
    found["figures"] = _digest(_plain(json.loads(evaluation.read_text(encoding="utf-8"))))
    found["answers"] = _arrays(evaluation.with_name("predictions.npz"))
    bundle = evaluation.parent / "bundle"
    for name in ("bundle.json", "golden.json"):
        found[name] = _digest(_plain(json.loads((bundle / name).read_text(encoding="utf-8"))))
    with sqlite3.connect(root / "mlflow" / "ledger.db") as store:
        rows = store.execute("select version, decision, evidence from promotions order by id").fetchall()
    evidence = [[version, decision, _gate(json.loads(text))] for version, decision, text in rows]
    found["gate"] = _digest(evidence)
    with sqlite3.connect(root / "mlflow" / "mlflow.db") as store:
        plans = store.execute(
            "select value from model_version_tags where key = 'plan' order by name, version"
        ).fetchall()
    found["plan"] = _digest([_plain(json.loads(text)["params"]) for (text,) in plans])
    files = sorted(path for path in (root / "data/raw/target").rglob("*") if path.suffix.lower() in {".png", ".jpg"})[
        :20
    ]
    rows = json.loads(sightline(root, "predict", "--version", "1", "--json", *map(str, files)))
    found["predicted"] = _digest(_plain(rows))
    return found


def _gate(evidence: dict[str, Any]) -> Any:
    kept = [one for one in evidence.get("blessings", []) if one["name"] != "cost"]
    return _plain({"blessings": kept, "verdict": evidence.get("verdict")})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if key not in CLOCKED}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _arrays(file: Path) -> str:
    import numpy as np

    with np.load(file) as arrays:
        return hashlib.sha256(b"".join(arrays[name].tobytes() for name in ("labels", "probabilities"))).hexdigest()


def _table(file: Path) -> str:
    import pandas as pd

    rows = pd.read_parquet(file)[["path", "sha256", "label", "group", "split", "role", "status", "reason"]]
    return _digest(rows.astype(str).to_numpy().tolist())


if __name__ == "__main__":
    main()
