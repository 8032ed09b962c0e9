"""Parts of a batch that hold one image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sightline import config
from sightline.data.ingest import ingest
from sightline.data.reference import DataRef
from sightline.data.shards import preprocess
from sightline.errors import ConfigError
from sightline.models.zoo import build
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import parts, stages
from sightline.train.chain import SCRATCH


def check(size: int, images: int = 60, **values: Any) -> None:
    parts.check(build("cnn", 3, size), "cnn", size, Recipe(epochs=1, **values), SCRATCH, images)


@pytest.mark.parametrize(
    ("images", "values"),
    [
        (60, {"batch_size": 1}),
        (60, {"batch_size": 4, "accumulate": 4}),
        (60, {"batch_size": 7, "accumulate": 3}),
        (1, {}),
    ],
)
def test_part_of_one_image_is_refused_where_maps_have_one_pixel(images: int, values: dict[str, Any]) -> None:
    """The small network sees one pixel of images of 8 px at its end, of which there is no spread; of 16 px four."""
    with pytest.raises(
        ConfigError, match=r"^scratch: of .* training images with batch_size = .* raise batch_size or lower accumulate$"
    ):
        check(8, images, **values)
    check(16, images, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"batch_size": 4, "accumulate": 2},
        {"batch_size": 1, "freeze_statistics": True},
        {"batch_size": 1, "freeze_backbone": True},
    ],
)
def test_other_parts_are_taken(values: dict[str, Any]) -> None:
    """Two images have a spread, and statistics that stay as they are ask for none."""
    check(8, **values)


def test_run_with_such_parts_is_refused_before_it_trains(toy: Paths) -> None:
    """The recipe of each stage that the run has is looked at, with the images that there are."""
    digests = dict.fromkeys(("version", "validation", "shards"), "")
    counts = (("train", 108), ("val", 18))
    params, data = toy.params, DataRef(use="target", size=8, classes=("blue", "red"), counts=counts, **digests)
    parts.check_ahead(params, [data])
    alone = replace(params.finetune, scratch=Recipe(epochs=1, batch_size=1))
    with pytest.raises(
        ConfigError, match=r"^scratch: of 108 training images with batch_size = 1 and accumulate = 1 a part"
    ):
        parts.check_ahead(replace(params, finetune=alone), [data])


def test_stage_with_such_parts_is_refused(toy: Paths) -> None:
    """Whoever trains without a flow hears the same sentence, and torch is not asked."""
    config.write_value(toy.root, "preprocess.size", 8)
    paths = Paths(toy.root)
    ingest(paths, "target")
    preprocess(paths, "target")
    paths.runs.mkdir(exist_ok=True)
    place = stages.Place(paths.root, paths.runs, paths.shards("target"), lambda _: None)
    with pytest.raises(ConfigError, match="raise batch_size or lower accumulate"):
        stages.scratch(place, "cnn", Recipe(epochs=1, batch_size=1), 0)
