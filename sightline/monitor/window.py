"""The latest images that entered the bet: what the questions after an alarm are asked of."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.heads.amounts import amounts
from sightline.heads.answer import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

COLUMNS = (
    "at", "request", "place", "version", "digest", "label", "probabilities", "foreign_score", "features", "statistics",
    "energy", "sha256", "site", "camera", "boxes", "width", "height",
)  # fmt: skip
"""Of the captured files that are read: not the pictures."""
MOST = 1000
"""Images in the window."""


@dataclass(frozen=True, kw_only=True)
class Images:
    """N images of a captured file, as `sightline.monitor.scores` wants them."""

    table: pa.Table
    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]
    statistics: NDArray[np.float32]
    energy: NDArray[np.float32]
    foreign: NDArray[np.float32]
    boxes: NDArray[np.float32]
    """(N, B) how many there are, how sure and how large; of answers without boxes (N, 0)."""

    @classmethod
    def of(cls, table: pa.Table, classes: Sequence[str]) -> Images:
        """Those of a captured table of a version with these classes.

        Raises ValueError where its rows are not of one length.
        """
        matrices = {name: _matrix(table[name]) for name in ("probabilities", "features", "statistics")}
        numbers = {
            name: table[column].to_numpy().astype(np.float32)
            for name, column in (("energy", "energy"), ("foreign", "foreign_score"))
        }
        return cls(table=table, **matrices, **numbers, boxes=_amounts(table, classes))

    def take(self, rows: list[int]) -> Images:
        """Some of them."""
        parts = {one.name: getattr(self, one.name)[rows] for one in fields(self) if one.name != "table"}
        return Images(table=self.table.take(pa.array(rows, pa.int64())), **parts)


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    lengths = pc.unique(pc.list_value_length(column)).to_pylist()
    if len(lengths) > 1:
        raise ValueError(f"rows of {sorted(lengths)} numbers stand in one column")
    values: NDArray[np.float32] = pc.list_flatten(column).to_numpy()
    return values.reshape(len(column), lengths[0] if lengths else 0)


def _amounts(table: pa.Table, classes: Sequence[str]) -> NDArray[np.float32]:
    told = table["boxes"].to_pylist()
    if all(one is None for one in told):
        return np.empty((len(told), 0), dtype=np.float32)
    sides = np.column_stack([table[name].to_numpy() for name in ("width", "height")])
    return amounts([[Seen(**box) for box in one or ()] for one in told], sides, classes)


def draws(table: pa.Table) -> NDArray[np.float64]:
    """A number from 0 to 1 for each image, by its id alone: it decides where two images are alike."""
    ids = zip(table["request"].to_pylist(), table["place"].to_pylist(), strict=True)
    return np.array([_draw(f"{request} {place}") for request, place in ids])


def _draw(text: str) -> float:
    return int.from_bytes(hashlib.sha256(f"tie {text}".encode()).digest()[:7]) / 2**56


@dataclass(frozen=True, kw_only=True)
class Window:
    """N images, the latest last."""

    at: NDArray[np.int64]
    """(N,) microseconds since 1970."""
    request: NDArray[np.str_]
    place: NDArray[np.int64]
    file: NDArray[np.str_]
    answer: NDArray[np.str_]
    site: NDArray[np.str_]
    """Empty where the caller did not say."""
    camera: NDArray[np.str_]
    probabilities: NDArray[np.float32]
    """(N, C)"""
    scores: NDArray[np.float32]
    """(N, K)"""
    wealth: NDArray[np.float64]
    """(N,) of the bet after each."""

    @classmethod
    def of(cls, images: Images, file: str, scores: NDArray[Any], wealth: NDArray[np.float64]) -> Window:
        """The images of a captured file that entered."""
        table = images.table
        words = {
            name: np.array(pc.fill_null(table[column], "").to_pylist(), dtype=np.str_)
            for name, column in (("request", "request"), ("answer", "label"), ("site", "site"), ("camera", "camera"))
        }
        return cls(
            at=times(table),
            place=table["place"].to_numpy().astype(np.int64),
            file=np.full(len(table), file),
            probabilities=images.probabilities,
            scores=scores.astype(np.float32),
            wealth=wealth,
            **words,
        )

    def __len__(self) -> int:
        return len(self.at)

    def take(self, rows: slice | NDArray[Any]) -> Window:
        """Some of them."""
        return Window(**{one.name: getattr(self, one.name)[rows] for one in fields(self)})

    def then(self, later: Window) -> Window:
        """With later ones behind them; the oldest go."""
        both = {one.name: (getattr(self, one.name), getattr(later, one.name)) for one in fields(self)}
        return Window(**{name: np.concatenate(pair)[-MOST:] for name, pair in both.items()})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """For the state."""
        return {f"window.{one.name}": getattr(self, one.name) for one in fields(self)}

    @classmethod
    def read(cls, arrays: Mapping[str, NDArray[Any]]) -> Window:
        """What `arrays` made."""
        return cls(**{one.name: arrays[f"window.{one.name}"] for one in fields(cls)})


def times(table: pa.Table) -> NDArray[np.int64]:
    """When each was answered, microseconds since 1970."""
    found: NDArray[np.int64] = table["at"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    return found
