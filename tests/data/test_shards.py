"""How images of any shape become shards."""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import COLOURS, draw, make_project

from sightline import config
from sightline.data import manifest
from sightline.data.ingest import ingest
from sightline.data.loader import load
from sightline.data.shards import preprocess, read_index
from sightline.images.reading import decode
from sightline.project import Paths


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project of images of 1 : 4, lying and standing."""
    home = tmp_path_factory.mktemp("strips")
    for number, (name, colour) in enumerate(COLOURS.items()):
        (home / "images" / name).mkdir(parents=True)
        for index in range(30):
            box = (0, 4, 24, 10) if index % 2 else (4, 0, 10, 24)
            draw(number * 1000 + index, colour).crop(box).save(home / "images" / name / f"{index}.png")
    paths = make_project(home / "toy", home / "images")
    config.write_value(paths.root, "validate.min_side", 4)
    ingest(Paths(paths.root), "target")
    return Paths(paths.root)


def of(paths: Paths, fit: str) -> Paths:
    config.write_value(paths.root, "preprocess.fit", fit)
    return Paths(paths.root)


def test_set_of_strips_is_folded_and_told(strips: Paths) -> None:
    """The shapes in the manifest decide, the index says it, and the pixels are those that serving decodes."""
    index = preprocess(of(strips, "auto"), "target")
    assert index.fit == "fold"
    assert index.sentence.endswith("folded to squares of 16 px")
    assert read_index(strips.shards("target")) == index
    rows = manifest.read(strips.manifest("target"))
    train = rows[(rows["role"] == "train") & (rows["status"] == "ok")].sort_values("shard", kind="stable")
    pixels = load(strips.shards("target"), "train").pixels[:].permute(0, 2, 3, 1).numpy()
    files = [(strips.raw("target") / path).read_bytes() for path in train["path"]]
    assert np.array_equal(pixels, np.stack([decode(data, 16, fit="fold") for data in files]))


def test_other_fit_is_decoded_anew(strips: Paths) -> None:
    """Whoever sets it gets it, and no pixel of the way before stays."""
    ways = {fit: preprocess(of(strips, fit), "target") for fit in ("fold", "pad", "crop", "squeeze", "auto")}
    assert {index.fit for index in ways.values()} == {"fold", "pad", "crop", "squeeze"}
    keys = {fit: [shard.key for shard in index.shards] for fit, index in ways.items()}
    assert keys["auto"] == keys["fold"]
    assert len({*map(tuple, keys.values())}) == 4


def test_square_set_stays_the_version_that_it_was(ingested: Paths) -> None:
    """Neither its index nor the keys of its shards know that there is another way than squeezing."""
    index = preprocess(of(ingested, "auto"), "target")
    told = json.loads((ingested.shards("target") / "index.json").read_text(encoding="utf-8"))
    assert "fit" not in told
    assert index == preprocess(of(ingested, "squeeze"), "target")
    assert "squeezed" in index.sentence
