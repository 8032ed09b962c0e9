"""The bundle that a classifier is registered and served as: a card, the weights, and golden images to check it by."""

from __future__ import annotations

import base64
import json
import math
import shutil
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from sightline.digests import file_digest
from sightline.errors import ModelError
from sightline.heads.conformal import Conformal
from sightline.heads.known import HEADS
from sightline.heads.labels import CLASSIFY, noted
from sightline.images.reading import MAX_PIXELS, WHITE
from sightline.images.shape import Fit
from sightline.models.foreign import KNOWN, Known
from sightline.models.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from sightline.models.networks import Network

BUNDLE, GOLDEN = "bundle.json", "golden.json"
LARGEST = 4096
"""Pixels of an image's side beyond which a card is no card: the network alone would fill the memory."""


@dataclass(frozen=True)
class Card:
    """Everything that serving needs besides the weights."""

    network: str
    size: int
    classes: tuple[str, ...]
    temperature: float
    """Logits are divided by it before the softmax (Guo et al. 2017)."""
    weights: str
    """SHA-256 of the weights file: confident answers alone would not show every change."""
    wanted_accuracy: float | None = None
    """Share of right ones that answers above the threshold shall have; None in bundles older than this field."""
    abstain_below: float | None = None
    """Answers that are less sure than this had better go to a person; None where no threshold was found."""
    conformal: Conformal | None = None
    """What makes the sets of likely classes; None where there were no images to calibrate on."""
    fit: Fit = "squeeze"
    """How images of other shapes become square; older bundles, without this field, squeeze them."""
    known: str | None = None
    """SHA-256 of the file that tells foreign images; None where there is none, as in bundles older than this field."""
    white: int = WHITE
    """Level of 16-bit grey that is white."""
    max_pixels: float = MAX_PIXELS
    """Larger images are not decoded, where no project says otherwise."""
    task: str = CLASSIFY
    """Which head makes answers of the network's outputs."""
    decoding: dict[str, Any] | None = None
    """What that head fitted besides, as plain values."""

    @property
    def compared(self) -> Card:
        """With the thresholds of the highest F1: the precision that its users want is no merit of a network."""
        values = self.decoding or {}
        if not values.get("operating"):
            return self
        best = {"thresholds": values["operating"]["best"]}
        return replace(self, decoding={name: one for name, one in (values | best).items() if name != "operating"})

    @property
    def network_alone(self) -> Card:
        """Without what the calibration images said: equal for two cards of one network."""
        nothing: dict[str, Any] = dict.fromkeys(("wanted_accuracy", "abstain_below", "conformal", "known", "decoding"))
        return replace(self, temperature=1.0, **nothing)

    @property
    def told(self) -> dict[str, Any]:
        """What its file says; of the first task nothing that files from before there were others do not say."""
        values = {key: value for key, value in asdict(self).items() if key not in {"task", "decoding"}}
        return {**values, **noted(self.task), **({} if self.decoding is None else {"decoding": self.decoding})}


def read_card(folder: Path) -> Card:
    """The card of the bundle in `folder`, without the network; raises ModelError where it is none."""
    try:
        return _card(json.loads((folder / BUNDLE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _broken(folder, error) from error


def load(folder: Path) -> tuple[Card, Network, Known | None]:
    """Card and network of the bundle in `folder`, and what tells foreign images.

    Raises ModelError where a file is missing, was changed or does not fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from sightline.models.networks import build

    card = read_card(folder)
    try:
        for name, digest in ((WEIGHTS, card.weights), (KNOWN, card.known)):
            if digest is not None and file_digest(folder / name) != digest:
                raise ModelError(f"{folder / name} was changed since it was registered: do not use this model")
        model = build(card.task, card.network, len(card.classes), card.size)
        model.load_state_dict(load_file(folder / WEIGHTS))
        known = None if card.known is None else Known.read(folder / KNOWN)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise _broken(folder, error) from error
    return card, model, known


def _broken(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"{folder} is not a whole model bundle: {' '.join(str(error).split())[:300]}")


def _card(values: dict[str, Any]) -> Card:
    conformal = values.get("conformal")
    known = Conformal(**conformal) if conformal else None
    card = Card(**{**values, "classes": tuple(values["classes"]), "conformal": known})
    if not (type(card.size) is int and 1 <= card.size <= LARGEST):
        raise ValueError(f"size = {card.size!r} is no number of pixels up to {LARGEST}")
    if card.fit not in get_args(Fit):
        raise ValueError(f"fit = {card.fit!r} is none of {', '.join(get_args(Fit))}")
    if not card.classes or {type(name) for name in card.classes} != {str} or len({*card.classes}) < len(card.classes):
        raise ValueError("classes are not the names of one class or more, each once")
    if not (type(card.white) is int and 0 < card.white <= WHITE):
        raise ValueError(f"white = {card.white!r} is no level of 16 bits")
    if card.task not in HEADS:
        raise ValueError(f"task = {card.task!r} is none of {', '.join(HEADS)}")
    HEADS[card.task].check(card)
    numbers = {"temperature": card.temperature, "abstain_below": card.abstain_below or 0.0}
    numbers |= {"max_pixels": card.max_pixels}
    numbers |= {name: float(value) for name, value in vars(known).items()} if known else {}
    for name, value in numbers.items():
        if not isinstance(value, float | int) or not math.isfinite(value):
            raise ValueError(f"{name} = {value!r} is no number")
    if card.temperature <= 0:
        raise ValueError(f"temperature = {card.temperature!r} is not above 0")
    return card


def write(folder: Path, card: Card, weights: Path, known: Known | None = None) -> None:
    """Make a bundle of `card`, the `weights` file and what is `known` in the new folder `folder`."""
    folder.mkdir()
    shutil.copyfile(weights, folder / WEIGHTS)
    if known is not None:
        known.write(folder / KNOWN)
        card = replace(card, known=file_digest(folder / KNOWN))
    (folder / BUNDLE).write_text(json.dumps(card.told, indent=1) + "\n", encoding="utf-8")


def golden(folder: Path) -> list[bytes]:
    """The golden images of the bundle in `folder`, as files.

    Raises ModelError where it has none.
    """
    try:
        rows = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))
        images = [base64.b64decode(one["image"]) for one in rows]
    except (OSError, ValueError, TypeError, KeyError):
        images = []
    if not images:
        raise ModelError(f"{folder} has no golden images to compare its answers on: train and register it again")
    return images


def write_golden(
    folder: Path,
    golden: Sequence[bytes],
    logits: NDArray[np.floating[Any]],
    probabilities: NDArray[np.floating[Any]],
) -> None:
    """Add the golden images with their logits (N, classes) and probabilities (N, classes)."""
    rows = zip(golden, logits.tolist(), probabilities.tolist(), strict=True)
    described = [
        {"image": base64.b64encode(data).decode(), "logits": before, "probabilities": after}
        for data, before, after in rows
    ]
    (folder / GOLDEN).write_text(json.dumps(described) + "\n", encoding="utf-8")
