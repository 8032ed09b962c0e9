"""Values of one run in a file that outlives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flows.values import NOTE, lay, lift
from sightline import config
from sightline.errors import ConfigError

if TYPE_CHECKING:
    from sightline.project import Paths

RECIPES = ("pretrain.recipe", "finetune.recipe", "finetune.scratch")


@pytest.fixture(name="text")
def _text(toy: Paths) -> str:
    return (toy.root / "params.yaml").read_text()


def test_value_of_the_data_is_there_for_the_run_alone(toy: Paths, text: str) -> None:
    """DVC reads it from the file; afterwards the file is as it was, byte for byte. Other values never go there."""
    (said,) = lay(toy.root, {"preprocess.size": 24, "finetune.scratch.epochs": 9}, save=False)
    assert said == "preprocess.size = 24 is written into params.yaml, for this run (--save keeps it)"
    held = (toy.root / "params.yaml").read_text()
    assert "size: 24" in held
    assert "epochs: 9" not in held
    lift(toy.root)
    assert (toy.root / "params.yaml").read_text() == text
    assert not (toy.root / NOTE).exists()
    lift(toy.root)
    assert (toy.root / "params.yaml").read_text() == text


def test_saved_values_stay(toy: Paths) -> None:
    """With --save all do, and those for which each later command must decide alike in any case."""
    lay(toy.root, {"preprocess.size": 24, "pretrain.network": "resnet18", "finetune.scratch.epochs": 9}, save=True)
    assert lay(toy.root, {"evaluate.kept": 0.9}, save=False) == [
        "evaluate.kept = 0.9 is written into params.yaml, stays there"
    ]
    lift(toy.root)
    held = (toy.root / "params.yaml").read_text()
    assert "size: 24" in held
    assert "network: resnet18" in held
    assert "epochs: 9" in held
    assert "kept: 0.9" in held


def test_what_somebody_wrote_meanwhile_is_kept(toy: Paths) -> None:
    """An edit made during the run is not thrown away."""
    lay(toy.root, {"preprocess.size": 24}, save=False)
    place = toy.root / "params.yaml"
    place.write_text(place.read_text() + "# mine\n")
    lift(toy.root)
    assert place.read_text().endswith("# mine\n")
    assert not (toy.root / NOTE).exists()


def test_killed_run_leaves_its_values_to_the_next(toy: Paths, text: str) -> None:
    """Whatever the next one is given: first the file becomes what its user wrote."""
    lay(toy.root, {"preprocess.size": 24}, save=False)
    lift(toy.root)
    lay(toy.root, {"preprocess.size": 40}, save=False)
    lift(toy.root)
    assert (toy.root / "params.yaml").read_text() == text


def test_saved_value_that_contradicts_the_preset_moves_it_into_the_recipes(toy: Paths) -> None:
    """It is said, and the next command loads what this one trains."""
    for key, value in {**{key: {"flip": True} for key in RECIPES}, "project.preset": "balanced"}.items():
        config.write_value(toy.root, key, value)
    given = {"finetune.epochs": 3, "preprocess.size": 24}
    asked = config.load(toy.root, given)
    (*_, said) = lay(toy.root, given, save=True)
    assert said.startswith("project.preset is null in params.yaml now, and the values of balanced stand in the recipes")
    found = config.load(toy.root)
    assert (found.finetune, found.pretrain, found.preprocess) == (asked.finetune, asked.pretrain, asked.preprocess)
    assert found.finetune.recipe.epochs == 3


@pytest.mark.parametrize("key", ["project.task", "datasets.target.task"])
def test_value_that_does_not_go_into_the_file_alone_is_refused(toy: Paths, key: str) -> None:
    """What the next command, or DVC, could not load is not written; --save writes what belongs to it too."""
    lay(toy.root, {key: "multilabel", "evaluate.wanted_precision": 0.9}, save=True)
    text = (toy.root / "params.yaml").read_text()
    given = {key: "classify", "evaluate.wanted_precision": None}
    with pytest.raises(ConfigError, match=r"does not go there without evaluate\.wanted_precision: --save writes all"):
        lay(toy.root, given, save=False)
    assert (toy.root / "params.yaml").read_text() == text
    lay(toy.root, given, save=True)
    assert config.load(toy.root).task_of("target") == "classify"
