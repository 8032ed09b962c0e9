"""torchvision beside any build of torch.

A torchvision wheel made for CUDA cannot load its compiled operators beside a CPU build of torch, and then the whole
package fails to import although its networks and transforms need none of them. `ensure` loads the compiled operators
where they work; only where they cannot load does it declare the missing names, with a plain `nms`, and a
plain `roi_align` in the place of torchvision's.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import torch

from sightline.heads.nms import nms
from sightline.models.roi_align import roi_align

_KEPT: list[torch.library.Library] = []
"""A library's declarations live as long as its handle."""


@cache
def ensure() -> bool:
    """Make `import torchvision` work; True where its compiled operators are in use."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("torchvision is not installed: pip install torchvision")
    folder = Path(spec.origin).parent
    libraries = sorted([*folder.glob("_C*.so"), *folder.glob("_C*.pyd")])
    try:
        for library in libraries:
            torch.ops.load_library(str(library))
    except OSError:
        _declare()
        return False
    if not libraries:
        _declare()
    return bool(libraries)


def _declare() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    _KEPT.append(library)
    from torchvision.ops import boxes, poolers

    boxes._assert_has_ops = lambda: None  # noqa: SLF001 — it would refuse our own nms
    poolers.roi_align = roi_align  # its own plain one is compiled at the first call, for most of a minute
