"""The forms in which a version is written, and what runs each of them."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import torch

from sightline.models import runtimes
from sightline.models.graph import Answering, traced, write_onnx
from sightline.models.runtimes import PIXELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch.export import ExportedProgram

    from sightline.models.predictor import Predictor
    from sightline.models.runtimes import Run

FILES = {"onnx": "model.onnx", "torch": "model.pt2", "openvino": "model.xml"}
"""Format → file of the graph; OpenVINO's weights are in model.bin beside it."""
TOGETHER = 64
"""Images that Triton may put into one batch."""


def write(form: str, predictor: Predictor, folder: Path, told: Mapping[str, Any]) -> Run:
    """Write the graph into `folder`, with what is `told` as metadata where the format holds some; what runs it.

    Raises ModelError where a library is missing or the network cannot be written in that format.
    """
    card, module = predictor.card, Answering(predictor)
    file = folder / FILES[form]
    # Before the minutes that a large network takes.
    runtimes.check_libraries(form)
    program = traced(module, card.network, card.size)
    if form == "torch":
        torch.export.save(program, file)
        return runtimes.program(file)
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in told.items()}
    graph = file.with_suffix(".onnx")
    write_onnx(program, card.network, graph, module.outputs, texts)
    if form == "onnx":
        _triton(folder, str(told["model"]), card.size, dict(zip(module.outputs, _shapes(program), strict=True)))
        return runtimes.onnxruntime(file)
    _to_openvino(graph, file, texts)
    graph.unlink()
    return runtimes.openvino(file)


def _to_openvino(graph: Path, file: Path, told: Mapping[str, str]) -> None:
    import openvino as ov

    # Not by `convert_model`, which reports home.
    model: Any = ov.Core().read_model(graph)
    for key, value in told.items():
        model.set_rt_info(value, ["sightline", key])
    ov.save_model(model, file, compress_to_fp16=False)


def _shapes(program: ExportedProgram) -> list[tuple[int, ...]]:
    """Of what each output has for an image."""
    (*_, last) = program.graph.nodes
    return [tuple(map(int, one.meta["val"].shape[1:])) for one in last.args[0]]


def _triton(folder: Path, name: str, size: int, outputs: Mapping[str, tuple[int, ...]]) -> None:
    """The layout of a model repository around the graph: Triton is told `--model-repository FOLDER/triton`."""
    place = folder / "triton" / name / "1"
    place.mkdir(parents=True)
    graph = folder / FILES["onnx"]
    try:
        os.link(graph, place / graph.name)
    except OSError:
        shutil.copyfile(graph, place / graph.name)  # a file system without links
    rows = [
        f'  {{ name: "{key}" data_type: TYPE_FP32 dims: [ {", ".join(map(str, shape))} ] }}'
        for key, shape in outputs.items()
    ]
    lines = [
        f"name: {json.dumps(name, ensure_ascii=False)}",
        'backend: "onnxruntime"',
        f"max_batch_size: {TOGETHER}",
        f'input [\n  {{ name: "{PIXELS}" data_type: TYPE_UINT8 dims: [ {size}, {size}, 3 ] }}\n]',
        "output [\n" + ",\n".join(rows) + "\n]",
        "dynamic_batching { }",
    ]
    (place.parent / "config.pbtxt").write_text("\n".join(lines) + "\n", encoding="utf-8")
