"""A bundle with everything that one may hold, and image files that others may read otherwise than training does."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from conftest import COLOURS, draw
from PIL import Image

from sightline.heads.conformal import Conformal
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.images.shape import Fit

SIZE = 16
CLASSES = ("blue", "green", "red")
ALONE = """
import os, runpy, sys
def refuse(event, _):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.posix_spawn")):
        os.write(2, event.encode()); os._exit(9)
sys.addaudithook(refuse)
sys.modules["sightline"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a client, and ends where it asks for the network, for another process or for us."""


def photo(seed: int) -> NDArray[np.uint8]:
    """Pixels of a toy."""
    return np.asarray(draw(seed, list(COLOURS.values())[seed % 3], SIZE))


def file(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """An image as a file."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def odd_images() -> dict[str, bytes]:
    """What a client may decode otherwise than training did."""
    rng = np.random.default_rng(0)
    colours = Image.fromarray(rng.integers(0, 255, (30, 50, 3), dtype=np.uint8)).resize((400, 150))
    clear = colours.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    deep = Image.fromarray(rng.integers(0, 65535, (40, 30), dtype=np.uint16))
    turned = Image.Exif()
    turned[0x0112] = 6
    palette = colours.quantize(8)
    made = {
        "turned.jpg": file(colours, "JPEG", exif=turned),
        "turned.tif": file(colours, "TIFF", exif=turned),
        "without its end.jpg": file(colours, "JPEG")[:-2],
        "several scans.jpg": file(colours, "JPEG", progressive=True)[:-2],
        "cmyk.jpg": file(colours.convert("CMYK"), "JPEG"),
        "clear.png": file(clear),
        "grey and clear.png": file(clear.convert("LA")),
        "palette.png": file(palette, transparency=3),
        "16 bits.png": file(deep),
        "one bit.png": file(colours.convert("1")),
        "moving.gif": file(palette, "GIF", save_all=True, append_images=[palette.rotate(90)]),
    }
    return made | {f"{seed}.png": file(Image.fromarray(photo(seed))) for seed in range(4)}


def write(home: Path, shape: Fit = "squeeze") -> Path:
    """A network with random weights that abstains now and then, answers with sets and knows foreign images."""
    torch.manual_seed(0)
    model = build("cnn", 3, SIZE).eval()
    with torch.no_grad():
        model.head.weight.mul_(300)
    conformal = Conformal(threshold=0.7, coverage=0.9, penalty=0.01, free_ranks=1, images=100)
    card = Card("cnn", SIZE, CLASSES, 1.5, save_weights(model, home), 0.9, None, conformal, shape)
    described = Predictor(card, model).outputs(np.stack([photo(seed) for seed in range(120)])).described
    known = fit(described[:80], np.arange(80) % 3, described[80:], model.head.in_features)
    golden = [file(Image.fromarray(photo(seed))) for seed in range(8)]
    middle = float(np.median(Predictor(card, model).probabilities(list(odd_images().values())).max(axis=1)))
    write_bundle(home / "bundle", replace(card, abstain_below=middle + 1e-3), home / WEIGHTS, golden, known=known)
    return home / "bundle"
