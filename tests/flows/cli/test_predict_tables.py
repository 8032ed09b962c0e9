"""Answers for image files as tables, of `sightline predict --csv`."""

from __future__ import annotations

import csv
import os
from typing import TYPE_CHECKING

import boxed
from bundles import write
from conftest import COLOURS, draw
from PIL import Image

from flows.cli.predict import BOX_COLUMNS, _box_table, _table
from sightline.serve.files import predict_files
from sightline.serve.images import sources

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_boxes_have_the_doubts_of_their_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the table of labels has them: whether a person had better look, and whether the image is like no other."""
    (tmp_path / "images").mkdir()
    for seed in range(100, 108):
        Image.fromarray(boxed.draw(seed)[0]).save(tmp_path / "images" / f"{seed}.png")
    Image.effect_mandelbrot((80, 64), (-2, -1, 1, 1), 50).save(tmp_path / "images" / "foreign.png")
    (tmp_path / "images" / "notes.png").write_text("no image")
    rows = predict_files(boxed.write(tmp_path / "bundle"), "1", sources(tmp_path / "images"))
    _box_table(rows)
    told = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert tuple(told[0]) == BOX_COLUMNS
    wanted = {row["path"]: tuple(str(row.get(name, "")).lower() for name in ("abstain", "foreign")) for row in rows}
    assert len({*wanted.values()} - {("", "")}) > 1
    assert {row["path"]: (row["abstain"], row["foreign"]) for row in told} == wanted


def test_names_that_are_no_text_are_spelled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table is UTF-8."""
    (tmp_path / "images").mkdir()
    with open(os.fsencode(tmp_path / "images") + b"/caf\xe9.png", "wb") as file:  # noqa: PTH123 — the name is no text
        draw(1, COLOURS["red"]).save(file, "PNG")
    (tmp_path / "bundle").mkdir()
    _table(predict_files(write(tmp_path / "bundle"), "1", sources(tmp_path / "images")), None)
    (row,) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert row["path"] == f"{tmp_path}/images/caf\\xe9.png"
