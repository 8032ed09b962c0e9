"""Memory that training on a CPU uses again."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

STEPS = """
import resource, torch
from sightline.recipe import Recipe
from sightline.train import loop, step
from sightline.models.zoo import build

recipe = Recipe(epochs=1, batch_size=64)
state = loop.begin(build("cnn", 2, 64), recipe)
batch, targets = torch.zeros(64, 3, 64, 64), torch.arange(64) % 2
for number in range(9):
    if number == 6:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step.learn(state, batch, targets, recipe, None)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
def test_steps_work_in_the_memory_of_those_before() -> None:
    """Once it is there, three steps touch few pages for the first time, where they would touch tens of thousands."""
    here = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", STEPS], env=here, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) < 10_000
