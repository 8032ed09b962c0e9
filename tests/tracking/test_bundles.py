"""Bundles in the project: each under its digest, whole or not there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from sightline.digests import tree_digest
from sightline.project import Paths
from sightline.tracking import bundles

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A folder with two files, one of them in a folder of its own."""
    folder = tmp_path / "bundle"
    (folder / "more").mkdir(parents=True)
    (folder / "card.json").write_text("{}")
    (folder / "more" / "weights").write_bytes(bytes(1000))
    return folder


def test_kept_bundle_is_held_under_its_digest(bundle: Path, tmp_path: Path) -> None:
    """What is kept can be had again, whatever becomes of the original."""
    paths, digest = Paths(tmp_path), tree_digest(bundle)
    assert bundles.held(paths, digest) is None
    kept = bundles.keep(paths, bundle)
    shutil.rmtree(bundle)
    assert bundles.held(paths, digest) == kept
    assert kept.name == tree_digest(kept) == digest


@pytest.mark.parametrize("damage", ["flip", "cut", "add", "remove", "rename"])
def test_damaged_bundle_is_not_held_and_made_anew(bundle: Path, tmp_path: Path, damage: str) -> None:
    """A byte, a length, a further file, a missing one or another name: each is seen."""
    paths, digest = Paths(tmp_path), tree_digest(bundle)
    file = bundles.keep(paths, bundle) / "more" / "weights"
    if damage == "flip":
        file.write_bytes(bytes(999) + b"\1")
    elif damage == "cut":
        file.write_bytes(bytes(999))
    elif damage == "add":
        file.with_name("sitecustomize.py").write_text("")
    elif damage == "remove":
        file.unlink()
    else:
        file.rename(file.with_name("other"))
    assert bundles.held(paths, digest) is None
    bundles.keep(paths, bundle)
    assert bundles.held(paths, digest) is not None
