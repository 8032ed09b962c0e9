"""The form in which a version answers callers: chosen and compared before the first of them comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.models.backend import adopt
from sightline.models.predictor import Predictor
from sightline.registry.blessing import NOT_APPLICABLE, SERVING
from sightline.registry.rules import blessed
from sightline.tracking import forms

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.models.backend import Making
    from sightline.project import Paths
    from sightline.registry.blessing import Blessing, Bound

ONNX_RUNTIME, TORCH = "ONNX Runtime", "torch"


def check_serving(paths: Paths, bundle: Path, making: Making | None, bound: Bound) -> Blessing:
    """Which runtime answers: ONNX Runtime where it decides as torch does, and then its graph is kept; else torch.

    It passes either way, for the check of integrity has seen torch answer as in training. The figures name the graph
    by its digest, and say whether it was tried; nobody is `making` one where the libraries are not installed.
    """
    if making is None:
        said = "torch answers: ONNX Runtime is not installed here (pip install 'sightline[onnx]')"
        return blessed(SERVING, "passed", said, _figures(TORCH, tried=False), bound)
    try:
        graph = making.wait()
        found = adopt(Predictor.load(bundle), bundle, graph)
        figures = _figures(ONNX_RUNTIME, tried=True, graph=forms.keep(paths, graph))
    except Exception as error:  # noqa: BLE001 — whatever a runtime says of a network, torch can answer
        said = " ".join(str(error).split())
        return blessed(SERVING, "passed", f"torch answers: {said}", _figures(TORCH, tried=True, why=said), bound)
    figures |= {"images": found.images, "difference": found.difference, "allowed": found.allowed}
    said = f"{ONNX_RUNTIME} decides as torch on {found.images} golden images; a probability is off by "
    return blessed(
        SERVING, "passed", f"{said}{found.difference:.1g}, rounding explains {found.allowed:.1g}", figures, bound
    )


def not_made(why: Blessing, bound: Bound) -> Blessing:
    """The blessing of a version that another check refuses."""
    said = f"no serving form is made of a version that {why.name} speaks against"
    return blessed(SERVING, NOT_APPLICABLE, said, _figures(TORCH, tried=False), bound)


def _figures(runtime: str, *, tried: bool, graph: str | None = None, **more: Any) -> dict[str, Any]:
    return {"runtime": runtime, "tried": tried, "graph": graph, **more}
