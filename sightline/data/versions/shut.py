"""What in data/raw stays shut: links that leave it, pipes and the like, put there by hand. DVC must not read them.

DVC stores what a link leads to, and pushes it. The quarantine list names such files, by the reasons of `sources`.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from sightline.data.sources.entries import entries
from sightline.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

IGNORED = ".dvcignore"


def close(folder: Path) -> list[str]:
    """Name in data/raw/.dvcignore what DVC must not read of a raw folder; the lines that do so."""
    place, mine = folder.with_name(IGNORED), f"/{folder.name}/"
    closed = [mine + _pattern(one.path) for one in entries(os.fspath(folder)) if one.reason]
    before = place.read_text(encoding="utf-8").splitlines() if place.is_file() else []
    wanted = [line for line in before if not line.startswith(mine)] + closed
    if wanted != before:
        write_atomically(place, "".join(f"{line}\n" for line in wanted))
    return closed


def _pattern(path: str) -> str:
    """The path in the language of .gitignore, in which no line end can be written, nor what is no text."""
    plain = re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)
    return re.sub(r"[\r\n\ud800-\udfff]", "?", plain)
