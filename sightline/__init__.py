"""Sightline: from a folder of labelled images to a model in production. The library, without an orchestrator."""

import os

SPINS = "1000"
"""How often a thread of OpenMP looks whether there is work before it sleeps (GOMP_SPINCOUNT, read when torch loads):
its own 300,000 keep the processor from whoever else has work, a thread that the others wait for above all."""

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
