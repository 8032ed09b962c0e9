"""What of a machine decides the bits of a training run besides seed, plan and data."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from sightline.models.device import best_device, has_bf16


def machine(device: torch.device | None = None) -> dict[str, str]:
    """Device, processor, threads and libraries of this process: where all agree, the same run gives the same weights.

    `device` is the one that training picks, if not said otherwise. On a GPU that takes `project.deterministic`.
    """
    device = device or best_device()
    return {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "cpu": _processor(),
        # Instruction set that the kernels are picked for; a variable of the same name can lower it.
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bf16": str(has_bf16(device)).lower(),
        "threads": str(torch.get_num_threads()),
        "system": f"{platform.system()} {platform.machine()}",
        "torch": str(torch.__version__),
        "torchvision": version("torchvision"),
        "numpy": np.__version__,
    }


def use_threads(count: str) -> None:
    """Compute with so many threads from now on."""
    torch.set_num_threads(int(count))


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or os.uname().machine
