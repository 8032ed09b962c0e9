"""How long OpenMP's threads spin is settled before torch is there to read it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sightline import SPINS
from sightline.registry.sandbox import environment

KEYS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
ENTRIES = ("flows.train", "sightline.stage", "sightline.registry.trial", "sightline.train.distributed")
"""Modules by which processes of ours begin."""
WATCH = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print(os.environ.get("GOMP_SPINCOUNT"), flush=True)
            os._exit(0)

sys.meta_path.insert(0, Watch())
__import__(sys.argv[1])
import torch
"""


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize(
    ("given", "value"), [({}, SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")]
)
def test_threads_spin_briefly_in_every_process(entry: str, given: dict[str, str], value: str) -> None:
    """When torch is imported the value stands, unless the user has chosen one or a policy."""
    kept = {key: text for key, text in os.environ.items() if key not in KEYS}
    done = subprocess.run(
        [sys.executable, "-c", WATCH, entry], env={**kept, **given}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [value]


def test_user_s_value_reaches_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """The restricted process spins as the others do."""
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    assert environment()["GOMP_SPINCOUNT"] == "7"
