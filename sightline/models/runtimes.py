"""What runs a graph: pixels uint8 (N, size, size, 3) in, its outputs as arrays."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from sightline.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Run: TypeAlias = "Callable[[NDArray[np.uint8]], list[NDArray[np.float32]]]"

PIXELS = "pixels"
"""Name of a graph's input."""
LIBRARIES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "openvino": ("onnx", "onnxscript", "openvino")}
"""What each format needs beside torch."""
FULL = {"INFERENCE_PRECISION_HINT": "f32"}
"""By itself OpenVINO computes in bfloat16 where the processor can."""


def check_libraries(form: str) -> None:
    """Raises ModelError where a library that writes or runs a format is missing."""
    _hush()
    for name in LIBRARIES.get(form, ()):
        try:
            import_module(name)
        except ModuleNotFoundError:
            raise ModelError(
                f"the library {name} is not installed: pip install 'sightline[{form}]' brings it"
            ) from None


def _hush() -> None:
    """OpenVINO reports home when it is imported, and goes without where what reports is out of reach."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def onnxruntime(file: Path, threads: int = 0) -> Run:
    """The ONNX file run by ONNX Runtime on the CPU, with as many threads as torch has if not told otherwise."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    session: Any = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return lambda pixels: list(session.run(None, {PIXELS: pixels}))


def openvino(file: Path, threads: int = 0) -> Run:
    """The ONNX or IR file run by OpenVINO on the CPU, in the same way."""
    _hush()
    import openvino as ov

    settings = {**FULL, "INFERENCE_NUM_THREADS": threads or torch.get_num_threads()}
    compiled: Any = ov.Core().compile_model(file, "CPU", settings)
    return lambda pixels: [np.array(one) for one in compiled({PIXELS: pixels}).to_tuple()]


def program(file: Path) -> Run:
    """The program that `torch.export` saved, run by torch."""
    module = torch.export.load(file).module()

    def run(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        with torch.no_grad():
            return [one.numpy() for one in module(torch.from_numpy(pixels))]

    return run
