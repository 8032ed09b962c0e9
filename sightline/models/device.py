"""On which device and in which precision a network computes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import torch

from sightline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.recipe import Recipe


def best_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on `device`: native matrix products, not an emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def precision(device: torch.device, recipe: Recipe) -> torch.dtype:
    """The type of the matrix products; float16 comes with scaled gradients."""
    named = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if recipe.precision in named:
        return named[recipe.precision]
    if has_bf16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32


@contextmanager
def exact() -> Iterator[None]:
    """Compute float32 in float32 while the block runs: neither TF32 nor bfloat16 inside convolutions and products.

    By default cuDNN rounds what a convolution multiplies to the ten bits of TF32, whatever the precision of matrix
    products. The switches are the process's: they are set when the first thread enters and go back when the last one
    leaves, and what another thread computes meanwhile is exact as well.
    """
    _full.enter()
    try:
        yield
    finally:
        _full.leave()


@contextmanager
def repeatable(wanted: bool) -> Iterator[None]:  # noqa: FBT001
    """Let a GPU compute the same bits each time while the block runs, where that is `wanted`.

    Algorithms are then chosen by what they promise, not by a race. cuBLAS reads its variable when this process first
    multiplies on a GPU: it is set for good. Raises ConfigError where the network needs what torch has in no such form.
    """
    if not wanted:
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cudnn = torch.backends.cudnn
    fills: Any = torch.utils.deterministic  # torch's stubs do not know it
    before = torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark
    filled = fills.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    cudnn.deterministic, cudnn.benchmark = True, False
    # Nothing here reads memory before it writes it; filling all of it first costs a pass over each result.
    fills.fill_uninitialized_memory = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        raise ConfigError(
            f"project.deterministic = true: {str(error).splitlines()[0]} Set it to false, or take another network"
        ) from None
    finally:
        torch.use_deterministic_algorithms(before[0])
        cudnn.deterministic, cudnn.benchmark = before[1:]
        fills.fill_uninitialized_memory = filled


class _Full:
    """Full precision, for as long as anybody is inside."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = Lock(), 0, [""]

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [switch.fp32_precision for switch in _switches()]
                for switch in _switches():
                    switch.fp32_precision = "ieee"

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for switch, before in zip(_switches(), self._before, strict=True):
                    switch.fp32_precision = before


def _switches() -> list[Any]:
    """What decides how float32 is multiplied, on GPUs and on CPUs."""
    backends: Any = torch.backends  # torch's stubs do not know all of them
    cuda, cudnn, onednn = backends.cuda, backends.cudnn, backends.mkldnn
    return [cuda.matmul, cudnn.conv, cudnn.rnn, onednn.matmul, onednn.conv]


_full = _Full()
