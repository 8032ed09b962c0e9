"""How fast this machine trains a network: the production step on noise, in as many processes as will train.

Where there are several, torchrun starts them as it does for training: `python -m sightline.train.speed JOB`.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from sightline.data.loader import Images
from sightline.errors import ConfigError, ModelError
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.heads.targets import CLASS, empty
from sightline.recipe import Recipe
from sightline.train import batches, distributed, group, loop, optim, step

TRIED = 2
"""Steps that tell how many make up the time of a measurement."""
ENOUGH = 0.6
"""Share of the time that is given from which a measurement counts."""
LINE = "rate"
BOXES = 8
"""Of an image: what they cost beside the network is little."""


@dataclass(frozen=True)
class Speed:
    """What a stage's time goes by."""

    rate: float
    """Images a second, of all processes together."""
    start: float = 0.0
    """Seconds until the processes of a stage are there."""


def speed(network: str, size: int, recipe: Recipe, workers: int, seconds: float, task: str = CLASSIFY) -> Speed:
    """Measure `network` on images of `size` pixels for about so many seconds.

    Raises ConfigError where other machines take part, which wait for training alone, ModelError where a process fails.
    """
    if distributed.has_other_nodes():
        raise ConfigError(
            "--budget plans for one machine, and PET_NNODES says that others train too: give epochs or steps instead"
        )
    if workers == 1:
        return Speed(measure(network, size, recipe, seconds, task))
    distributed.check(workers, recipe)
    began = time.perf_counter()
    threads = distributed.threads_each(workers)
    what = {"network": network, "size": size, "recipe": asdict(recipe), "seconds": seconds, "task": task}
    job = json.dumps(what | {"threads": threads})
    rate, took = 0.0, 0.0
    with distributed.launched(__name__, job, workers, threads) as process:
        for line in process.stdout or ():
            kind, values = distributed.message(line)
            if kind == LINE:
                rate, took = values
    if process.returncode or not rate:
        raise ModelError(
            f"train.workers = {workers}: measuring their speed ended with code {process.returncode}; what is printed "
            "above says why"
        )
    return Speed(rate, time.perf_counter() - began - took)


def measure(network: str, size: int, recipe: Recipe, seconds: float, task: str) -> float:
    """Images a second; every member of the group gives the same answer. The first step is not counted."""
    from sightline.models.networks import build

    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (recipe.batch_size, size, size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    images = Images(pixels, _labels(task, recipe.batch_size, size), ("a", "b"), task=task)
    state = loop.begin(group.share_statistics(build(task, network, 2, size)), recipe)
    state.model.train()
    learn, images = step.Step(state, recipe, head=of(task)), batches.held(images)
    generator, rows = torch.Generator().manual_seed(0), torch.arange(recipe.batch_size, device=images.labels.device)

    def timed(steps: int) -> float:
        began = time.perf_counter()
        for _ in range(steps):
            optim.set_rate(state.optimiser, recipe, 0.0, 1.0)
            loss = learn(*batches.batch_of(images, rows, recipe, generator))
        float(loss)  # a GPU is through only then
        # The members agree, or one would wait for a step that another does not make.
        return float(group.summed(torch.tensor(time.perf_counter() - began, device=loss.device))) / group.members()

    # On a GPU the first steps tell nothing: the same again, until what is timed takes most of the time that is given.
    timed(1)
    steps = TRIED
    while (took := timed(steps)) < ENOUGH * seconds:
        steps = math.ceil(steps * seconds / took)
    return recipe.batch_size * steps / took


def _labels(task: str, count: int, size: int) -> Tensor:
    """Of so many images; where they lie somewhere a few boxes each."""
    if not of(task).is_located:
        return torch.arange(count) % 2
    boxes = empty(count, BOXES)
    boxes[..., :2] = torch.rand(count, BOXES, 2) * size / 2
    boxes[..., 2:4] = boxes[..., :2] + size / 4
    boxes[..., CLASS] = torch.arange(BOXES) % 2
    return boxes


def main() -> None:
    """Be one of the processes that measure together."""
    distributed.end_with_the_stage()
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    began = time.perf_counter()
    with group.join():
        rate = measure(job["network"], job["size"], Recipe(**job["recipe"]), job["seconds"], job["task"])
        if group.number() == 0:
            distributed.tell(LINE, [rate, time.perf_counter() - began])


if __name__ == "__main__":
    main()
