"""Writing what a search found into `params.yaml`; comments stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline import config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def apply(root: Path, values: Mapping[str, Any]) -> None:
    """Write the values, dotted key → value; where a preset would come before them its values move into the recipes.

    Raises ConfigError where what comes out would not do.
    """
    origin = root / config.PARAMS
    rest = {key: value for key, value in values.items() if key != "project.preset"}

    def edit(written: Any) -> None:
        name = values.get("project.preset", written["project"].get("preset"))
        if name is not None:
            for stage, recipe in written["presets"][name].items():
                place = ".".join(config.PRESET_KEYS[stage])
                for key, value in recipe.items():
                    config.place(written, f"{place}.{key}", value)
            written["project"]["preset"] = None
        for key, value in rest.items():
            config.place(written, key, value)

    config.change(origin, origin, edit)
    config.load(root)
