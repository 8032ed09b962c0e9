"""A bundle as a graph that needs none of our code: pixels in, answers out."""

from __future__ import annotations

import warnings
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.images.normalise import MEAN, STD
from sightline.models.foreign import CLOSEST, FINEST, HIGHEST, SCALES
from sightline.models.operators import ensure
from sightline.models.runtimes import PIXELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch.export import ExportedProgram

    from sightline.models.foreign import Floats, Known, Neighbours
    from sightline.models.networks import Network
    from sightline.models.predictor import Predictor


class Heads(nn.Module):
    """Pixels uint8 (N, S, S, 3) → features (N, F), and logits (N, classes) or candidates (N, K, 6) for boxes."""

    outputs = ("features", "logits")
    mean: Tensor
    std: Tensor

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).mul(255).view(3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits; `normalise` itself goes over the batch in pieces, which no graph can."""
        colours = pixels.permute(0, 3, 1, 2).to(torch.float32)
        return self.model.described((colours - self.mean) / self.std)


class Answering(nn.Module):
    """Pixels → probabilities (N, classes), or calibrated candidates (N, K, 6) for boxes, and how foreign images are.

    The foreign scores (N, 1) are there where the bundle can tell.
    """

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.heads, task = Heads(predictor.model), predictor.task
        self.activation = partial(task.activation, fitted=predictor.card)
        self.evidence = partial(task.graph_evidence, classes=len(predictor.card.classes))
        self.foreign = None if predictor.known is None else Foreign(predictor.known)
        self.outputs = (task.graph,) if self.foreign is None else (task.graph, "foreign_score")

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """What a client needs."""
        features, logits = self.heads(pixels)
        probabilities = self.activation(logits)
        if self.foreign is None:
            return (probabilities,)
        return probabilities, self.foreign(features, self.evidence(logits), pixels)


class Foreign(nn.Module):
    """The scores (N, 1) of `Known` and the statistics of `describe`, which are NumPy's, in torch."""

    energy: Tensor
    limit: Tensor

    def __init__(self, known: Known) -> None:
        super().__init__()
        self.features, self.pixels = _Distance(known.features), _Distance(known.pixels)
        self.register_buffer("energy", _tensor(known.energy))
        self.register_buffer("limit", _tensor(known.limit))

    def forward(self, features: Tensor, evidence: Tensor, pixels: Tensor) -> Tensor:
        """How foreign each image is; above 1 it is called so."""
        energy = _beside(-torch.logsumexp(evidence, dim=1, keepdim=True), self.energy)
        total = self.features(features) + self.pixels(_statistics(pixels)) + energy
        return torch.exp(torch.clamp(total - self.limit, max=HIGHEST))


class _Distance(nn.Module):
    """What `Neighbours.surprise` says of a view (N, D): (N, 1)."""

    center: Tensor
    spread: Tensor
    directions: Tensor
    bank: Tensor
    usual: Tensor

    def __init__(self, neighbours: Neighbours) -> None:
        super().__init__()
        for field in fields(neighbours):
            self.register_buffer(field.name, _tensor(getattr(neighbours, field.name)))

    def forward(self, view: Tensor) -> Tensor:
        placed = ((view - self.center) / self.spread) @ self.directions
        lengths = (placed**2).sum(dim=1, keepdim=True) + (self.bank**2).sum(dim=1)
        squares = lengths - 2 * placed @ self.bank.T
        return _beside(torch.log(torch.clamp(squares.amin(dim=1, keepdim=True), min=CLOSEST)), self.usual)


def _statistics(pixels: Tensor) -> Tensor:
    colours = pixels.permute(0, 3, 1, 2).to(torch.float32)
    colours = _averaged(colours, max(1, pixels.shape[1] // FINEST)) / 255
    means = colours.mean(dim=(2, 3), keepdim=True)
    deviations = torch.sqrt(((colours - means) ** 2).mean(dim=(2, 3)))
    colourful = (colours.amax(dim=1) - colours.amin(dim=1)).mean(dim=(1, 2))
    parts = [means[..., 0, 0], deviations, colourful[:, None]]
    grey = colours.mean(dim=1, keepdim=True)
    for scale in SCALES:
        if grey.shape[2] >= 2 * scale:
            coarse = _averaged(grey, scale)
            down, across = coarse[:, :, 1:] - coarse[:, :, :-1], coarse[..., 1:] - coarse[..., :-1]
            parts += [change.abs().mean(dim=(2, 3)) for change in (down, across)]
    return torch.sqrt(torch.cat(parts, dim=1))


def _averaged(images: Tensor, factor: int) -> Tensor:
    return images if factor == 1 else F.avg_pool2d(images, factor)


def _beside(values: Tensor, usual: Tensor) -> Tensor:
    return torch.clamp((values - usual[0]) / usual[1], min=0)


def _tensor(values: Floats) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


@torch.no_grad()
def traced(module: Heads | Answering, network: str, size: int) -> ExportedProgram:
    """The program of `module` for any number of images of `size` pixels.

    Raises ModelError where torch cannot write the `network` as one.
    """
    pixels = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    batch = {PIXELS: {0: torch.export.Dim("batch")}}
    try:
        program = torch.export.export(module.eval(), (pixels,), dynamic_shapes=batch)
    except Exception as error:  # noqa: BLE001 — what a compiler says of a network is of any kind
        raise _no_graph(network, error) from None
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # it names folders of this machine
    return program


def write_onnx(
    program: ExportedProgram, network: str, file: Path, outputs: tuple[str, ...], told: Mapping[str, str]
) -> None:
    """Write the program of `network` as one ONNX file, whose metadata hold what is `told`.

    Raises ModelError where an operator of the network has no counterpart.
    """
    import onnx

    ensure()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of torch
            made: Any = torch.onnx.export(
                program,
                input_names=[PIXELS],
                output_names=list(outputs),
                dynamic_shapes={PIXELS: {0: "batch"}},
                dynamo=True,
                verbose=False,
            )
        model = made.model_proto
        # What only the exporter can read, longer than the graph.
        for part in (model.graph, *model.graph.node):
            del part.metadata_props[:]
        onnx.helper.set_model_props(model, dict(told))
        onnx.save(model, file)
    except Exception as error:  # noqa: BLE001 — as above
        raise _no_graph(network, error) from None


def _no_graph(network: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(f"network {network!r} cannot be written as a graph ({reason}); `sightline serve` answers with it")
