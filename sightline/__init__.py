"""Sightline: from a folder of labelled images to a model in production. The library, without an orchestrator."""

import os
from typing import Any

PUBLIC = ("champion", "load")
"""What Python programs ask for; the libraries behind it are imported when it is."""

SPINS = "1000"
"""How often a thread of OpenMP looks whether there is work before it sleeps (GOMP_SPINCOUNT, read when torch loads):
its own 300,000 keep the processor from whoever else has work, a thread that the others wait for above all."""

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("sightline.classifier"), name)
