"""Tests of what Label Studio exports: which of its controls chose the labels, in either form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sightline.errors import DataError
from sightline.heads.labels import LABELS
from sightline.labelling import sheet

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = {"sha256": "a" * 64, "place": 0, "at": "2026-11-29T08:00:00+00:00"}
ONE, SETS = "classify", "multilabel"


def chosen(*names: str, control: str = "label", kind: str = "choices") -> dict[str, Any]:
    return {"from_name": control, "to_name": "image", "type": kind, "value": {kind: list(names)}}


def comment(text: str) -> dict[str, Any]:
    return chosen(text, control="comment", kind="textarea")


def export(folder: Path, *given: list[dict[str, Any]], encoding: str = "utf-8") -> Path:
    """A task with one annotation for each of the results."""
    tasks = [
        {"id": number, "data": {**ABOUT, "request": str(number)}, "annotations": [{"id": number, "result": results}]}
        for number, results in enumerate(given, start=1)
    ]
    file = folder / "export.json"
    file.write_text(json.dumps(tasks), encoding=encoding)
    return file


def said(file: Path, task: str) -> dict[str, str]:
    """Request → label."""
    return {one.request: one.label for one in sheet.read(file, LABELS[task], ())}


@pytest.mark.parametrize(
    ("task", "given", "wanted"),
    [
        (ONE, [[chosen("cat", control="choice")]], {"1": "cat"}),
        (SETS, [[chosen("dog", "cat", control="choice")]], {"1": "cat;dog"}),
        (SETS, [[chosen("cat", control="choice")], []], {"1": "cat", "2": ";"}),
        (SETS, [[chosen("cat")], [comment("blurred")]], {"1": "cat", "2": ";"}),
        (ONE, [[chosen("cat"), chosen("sharp", control="quality")]], {"1": "cat"}),
        (
            SETS,
            [[chosen("cat"), chosen("sharp", control="quality")], [chosen("sharp", control="quality")]],
            {"1": "cat", "2": ";"},
        ),
    ],
)
def test_labels_are_the_choices_of_one_control(
    tmp_path: Path, task: str, given: list[list[dict[str, Any]]], wanted: dict[str, str]
) -> None:
    """Of ours, or of the only one there is; comments are no choice, and an annotation without any is the empty set."""
    assert said(export(tmp_path, *given), task) == wanted


@pytest.mark.parametrize("task", [ONE, SETS])
@pytest.mark.parametrize(
    ("given", "there"),
    [
        ([[chosen("cat", control="a")], [chosen("dog", control="b")]], "a (of type choices), b (of type choices)"),
        ([[chosen("cat", kind="taxonomy")]], "label (of type taxonomy)"),
        ([[chosen("cat")], [chosen("dog", control="b")]], "b (of type choices), label (of type choices)"),
        (
            [[chosen("cat", control="b")], [chosen("dog", control="c", kind="taxonomy")]],
            "b (of type choices), c (of type taxonomy)",
        ),
    ],
)
def test_answers_of_other_controls_are_never_lost(
    tmp_path: Path, task: str, given: list[list[dict[str, Any]]], there: str
) -> None:
    """Where nobody can tell which control is meant, those that there are are named."""
    with pytest.raises(DataError, match="has answers of the controls ") as told:
        said(export(tmp_path, *given), task)
    assert f"the controls {there}; labels are the choices of a single one" in str(told.value)


def test_export_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As Windows' editors leave it."""
    assert said(export(tmp_path, [chosen("cat")], encoding="utf-8-sig"), ONE) == {"1": "cat"}


@pytest.mark.parametrize("control", ["label", "choice"])
def test_short_form_is_taken(tmp_path: Path, control: str) -> None:
    """One choice is a text, several are an object; without a control nothing was chosen, or nobody answered."""
    about = {
        "annotator": 1,
        "created_at": "2026-11-29T09:00:00Z",
        "updated_at": "2026-11-29T09:00:00Z",
        "why": "unsure",
    }
    told: list[dict[str, Any]] = [
        {control: "cat"},
        {control: {"choices": ["dog", "cat"]}},
        {"rated": [{"rating": 4}]},
        {},
    ]
    tasks = [
        {"id": n, "image": "x.png", **ABOUT, "request": str(n), "annotation_id": n if one else None, **about, **one}
        for n, one in enumerate(told, start=1)
    ]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks))
    assert said(file, SETS) == {"1": "cat", "2": "cat;dog", "3": ";"}
    file.write_text(json.dumps([tasks[0], {**tasks[0], control: "dog"}]))
    with pytest.raises(DataError, match="is 'dog' here and 'cat' before"):
        said(file, ONE)
