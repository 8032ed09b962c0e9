"""Finding: files whose extension names another format than that of their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sightline.data.quality.finding import Finding, singles, usable
from sightline.data.sources.item import suffix_of
from sightline.images.reading import EXTENSIONS
from sightline.words import counted

if TYPE_CHECKING:
    from sightline.params import Validate


def misnamed(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Look for files with the extension of another format; one without an extension has not."""
    del limits
    images = usable(rows)
    suffixes = pd.Series([suffix_of(path) for path in images["path"]], index=images.index, dtype="string")
    # MPO is a JPEG with further pictures behind the first.
    kinds = images["format"].replace("MPO", "JPEG")
    pairs = pd.DataFrame({"kind": kinds, "suffix": suffixes}).value_counts()
    lies = [(kind, suffix) for kind, suffix in pairs.index if suffix and suffix not in EXTENSIONS.get(kind, (suffix,))]
    if not lies:
        return None
    found = images[pd.MultiIndex.from_arrays([kinds, suffixes]).isin(lies)]
    pairs_named = ", ".join(f"{kind} as {suffix} ({pairs[kind, suffix]:,})" for kind, suffix in lies)
    is_one = len(found) == 1
    sentence = (
        f"{counted(len(found), 'file')} {'has' if is_one else 'have'} the extension of another format: {pairs_named}. "
        f"{'It is' if is_one else 'They are'} read by content all the same; other programs may refuse. Rename."
    )
    return Finding("misnamed", "Misnamed files", sentence, len(found), singles(found["path"]))
