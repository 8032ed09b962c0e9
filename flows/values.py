"""Values of one run: those that DVC reads from `params.yaml` are written there, and taken back at its end.

What the file held before lies beside Prefect's own files: where a run was killed, the next one takes them back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline import config, stored
from sightline.errors import ConfigError, Damaged
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NOTE = ".prefect/params.json"


def lay(root: Path, overrides: Mapping[str, Any], *, save: bool) -> list[str]:
    """Write those of the `overrides` that decide what the data is, with `save` all of them, to stay; what was written.

    Values for which every later command must decide as this one did stay in any case. Raises ConfigError where what
    would stand in the file could not be loaded.
    """
    stay = {key: value for key, value in overrides.items() if save or key in config.DATA_KEYS}
    lent = {key: value for key, value in overrides.items() if config.decides_data(key) and key not in stay}
    place = root / config.PARAMS
    moved = _write(root, stay, overrides) if stay else None
    before = place.read_text(encoding="utf-8")
    if lent:
        _write(root, lent, overrides)
        written = place.read_text(encoding="utf-8")
        if written != before:
            write_atomically(root / NOTE, stored.seal({"before": before, "written": written}))
    told = {key: f"{key} = {value} is written into {config.PARAMS}, stays there" for key, value in stay.items()}
    for key, value in lent.items():
        told[key] = f"{key} = {value} is written into {config.PARAMS}, for this run (--save keeps it)"
    if moved:
        told["project.preset"] = (
            f"project.preset is null in {config.PARAMS} now, and the values of {moved} stand in the recipes: no preset "
            "may contradict them"
        )
    return list(told.values())


def _write(root: Path, values: Mapping[str, Any], overrides: Mapping[str, Any]) -> str | None:
    """As `config.save`; where the file would need others of the `overrides` as well, that is told."""
    try:
        return config.save(root, values)
    except ConfigError as error:
        others = [key for key in overrides if key not in values]
        if not others:
            raise
        raise ConfigError(
            f"{error}\n{', '.join(values)} must stand in {config.PARAMS}, and does not go there without "
            f"{', '.join(others)}: --save writes all of them"
        ) from None


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
