"""Images per second of the training step, beside a loop in torch's defaults (fp32, NCHW), and the machine's own limit.

    python benchmarks/train_step.py [--quick]

Ours is the production step: augmentation, network, loss, optimiser, schedule. The other is the loop of torchvision's
reference scripts, given batches that are ready and normalised. Both take turns (--quick: 3, else 7), and the median of
each turn's ratio counts. In the same run: the rate of 2048² bf16 matrix products (fp32 where there is no bf16), as the
share of it that our step reaches, and the losses of both from the same weights on the same batches.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sightline.data.loader import Images
from sightline.images.normalise import normalise
from sightline.models.device import best_device, has_bf16
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train import batches, loop, optim
from sightline.train.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = {
    "resnet18_64": ("resnet18", 64, 64),
    "resnet18_128": ("resnet18", 128, 32),
    "resnet50_128": ("resnet50", 128, 32),
}
"""Network, size of the images, images a step."""
MARKS = {"resnet18_64": 1.6, "resnet18_128": 2.0, "resnet50_128": 2.0, "share": 0.65, "loss_difference": 0.05}
CLASSES = 10
RECIPE = Recipe(epochs=1, learning_rate=0.02)


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three turns instead of seven")
    turns = 3 if parser.parse_args().quick else 7
    figures = {name: figure for case in CASES for name, figure in measure(case, turns).items()}
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {turns} turns")
    figures["loss_difference"] = loss_difference()
    print(f"losses differ by {figures['loss_difference']:.3f} of their mean, mark {MARKS['loss_difference']}")
    met = all(figures[case] >= MARKS[case] and figures[f"{case}_share"] >= MARKS["share"] for case in CASES)
    met = met and figures["loss_difference"] <= MARKS["loss_difference"]
    print(json.dumps({"name": "train_step", "figures": figures, "marks": MARKS, "met": met}))


def measure(case: str, turns: int) -> dict[str, float]:
    """Images per second of both ways, their ratio, and our share of the machine's rate."""
    network, size, batch = CASES[case]
    images = toys(256, size)
    ours, theirs = production(network, images, batch), reference(network, images, batch)
    rows = []
    for _ in range(turns):
        rate = products()
        rows.append((batch / timed(theirs), batch / timed(ours), rate))
    slow, fast, rate = (statistics.median(values) for values in zip(*rows, strict=True))
    ratio = statistics.median(mine / other for other, mine, _ in rows)
    share = statistics.median(mine * operations(network, size) / limit for _, mine, limit in rows)
    print(
        f"{case:14} torch's defaults {slow:6.1f} images/s  ours {fast:6.1f}  ratio {ratio:.2f} (mark {MARKS[case]})  "
        f"share of {rate / 1e9:.0f} GFLOP/s: {share:.0%}",
        flush=True,
    )
    return {case: ratio, f"{case}_images_per_second": fast, f"{case}_reference": slow, f"{case}_share": share}


def production(network: str, images: Images, batch: int, recipe: Recipe = RECIPE) -> Callable[[], Tensor]:
    """Our step, one after the other."""
    torch.manual_seed(0)
    state = loop.begin(build(network, CLASSES, images.pixels.shape[2]), recipe)
    state.model.train()
    learn = Step(state, recipe)

    def step() -> Tensor:
        generator = batches.generator_for(0, 0, state.step)
        rows = torch.arange(state.step * batch, (state.step + 1) * batch) % len(images)
        optim.set_rate(state.optimiser, recipe, 1.0, 1.0)
        pixels, targets = batches.batch_of(images, rows, recipe, generator)
        state.step += 1
        return learn(pixels, targets)

    return step


def reference(network: str, images: Images, batch: int, recipe: Recipe = RECIPE) -> Callable[[], Tensor]:
    """The step of torchvision's reference scripts on the same device: fp32, NCHW, SGD with our momentum."""
    torch.manual_seed(0)
    device, number = best_device(), 0
    model = build(network, CLASSES, images.pixels.shape[2]).to(device).train()
    optimiser = torch.optim.SGD(
        model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=1e-4, nesterov=True
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    ready = normalise(images.pixels[:]).contiguous()

    def step() -> Tensor:
        nonlocal number
        rows = torch.arange(number * batch, (number + 1) * batch) % len(images)
        number += 1
        loss: Tensor = criterion(model(ready[rows].to(device)), images.labels[rows].to(device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    return step


def toys(count: int, size: int) -> Images:
    """Noise, its mean telling the class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    pixels = torch.randint(0, 120, (count, size, size, 3), generator=generator) + labels.view(-1, 1, 1, 1) * 12
    return Images(pixels.to(torch.uint8).permute(0, 3, 1, 2), labels, tuple(map(str, range(CLASSES))))


def timed(step: Callable[[], Tensor]) -> float:
    """Seconds of the faster of two steps."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        float(step())
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def products() -> float:
    """Floating-point operations per second of 2048² matrix products, the best of three."""
    device = best_device()
    one = torch.randn(2048, 2048, device=device, dtype=torch.bfloat16 if has_bf16(device) else torch.float32)

    def product() -> Tensor:
        return (one @ one)[0, 0]

    return 2 * 2048**3 / min(timed(product) for _ in range(2))


def operations(network: str, size: int) -> float:
    """Floating-point operations that one image costs, forward and backward, as torch's own convolutions are counted.

    Those meet the padding too, which ours over small maps pass over: a count of ours would be lower.
    """
    model = build(network, CLASSES, size).to("meta")
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 3, size, size, device="meta")).sum().backward()
    return float(counter.get_total_flops()) / 2


def loss_difference() -> float:
    """Mean difference of the losses of both ways over 20 steps without augmentation, as a share of the loss."""
    recipe = Recipe(epochs=1, learning_rate=0.005, crop=0.0, flip=False, weight_decay=1e-4)
    images = toys(256, 64)
    ours, theirs = (way("resnet18", images, 32, recipe) for way in (production, reference))
    pairs = [(float(ours()), float(theirs())) for _ in range(20)]
    return sum(abs(mine - other) for mine, other in pairs) / sum(other for _, other in pairs)


if __name__ == "__main__":
    main()
