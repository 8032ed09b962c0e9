"""How the gate decides over the life of a model: what it lets through, what it refuses, and how soon.

Simulated answers, judged by the production functions of `sightline.registry` with the values of a new project. Each
part stands in a file of its own beside this one and gives shares of series with their marks.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import gate_first
import gate_fresh
import gate_life
import gate_slices
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate_marks import Measured

SERIES, QUICK = 10_000, 1_000
PARTS: dict[str, Callable[[int, np.random.Generator], list[Measured]]] = {
    "first": gate_first.measure,
    "slices": gate_slices.measure,
    "life": gate_life.measure,
    "fresh": gate_fresh.measure,
}
LONG = "first"
"""This part fits temperatures and simulates each model's chance: a quarter of an hour."""


def main() -> None:
    """Simulate, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said = f"{QUICK:,} series instead of {SERIES:,}, and {LONG} only where --parts names it"
    parser.add_argument("--quick", action="store_true", help=said)
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    args = parser.parse_args()
    series = QUICK if args.quick else SERIES
    parts = args.parts or [name for name in PARTS if not (args.quick and name == LONG)]
    measured = {name: shown(name, series) for name in parts}
    rows = [one for part in measured.values() for one in part]
    figures = {name: [asdict(one) for one in part] for name, part in measured.items()}
    marks = {one.what: one.mark for one in rows if one.mark}
    print(json.dumps({"name": "gate", "figures": figures, "marks": marks, "met": all(one.met for one in rows)}))


def shown(name: str, series: int) -> list[Measured]:
    """The figures of a part, printed; each part draws from a seed of its own."""
    began = time.process_time()
    rows = PARTS[name](series, np.random.default_rng(0))
    print(f"{name}: {series:,} series, {time.process_time() - began:.0f} s of CPU")
    for one in rows:
        drawn = f" ({one.series:,}: {'≥' if one.at_least else '≤'} {one.bound:.4f})" if one.series else ""
        print(f"  {one.share:7.4f}  {one.mark:8}{'' if one.met else 'NOT MET  '}{one.what}{drawn}")
    print(flush=True)
    return rows


if __name__ == "__main__":
    main()
