"""Backbones of one's own that new projects begin with: files NAME-NETWORK.safetensors in a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import ConfigError
from sightline.models.shipped import FRACTALS

if TYPE_CHECKING:
    from sightline.params import Pretrain

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


def told(pretrain: Pretrain) -> str:
    """What a new project without a source begins with; empty where nothing was chosen for it."""
    if pretrain.init is None:
        return ""
    if pretrain.init != FRACTALS:
        without = "`sightline run --set pretrain.init=null` does without"
        return f"backbone: {pretrain.init}, beside training from scratch; {without}"
    none = f" ({VARIABLE} has none for {pretrain.network})" if folder() else ""
    return (
        f"backbone: where labels are few, one that comes with Sightline{none}, learned from no photograph, beside "
        "training from scratch; `sightline run --set pretrain.init=null` does without, `init … --source OTHER` "
        "pretrains one on images"
    )
