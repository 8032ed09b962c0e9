"""What the files of a data set have in common, or apart, for which the manifest has no column.

Written beside the manifest, and only where there is something to say: a set of plain images is the version that it was.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sightline.data.manifest import OK
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.images.reading import WHITE, white_of
from sightline.words import counted, visible

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NAMED = 3
"""Files that a sentence names before it counts the others."""


@dataclass(frozen=True)
class Traits:
    """Of the usable images of a data set."""

    white: int = WHITE
    """Level of 16-bit grey that is white: the highest that the bits of the brightest image hold."""
    several: tuple[str, ...] = ()
    """Paths of files with further pages or frames behind the first, which alone is used."""

    def sentences(self) -> list[str]:
        """What of it a person should know."""
        said = []
        if self.white != WHITE:
            said.append(f"16-bit images use {self.white.bit_length()} bits: level {self.white:,} is white")
        if self.several:
            named = ", ".join(map(visible, self.several[:NAMED]))
            more = f" and {len(self.several) - NAMED:,} more" if len(self.several) > NAMED else ""
            holds = "holds" if len(self.several) == 1 else "hold"
            said.append(
                f"{counted(len(self.several), 'file')} {holds} several pages or frames, the first alone is used: "
                f"{named}{more}"
            )
        return said


def of(rows: pd.DataFrame) -> Traits:
    """The traits of files with the facts `path`, `status`, `top` and `several`."""
    usable = rows[rows["status"] == OK]
    tops = usable["top"].dropna()
    several = usable.loc[usable["several"].fillna(0) > 0, "path"]
    return Traits(white_of(int(tops.max())) if len(tops) else WHITE, tuple(sorted(several)))


def write(traits: Traits, path: Path) -> None:
    """Put them where `read` finds them."""
    if traits == Traits():
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, json.dumps(asdict(traits), ensure_ascii=False, indent=1) + "\n")


def read(path: Path) -> Traits:
    """The traits at `path`; those of plain images where nothing was written.

    Raises DataError where the file is damaged.
    """
    if not path.is_file():
        return Traits()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Traits(white_of(int(values["white"])), tuple(map(str, values["several"])))
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error}): `sightline run` brings it back from DVC's store") from None
