"""Backbones that come with this package: weights that learned from images made by formulas, and from no photograph.

Each is a file of weights below `backbones/`, and beside it, in JSON, its digest and how anyone makes the same.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from sightline.digests import file_digest
from sightline.errors import ModelError

SCHEME = "embedded:"
FRACTALS = f"{SCHEME}fractals"
FOLDER = Path(__file__).parent / "backbones"
DIGITS = 12
"""Of the digest, in the name that says exactly which weights are meant."""


def is_shipped(init: str) -> bool:
    """Whether `init` names a backbone of this package: embedded:NAME, or embedded:NAME@DIGEST."""
    return init.startswith(SCHEME)


def networks(init: str) -> tuple[str, ...]:
    """The networks that there are weights for; raises ModelError where there is no such backbone."""
    name = init.removeprefix(SCHEME).partition("@")[0]
    found = tuple(sorted(path.stem.removeprefix(f"{name}-") for path in FOLDER.glob(f"{name}-*.json")))
    if not name or not found:
        known = sorted({path.stem.rpartition("-")[0] for path in FOLDER.glob("*.json")})
        raise ModelError(
            f"init {init!r}: there is no such backbone; known are {', '.join(SCHEME + one for one in known)}"
        )
    return found


def exact(init: str, network: str) -> str:
    """`init` with the digest of its weights for `network`: embedded:NAME@DIGEST."""
    name, _, asked = init.partition("@")
    digest = _facts(name, network)["sha256"][:DIGITS]
    if asked and asked != digest:
        raise ModelError(
            f"init {init!r}: this release of Sightline comes with {name}@{digest}; install the release that has "
            "those weights, or leave the digest out"
        )
    return f"{name}@{digest}"


def weights(init: str, network: str) -> Path:
    """The file of the weights that `init` names, whole.

    Raises ModelError where there are none for the network, or where they are not those that were shipped.
    """
    name, _, _ = exact(init, network).partition("@")
    path = FOLDER / f"{name.removeprefix(SCHEME)}-{network}.safetensors"
    if not path.is_file() or file_digest(path) != _facts(name, network)["sha256"]:
        raise ModelError(f"{path} is not the file that Sightline was installed with: install it again")
    return path


@cache
def _facts(name: str, network: str) -> dict[str, Any]:
    known = networks(name)
    if network not in known:
        raise ModelError(
            f"init {name!r} has weights for {' and '.join(known)}, none for {network}: set pretrain.network={known[0]} "
            f"or pretrain.init=null, or pretrain {network} on the images themselves (`sightline init --source {name}`)"
        )
    facts: dict[str, Any] = json.loads((FOLDER / f"{name.removeprefix(SCHEME)}-{network}.json").read_text("utf-8"))
    return facts
