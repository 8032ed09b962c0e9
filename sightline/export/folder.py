"""Writes a version as a folder that runs without Sightline."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.digests import tree_digest
from sightline.errors import ProjectError
from sightline.export.formats import FILES, write
from sightline.files import replacing
from sightline.images.placement import GROUND
from sightline.images.reading import MODES
from sightline.models.bundle import golden
from sightline.models.parity import parity
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.models.runtimes import Run

CARD = "model.json"


@dataclass(frozen=True)
class Exported:
    """What was written."""

    path: str
    format: str
    model: str
    version: str
    digest: str
    """Of the version's whole bundle, as in every answer."""
    images: int
    """Golden images on which graph and bundle were compared."""
    difference: float
    """Largest difference of a probability."""
    allowed: float
    """What rounding explains."""

    @property
    def sentence(self) -> str:
        """What there is to say."""
        return (
            f"version {self.version} of {self.model} is in {self.path}: on {self.images} golden images it decides as "
            f"before, probabilities differ by {self.difference:.1g} at most (rounding explains {self.allowed:.1g})"
        )


def check_free(out: Path) -> None:
    """Raises ProjectError where `out` is anything but missing or an empty folder."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ProjectError(f"{out} is no folder: name a new or an empty one")
    if out.is_dir() and any(out.iterdir()):
        raise ProjectError(f"{out} is not empty: remove what is in it, or name another folder")


def export(bundle: Path, model: str, version: str, form: str, out: Path) -> Exported:
    """Write the `version` of `model` in the folder `bundle` to the folder `out`, in the format `form`.

    Raises ProjectError where `out` is not free; ModelError where the bundle is not whole, a library is missing, the
    network cannot be written in that format, or what was written does not answer as the bundle does.
    """
    check_free(out)
    predictor, digest = Predictor.load(bundle), tree_digest(bundle)
    told = {"model": model, "version": version, "digest": digest, "format": form, **_described(predictor)}
    with replacing(out) as scratch:
        scratch.mkdir()
        run = write(form, predictor, scratch, told)
        images = golden(bundle)
        found = parity(predictor, images, *_answers(predictor, images, run))
        (scratch / CARD).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        for name in ("README.md", "client.py"):
            (scratch / name).write_text(_page(name, told), encoding="utf-8")
        check_free(out)
    return Exported(str(out), form, model, version, digest, **asdict(found))


def _described(predictor: Predictor) -> dict[str, Any]:
    """What a client must know; the bundle's own digests are in the version's."""
    values = asdict(predictor.card)
    kept = (
        "network",
        "size",
        "fit",
        "white",
        "classes",
        "temperature",
        "wanted_accuracy",
        "abstain_below",
        "conformal",
    )
    more = {} if values["decoding"] is None else {"decoding": values["decoding"]}
    more |= dict(predictor.task.client)
    return {key: values[key] for key in kept} | more | {"foreign": predictor.known is not None}


def _answers(
    predictor: Predictor, images: list[bytes], run: Run
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """What the graph answers: probabilities (N, C) or boxes (N, 100, 6), and foreign scores (N,) where it can tell."""
    pixels = np.stack([predictor.decode(data) for data in images])
    # One image, then the others: the graph must take any number.
    parts = [run(part) for part in (pixels[:1], pixels[1:]) if len(part)]
    probabilities, *scores = (np.concatenate(one) for one in zip(*parts, strict=True))
    return predictor.task.settled(probabilities), scores[0][:, 0] if scores else None


def _page(name: str, told: dict[str, Any]) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # No HTML: of what users named only the model's name goes in, which holds no quotes.
    environment = Environment(  # noqa: S701
        loader=PackageLoader("sightline.export"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    values = {"file": FILES[told["format"]], "ground": GROUND, "modes": sorted(MODES)}
    return environment.get_template(f"{name}.j2").render(told, **values)
