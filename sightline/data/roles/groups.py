"""Groups that no table names: by a part of the path, or by shots of one camera that follow each other closely."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.data.manifest import OK
from sightline.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.params import Grouping


def by_path(rows: pd.DataFrame, grouping: Grouping) -> pd.DataFrame:
    """Fill `group` where it is null by what the brackets of `grouping.pattern` find in the path, joined by slashes.

    An image whose path the pattern does not fit, or in which all brackets are empty, stays without. Raises DataError
    where it fits none of them.
    """
    if grouping.pattern is None:
        return rows
    pattern = re.compile(grouping.pattern)
    matches = [pattern.search(path) for path in rows["path"]]
    if len(rows) and not any(matches):
        raise DataError(
            f"datasets.….group.pattern {grouping.pattern!r} fits none of {len(rows):,} paths, such as "
            f"{rows['path'].iloc[0]}: correct it in params.yaml"
        )
    found = ["/".join(filter(None, match.groups())) or None if match else None for match in matches]
    return rows.assign(group=rows["group"].fillna(pd.Series(found, index=rows.index, dtype="string")))


def bursts(rows: pd.DataFrame, grouping: Grouping) -> NDArray[np.int64]:
    """Pairs (M, 2) of positions in `rows`: shots of one camera at most `grouping.burst` seconds apart, one by one."""
    nothing = np.empty((0, 2), dtype=np.int64)
    if grouping.burst is None:
        return nothing
    taken = pd.to_datetime(rows["taken"], format="%Y-%m-%d %H:%M:%S", errors="coerce")
    known = np.flatnonzero(taken.notna() & rows["camera"].notna() & (rows["status"] == OK))
    shots = pd.DataFrame({"camera": rows["camera"].iloc[known], "taken": taken.iloc[known], "place": known})
    shots = shots.sort_values(["camera", "taken", "place"], kind="stable")
    close = (shots["camera"] == shots["camera"].shift()) & (shots["taken"].diff().dt.total_seconds() <= grouping.burst)
    places = shots["place"].to_numpy(dtype=np.int64)
    second = np.flatnonzero(close.to_numpy(dtype=bool))
    return np.stack([places[second - 1], places[second]], axis=1) if len(second) else nothing
