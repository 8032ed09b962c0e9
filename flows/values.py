"""Values of one run: those that DVC reads from `params.yaml` are written there, and taken back at its end.

What the file held before lies beside Prefect's own files: where a run was killed, the next one takes them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline import config, stored
from sightline.errors import Damaged
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOTE = ".prefect/params.json"


def lay(root: Path, overrides: Mapping[str, Any], *, save: bool) -> list[str]:
    """Write those of the `overrides` that decide what the data is, with `save` all of them, to stay; their keys.

    Values for which every later command must decide as this one did stay in any case.
    """
    keys = [key for key in overrides if save or config.decides_data(key)]
    place = root / config.PARAMS
    stay = [key for key in keys if save or key in config.DATA_KEYS]
    for key in stay:
        config.write_value(root, key, overrides[key])
    before = place.read_text(encoding="utf-8")
    for key in keys:
        if key not in stay:
            config.write_value(root, key, overrides[key])
    written = place.read_text(encoding="utf-8")
    if written != before:
        write_atomically(root / NOTE, stored.seal({"before": before, "written": written}))
    return keys


def lift(root: Path) -> None:
    """Put back what the file held, unless somebody has changed it since."""
    place, note = root / config.PARAMS, root / NOTE
    if not note.is_file():
        return
    try:
        kept = stored.unseal(note, needed=["written", "before"])
    except Damaged:
        kept = {}
    if kept and place.read_text(encoding="utf-8") == kept["written"]:
        write_atomically(place, kept["before"])
    note.unlink()
