"""What a look of the monitor costs: a million captured answers, then an hour's, and after a kill.

    python benchmarks/monitor.py [--work FOLDER] [--rows N] [--quick]

A project of the embedded digits, trained with the fast recipe and kept in the work folder; captured files as the server
writes them, 4,096 answers each, drawn from the version's reference with a little noise. The command itself is timed, in
a process of its own, and its largest memory read. --quick: 100,000 answers. The marks are issue 23's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sightline.evaluate.reference import Reference
from sightline.project import Paths
from sightline.registry.served import served
from sightline.serve.record import ABOUT, SCHEMA, About

if TYPE_CHECKING:
    from numpy.typing import NDArray

IN_FILE, HOUR = 4096, 3600
FAST = ("--set", "pretrain.recipe.epochs=1", "--set", "finetune.recipe.epochs=5", "--set", "finetune.scratch.epochs=5")
MARKS = {"seconds": 60.0, "megabytes": 2000.0}
LOOK = (sys.executable, "-P", "-m", "flows.cli", "monitor", "--json")


def main() -> None:
    """Write, look, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder for the project; by default a new one that is removed")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 answers")
    words = parser.parse_args()
    rows = 100_000 if words.quick else words.rows
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(words.work or Path(scratch), rows)
    for name, value in figures.items():
        print(f"{name:32} {value:,.3f}")
    met = figures["seconds"] <= MARKS["seconds"] and figures["megabytes"] <= MARKS["megabytes"]
    met = met and figures["same_after_kill"] == 1 and figures["hour_seconds"] < figures["seconds"]
    print(json.dumps({"name": "monitor", "figures": figures, "marks": MARKS, "met": met}))


def measure(work: Path, rows: int) -> dict[str, float]:
    """The figures."""
    root = work / "digits"
    if not root.is_dir():
        command(work, "init", str(root))
        command(root, "run", *FAST)
    for left in ("captured", "monitor"):
        shutil.rmtree(root / left, ignore_errors=True)
    start = datetime.now(UTC) - timedelta(days=30)
    empty, nothing, _ = look(root)
    write(root, rows, start, 0)
    seconds, memory, _ = look(root)
    write(root, HOUR, start + timedelta(days=20), 1)
    hour, less, first = look(root)
    shutil.rmtree(root / "monitor")
    killed(root, 0.5 * seconds)
    _, _, again = look(root)
    return {
        "rows": float(rows),
        "seconds": seconds,
        "megabytes": memory,
        "hour_seconds": hour,
        "hour_megabytes": less,
        "nothing_seconds": empty,
        "nothing_megabytes": nothing,
        "images_in_bet": float(first["entered"]),
        "same_after_kill": float(first["wealth"] == again["wealth"] and first["entered"] == again["entered"]),
    }


def command(folder: Path, *words: str) -> None:
    """One command of Sightline that has to end well."""
    subprocess.run([sys.executable, "-P", "-m", "flows.cli", *words], cwd=folder, env=os.environ, check=True)


def look(root: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds and largest megabytes of a look, and what it found."""
    began = time.perf_counter()
    with subprocess.Popen(LOOK, cwd=root, env=os.environ, stdout=subprocess.PIPE, text=True) as process:
        largest, told = 0.0, ""
        while process.poll() is None:
            largest = max(largest, megabytes(process.pid))
            time.sleep(0.05)
        told = process.stdout.read() if process.stdout else ""
    return time.perf_counter() - began, largest, json.loads(told)


def megabytes(process: int) -> float:
    """Largest memory of a process so far; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def killed(root: Path, after: float) -> None:
    """A look that is killed after so many seconds."""
    with subprocess.Popen(LOOK, cwd=root, env=os.environ, stdout=subprocess.DEVNULL) as process:
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


def write(root: Path, rows: int, start: datetime, seed: int) -> None:
    """Captured files with so many answers from that time on, five a second, without a camera's name."""
    found, (held,) = served(Paths(root)), (root / "mlflow" / "references").glob("*.npz")
    reference, rng = Reference.decode(held.read_bytes()), np.random.default_rng(seed)
    said = About(role="champion", version=found.version, digest=reference.bundle, classes=reference.classes, dropped=0)
    schema = SCHEMA.with_metadata({ABOUT: json.dumps(asdict(said)).encode()})
    for number, first in enumerate(range(0, rows, IN_FILE)):
        count, began = min(IN_FILE, rows - first), start + timedelta(seconds=first / 5)
        place = rng.integers(len(reference.labels), size=count)
        answers = np.array(reference.classes)[reference.probabilities[place].argmax(axis=1)]
        values = {
            "at": [began + timedelta(seconds=one / 5) for one in range(count)],
            "request": [f"{seed}-{first + one}" for one in range(count)],
            "place": np.zeros(count, dtype=np.int32),
            "role": ["champion"] * count,
            "version": [found.version] * count,
            "digest": [reference.bundle] * count,
            "label": answers.tolist(),
            "probabilities": lists(reference.probabilities[place]),
            "foreign_score": reference.foreign[place],
            "features": lists(stirred(reference.features[place], rng)),
            "statistics": lists(stirred(reference.statistics[place], rng)),
            "energy": reference.energy[place],
            "sha256": [""] * count,
            "size": np.zeros(count, dtype=np.int64),
            "width": np.zeros(count, dtype=np.int32),
            "height": np.zeros(count, dtype=np.int32),
        }
        columns = [
            pa.array(values[one.name], one.type) if one.name in values else pa.nulls(count, one.type) for one in SCHEMA
        ]
        name = f"date={began.date()}/{began:%H%M%S}-{'second' if seed else 'first'}-{number:06d}.parquet"
        file = root / "captured" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), file, compression="zstd", write_page_checksum=True)


def stirred(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """With a thousandth of its spread as noise: no two images are the same."""
    noise = rng.normal(0, 1e-3, values.shape).astype(np.float32)
    found: NDArray[np.float32] = values + noise * values.std(axis=0)
    return found


def lists(values: NDArray[np.float32]) -> pa.Array:
    """(N, D) as N lists."""
    return pa.FixedSizeListArray.from_arrays(values.ravel(), values.shape[1]).cast(pa.list_(pa.float32()))


if __name__ == "__main__":
    main()
