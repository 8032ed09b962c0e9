"""Tests of images with their answers drawn on them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from conftest import draw as toy
from PIL import Image

from sightline.errors import ConfigError
from sightline.serve.drawn import check_apart, draw
from sightline.serve.images import sources

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"label": "red", "probability": 0.9}


def photos(folder: Path, *names: str) -> None:
    """Image files, each of its own."""
    folder.mkdir()
    for seed, name in enumerate(names):
        toy(seed, (200, 50, 40)).save(folder / name, "JPEG")


def test_images_are_never_drawn_over(tmp_path: Path) -> None:
    """Neither by their own name, nor by that of another that became theirs, nor through links."""
    photos(tmp_path / "photos", "a b.jpg", "a-b.jpg", "c.jpg", "d.jpg")
    asked = sources(tmp_path / "photos")
    with pytest.raises(ConfigError, match=r"a-b\.jpg in it is one of the images: name another folder"):
        check_apart(asked, tmp_path / "photos")
    check_apart(asked, tmp_path / "out")
    (tmp_path / "out").mkdir()
    os.link(tmp_path / "photos" / "c.jpg", tmp_path / "out" / "d-2.jpg")
    (tmp_path / "out" / "d.jpg").symlink_to(tmp_path / "nowhere.jpg")
    before = [one.read() for one in asked]
    made = draw(asked, [ROW] * 4, tmp_path / "out")
    assert [path.name for path in made] == ["a-b.jpg", "a-b-2.jpg", "c.jpg", "d-3.jpg"]
    assert [one.read() for one in asked] == before
    assert not (tmp_path / "nowhere.jpg").exists()


def test_only_what_was_drawn_is_drawn_again(tmp_path: Path) -> None:
    """Files that were there keep their bytes; a second run takes the places of the first."""
    photos(tmp_path / "photos", "a.jpg", "b.jpg")
    photos(tmp_path / "out", "a.jpg")
    (tmp_path / "out" / "b.jpg").mkdir()
    mine = (tmp_path / "out" / "a.jpg").read_bytes()
    asked = sources(tmp_path / "photos")
    for _ in range(2):
        made = draw(asked, [ROW] * 2, tmp_path / "out")
        assert [path.name for path in made] == ["a-2.jpg", "b-2.jpg"]
    assert (tmp_path / "out" / "a.jpg").read_bytes() == mine
    with Image.open(made[0]) as picture:
        assert picture.width == 320
    drawn = sources(tmp_path / "out" / "a-2.jpg")
    assert [path.name for path in draw(drawn, [ROW], tmp_path / "out")] == ["a-2-2.jpg"]
