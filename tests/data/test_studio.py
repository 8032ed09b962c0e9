"""Labels as Label Studio exports them: whole, "min" and as CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sightline.data.sources import scan, tables
from sightline.data.sources.arrival import bring, described
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

SHOWN = {"1 a.png": "cat", "2.png": "dog"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images, by the names that they had before they were uploaded."""
    place = tmp_path / "yard"
    place.mkdir()
    for number, name in enumerate(SHOWN):
        Image.new("L", (8, 8), number).save(place / name)
    return place


def uploaded(name: str) -> str:
    return f"/data/upload/7/0a1b2c3d-{name}"


def answer(*choices: str, **more: Any) -> dict[str, Any]:
    value = {"type": "choices", "from_name": "choice", "to_name": "image", "value": {"choices": list(choices)}}
    return {"id": 9, "result": [value] if choices else [], **more}


def tasks(images: dict[str, list[dict[str, Any]]]) -> str:
    told = [{"id": 4, "data": {"image": image}, "annotations": given} for image, given in images.items()]
    return json.dumps(told)


FORMS = {
    "whole.json": tasks({uploaded(name.replace(" ", "%20")): [answer(label)] for name, label in SHOWN.items()}),
    "local.json": tasks({f"/data/local-files/?d=yard/{name}": [answer(label)] for name, label in SHOWN.items()}),
    "min.json": json.dumps([{"image": uploaded(name), "choice": label, "id": 1} for name, label in SHOWN.items()]),
    "export.csv": "annotation_id,annotator,choice,created_at,id,image,lead_time\n"
    + "".join(f'1,2,{label},2026,3,"{uploaded(name)}",4.5\n' for name, label in SHOWN.items()),
}


@pytest.mark.parametrize("name", FORMS)
def test_choices_are_labels(folder: Path, tmp_path: Path, name: str) -> None:
    """The file that is named is read, and images are found by the names that they had."""
    (folder / name).write_text(FORMS[name], encoding="utf-8")
    said = bring(folder / name, tmp_path / "raw")
    assert {one.path: one.label for one in scan(tmp_path / "raw")} == SHOWN
    if "upload" in FORMS[name]:
        assert "by the names that files had before Label Studio took them (2 rows)" in said[0]


def test_stored_names(folder: Path, tmp_path: Path) -> None:
    """Images that were taken from where Label Studio keeps them are called as there."""
    (folder / "2.png").rename(folder / "0a1b2c3d-2.png")
    Image.new("L", (8, 8), 5).save(folder / "2.png")
    (folder / "a.json").write_text(tasks({uploaded("2.png"): [answer("cat")]}), encoding="utf-8")
    bring(folder / "a.json", tmp_path / "raw")
    assert [one.path for one in scan(tmp_path / "raw")] == ["0a1b2c3d-2.png"]


def test_several_and_none(folder: Path) -> None:
    """Several choices are a set; a task that nobody answered, or that was skipped, has no label."""
    Image.new("L", (8, 8), 5).save(folder / "3.png")
    skipped = answer("dog", was_cancelled=True)
    told = {"1 a.png": [answer("cat", "dog"), answer("dog", "cat")], "2.png": [], "3.png": [skipped]}
    table = folder / "a.json"
    table.write_text(tasks(told), encoding="utf-8")
    found = {one.path: (one.label, one.several) for one in tables.listed(table)[0]}
    assert found == {"1 a.png": ("cat;dog", True), "2.png": (None, False), "3.png": (None, False)}


def test_people_who_disagree(folder: Path) -> None:
    table = folder / "a.json"
    table.write_text(tasks({"2.png": [answer("cat"), answer("dog")]}), encoding="utf-8")
    with pytest.raises(DataError, match="task 4 has the labels 'cat' and 'dog': let its people agree"):
        tables.listed(table)


def test_a_folder_with_such_a_file(folder: Path) -> None:
    """Which JSON would be meant is not guessed; it is told what to name."""
    (folder / "min.json").write_text(FORMS["min.json"], encoding="utf-8")
    (folder / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"name that file, --images …/min\.json"):
        described(folder)
