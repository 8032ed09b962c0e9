"""Backbones of one's own that new projects begin with: files NAME-NETWORK.safetensors in a folder."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.errors import ConfigError

VARIABLE = "SIGHTLINE_BACKBONES"
"""Names the folder."""


def folder() -> Path | None:
    """The folder, where one is named; raises ConfigError where it is none."""
    given = os.environ.get(VARIABLE)
    if not given:
        return None
    place = Path(given).expanduser().resolve()
    if not place.is_dir():
        raise ConfigError(
            f"{VARIABLE} = {given} is no folder: name one with backbones, NAME-NETWORK.safetensors, or unset it"
        )
    return place


def newest(network: str) -> Path | None:
    """The newest file of weights for the network; None where there is none."""
    place = folder()
    files = place.glob(f"*-{network}.safetensors") if place else ()
    return max(files, key=lambda one: one.stat().st_mtime_ns, default=None)
