"""What an accepted version of a data set looks like, and how far another one is from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sightline.data.manifest import HELD_BACK, OK
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.heads.labels import CLASSIFY, LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAMED = 5
"""Classes and values that a text names before it counts the others."""
KINDS = ("format", "mode")
"""Columns of which the shares are compared, besides the label."""
IDENTITIES = ("shard",)
"""Numeric columns that say nothing about the pictures."""
EDGES = 20
"""Steps of the quantiles at which two distributions of numbers are compared."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """One accepted version. Counts and distributions are those of the usable images, held-back ones included."""

    version: str
    """DVC digest of the manifest."""
    columns: dict[str, str]
    """Column → pandas type."""
    classes: dict[str, int]
    """Class → images."""
    kinds: dict[str, dict[str, int]]
    """Column → value → images."""
    spreads: dict[str, list[tuple[float, float, float]]]
    """Column → (value, share of images below it, share up to it) at its quantiles."""


def infer(rows: pd.DataFrame, version: str, task: str = CLASSIFY) -> Baseline:
    """What the manifest `rows` of `version` looks like."""
    usable = _usable(rows)
    numeric = [name for name in rows if pd.api.types.is_numeric_dtype(rows[name]) and name not in IDENTITIES]
    return Baseline(
        version=version,
        columns={str(name): str(kind) for name, kind in rows.dtypes.items()},
        classes=_counts(LABELS[task].each(usable["label"])),
        kinds={name: _counts(usable[name]) for name in KINDS},
        spreads={str(name): _spread(usable[name]) for name in numeric},
    )


def write(baseline: Baseline, path: Path) -> None:
    """Write it as JSON; the same version gives the same bytes."""
    write_atomically(path, json.dumps(asdict(baseline), indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Baseline | None:
    """The accepted baseline; None where none was.

    Raises DataError where the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        values["spreads"] = {name: [tuple(edge) for edge in edges] for name, edges in values["spreads"].items()}
        return Baseline(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error}): accept a version anew with `sightline data baseline`") from None


def distance(aspect: str, accepted: Any, rows: pd.DataFrame, task: str = CLASSIFY) -> tuple[float, str]:
    """How far `rows` are from what was `accepted` in one aspect: a number to compare with its limit, and a text.

    Aspects: `columns`, `new_classes`, `lost_classes` (numbers of them), `loss` (largest share of a class's images that
    is gone), a column of KINDS or `label` (total variation distance), and any column of numbers (Kolmogorov-Smirnov
    distance at the accepted quantiles); both distances lie in 0 … 1.
    """
    usable = _usable(rows)
    labels = LABELS[task].each(usable["label"])
    if aspect == "columns":
        return _columns(accepted, rows)
    if aspect in {"new_classes", "lost_classes"}:
        return _classes(set(accepted), set(labels), lost=aspect == "lost_classes")
    if aspect == "loss":
        return _loss(accepted, _counts(labels))
    if aspect in {"label", *KINDS}:
        return _variation(accepted, _counts(labels if aspect == "label" else usable[aspect]))
    return _gap(accepted, usable[aspect])


def _usable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["status"].isin([OK, HELD_BACK])]


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in values.value_counts().sort_index().items()}


def _spread(values: pd.Series) -> list[tuple[float, float, float]]:
    numbers = np.sort(values.dropna().to_numpy(dtype=float))
    if not len(numbers):
        return []
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, EDGES + 1), method="inverted_cdf"))
    below, upto = (np.searchsorted(numbers, edges, side) / len(numbers) for side in ("left", "right"))
    return [tuple(edge) for edge in np.column_stack([edges, below, upto]).round(6).tolist()]


def _columns(accepted: Mapping[str, str], rows: pd.DataFrame) -> tuple[float, str]:
    now = {str(name): str(kind) for name, kind in rows.dtypes.items()}
    lost = [name for name in accepted if name not in now]
    changed = [f"{name} was {kind}, is {now[name]}" for name, kind in accepted.items() if now.get(name, kind) != kind]
    return len(lost) + len(changed), ", ".join([*(f"{name} is gone" for name in lost), *changed])


def _classes(accepted: set[str], now: set[str], *, lost: bool) -> tuple[float, str]:
    names = sorted(accepted - now if lost else now - accepted)
    return len(names), ", ".join([*names[:NAMED], *_more(names)])


def _loss(accepted: Mapping[str, int], now: Mapping[str, int]) -> tuple[float, str]:
    """A class that is gone altogether is another aspect."""
    falls = {name: 1 - now[name] / count for name, count in accepted.items() if name in now}
    worst = sorted((name for name in falls if falls[name] > 0), key=lambda name: -falls[name])
    listed = [f"{name} {accepted[name]:,} → {now[name]:,}" for name in worst[:NAMED]]
    return max(falls.values(), default=0.0), ", ".join([*listed, *_more(worst)])


def _variation(accepted: Mapping[str, int], now: Mapping[str, int]) -> tuple[float, str]:
    """Half the sum of the differences of the shares."""
    names = sorted({*accepted, *now})
    before, after = (_shares(counts, names) for counts in (accepted, now))
    moved = after - before
    worst = [names[at] for at in np.argsort(-np.abs(moved), kind="stable") if abs(moved[at]) > 0]
    share = dict(zip(names, zip(before, after, strict=True), strict=True))
    listed = [f"{name} {share[name][0]:.1%} → {share[name][1]:.1%}" for name in worst[:NAMED]]
    return float(np.abs(moved).sum() / 2), ", ".join([*listed, *_more(worst)])


def _shares(counts: Mapping[str, int], names: list[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    total = max(sum(counts.values()), 1)
    return np.array([counts.get(name, 0) / total for name in names])


def _gap(accepted: list[tuple[float, float, float]], values: pd.Series) -> tuple[float, str]:
    """The largest difference of the two distribution functions, on both sides of each accepted quantile."""
    numbers = np.sort(values.dropna().to_numpy(dtype=float))
    if not accepted or not len(numbers):
        # No image on one side: nothing in common, unless there is none on the other side either.
        return float(bool(accepted) != bool(len(numbers))), "values are there on one side only"
    edges, below, upto = np.array(accepted).T
    now = [np.searchsorted(numbers, edges, side) / len(numbers) for side in ("left", "right")]
    gap = max(np.abs(below - now[0]).max(), np.abs(upto - now[1]).max())
    middle = edges[np.searchsorted(upto, 0.5)]
    return round(float(gap), 6), f"median {middle:g} → {float(np.median(numbers)):g}"


def _more(names: list[str]) -> list[str]:
    return [f"and {len(names) - NAMED} more"] if len(names) > NAMED else []
