"""Values of one run in a file that outlives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flows.values import NOTE, lay, lift

if TYPE_CHECKING:
    from sightline.project import Paths


@pytest.fixture(name="text")
def _text(toy: Paths) -> str:
    return (toy.root / "params.yaml").read_text()


def test_value_of_the_data_is_there_for_the_run_alone(toy: Paths, text: str) -> None:
    """DVC reads it from the file; afterwards the file is as it was, byte for byte. Other values never go there."""
    assert lay(toy.root, {"preprocess.size": 24, "finetune.scratch.epochs": 9}, save=False) == ["preprocess.size"]
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
    lay(toy.root, {"evaluate.kept": 0.9}, save=False)
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
