"""Several processes for one training run: the stage starts them by torchrun and hears what they tell.

The stage writes the job into its folder, `torchrun` starts `train.workers` processes of this module, and the first of
them writes checkpoints and the result there and prints what happens as lines of JSON. On several nodes that share the
folder: `sightline run` on one of them, with torchrun's own variables (PET_NNODES, PET_RDZV_ENDPOINT …) set, and on each
other `torchrun -m sightline.train.distributed FOLDER` with the same ones. They never outlive the stage.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sightline.errors import ConfigError, ModelError
from sightline.models.device import repeatable
from sightline.processes import LEASH, die_with
from sightline.recipe import Recipe
from sightline.train import chain, group, loop
from sightline.train.checkpoint import Checkpoint, Epoch
from sightline.train.result import CHECKPOINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.models.networks import Network
    from sightline.params import Params

JOB, START, END = "job.json", "start.safetensors", "end.safetensors"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the processes need beside the weights to start from."""

    shards: str
    network: str
    recipe: Recipe
    seed: int
    threads: int
    """Of each process."""
    deterministic: bool = False


def has_other_nodes() -> bool:
    """Whether torchrun's variables say that other machines take part."""
    return os.environ.get("PET_NNODES", "1") != "1"


def train(
    model: Network,
    folder: Path,
    workers: int,
    job: Job,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[loop.Progress], None],
) -> list[Epoch]:
    """`loop.train` in so many processes; `model` gets the weights that come out.

    Raises ConfigError where there are fewer GPUs or images in a batch than processes, ModelError where one fails.
    """
    from safetensors.torch import load_file, save_model

    check(workers, job.recipe)
    save_model(model, str(folder / START))
    (folder / JOB).write_text(json.dumps(asdict(job)) + "\n", encoding="utf-8")
    history: list[Epoch] = []
    with launched(__name__, str(folder), workers, job.threads) as process:
        for line in process.stdout or ():
            kind, values = message(line)
            if kind == "progress":
                on_progress(loop.Progress(**values))
            elif kind == "epoch":
                on_epoch(Epoch(**values))
            elif kind == "history":
                history = [Epoch(**row) for row in values]
    if process.returncode or not history:
        raise ModelError(
            f"train.workers = {workers}: training ended with code {process.returncode}; what is printed above says "
            "why. It goes on from its last checkpoint when the run is repeated"
        )
    model.load_state_dict(load_file(folder / END))
    for name in (JOB, START, END):
        (folder / name).unlink()
    model.eval()
    return history


def threads_each(workers: int) -> int:
    """Threads that each of the processes computes with."""
    return max(1, torch.get_num_threads() // workers)


def check_ahead(params: Params) -> None:
    """Raise ConfigError, before anything is done, where this machine or a recipe cannot have `train.workers`."""
    workers, recipes = params.train.workers, chain.recipes_of(params)
    if workers == 1:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not torch.cuda.is_available() and workers > cores:
        have = "1 processor" if cores == 1 else f"{cores} processors"
        raise ConfigError(
            f"train.workers = {workers}: this machine has {have} and no GPU, and each process needs its own; "
            f"give {cores} at most"
        )
    for stage in chain.stages_of(params):
        if stage in recipes:
            check(workers, recipes[stage])


def check(workers: int, recipe: Recipe) -> None:
    """Raise ConfigError where there are fewer GPUs or images in a batch than processes."""
    gpus = torch.cuda.device_count()
    if torch.cuda.is_available() and workers > gpus:
        raise ConfigError(f"train.workers = {workers}: this machine has {gpus} GPUs, and each process needs its own")
    if recipe.batch_size // recipe.accumulate < workers:
        raise ConfigError(
            f"train.workers = {workers}: batches of {recipe.batch_size} in {recipe.accumulate} parts are too small to "
            "give each process an image; raise batch_size"
        )


def launched(module: str, word: str, workers: int, threads: int) -> subprocess.Popen[str]:
    """A torchrun at work on `module`: its end of the input closes when this process goes, however it does."""
    alone = [] if "PET_RDZV_ENDPOINT" in os.environ or "PET_MASTER_ADDR" in os.environ else ["--standalone"]
    command = [sys.executable, "-P", "-m", "torch.distributed.run", *alone, f"--nproc-per-node={workers}"]
    return subprocess.Popen(
        [*command, "-m", module, word],
        env={**os.environ, LEASH: "0", "OMP_NUM_THREADS": str(threads), "PYTHONSAFEPATH": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # What a terminal or a supervisor sends to all is for this process to answer: torchrun would with a traceback.
        start_new_session=True,
    )


def message(line: str) -> tuple[str, Any]:
    """A line of the first process; what libraries print there is none of ours."""
    try:
        ((kind, values),) = json.loads(line).items()
    except (ValueError, AttributeError):
        return "", None
    return kind, values


class _Silent(Checkpoint):
    """Read by all, written by the first."""

    def save(self, values: dict[str, Any]) -> None:
        """Leave it to the first."""


def work(folder: Path) -> None:
    """One of the processes: train its part of the job in `folder`; the first one writes and tells."""
    from safetensors.torch import load_file, save_file

    from sightline.data.loader import load
    from sightline.models.networks import build

    values = json.loads((folder / JOB).read_text(encoding="utf-8"))
    job = Job(**{**values, "recipe": Recipe(**values["recipe"])})
    torch.set_num_threads(job.threads)
    images, val = load(Path(job.shards), "train"), load(Path(job.shards), "val")
    model = build(images.task, job.network, len(images.classes), int(images.pixels.shape[2]))
    model.load_state_dict(load_file(folder / START))
    with group.join(), repeatable(job.deterministic):
        first = group.number() == 0
        say = tell if first else _keep_quiet
        history = loop.train(
            group.share_statistics(model),
            images,
            val,
            job.recipe,
            job.seed,
            (Checkpoint if first else _Silent)(folder / CHECKPOINT),
            lambda epoch: say("epoch", asdict(epoch)),
            lambda progress: say("progress", asdict(progress)),
        )
        if first:
            save_file({name: value.cpu().contiguous() for name, value in model.state_dict().items()}, folder / END)
        say("history", [asdict(epoch) for epoch in history])


def tell(kind: str, values: Any) -> None:
    """A line to the stage, as `message` reads it."""
    print(json.dumps({kind: values}), flush=True)


def _keep_quiet(kind: str, values: Any) -> None:
    """The first process speaks for all."""


def end_with_the_stage() -> None:
    """Die as soon as the stage has gone, where one started this process: two runs must not write one checkpoint."""
    # Not `end_with_the_parent`: torchrun hands on no other descriptor, and ends its processes by SIGTERM.
    if LEASH in os.environ:
        die_with(int(os.environ[LEASH]))


def main() -> None:
    """Work on the job in the folder that the command line names."""
    end_with_the_stage()
    work(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
