"""Several labels for each image: the tables and folders that say so, and what becomes of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import make_images
from PIL import Image
from several import make_sheets

from sightline import config, project, scaffold
from sightline.data import manifest
from sightline.data.contents import read_layout
from sightline.data.ingest import ingest
from sightline.data.loader import load
from sightline.data.quality import OF_SETS, findings, sets
from sightline.data.shards import preprocess, read_index
from sightline.data.sources import label_sets, scan, tables
from sightline.data.validation import suite
from sightline.data.validation.expectations import validate
from sightline.errors import DataError
from sightline.heads.labels import CLASSIFY, LABELS, MULTILABEL
from sightline.params import Validate

ROOT = Path(__file__).parents[2]
CSV = "path,labels\na.png,dog;cat\nb.png,cat\nc.png,\nd.png,;\n"
PIPES = "path,labels\na.png,dog|cat\nb.png,cat\nc.png,\nd.png,|\n"
COLUMNS = ",file_name,cat,Big Dog,split\n0,a.png,1,1,train\n1,b.png,1.0,0.0,train\n2,c.png,,,test\n3,d.png,0,,test\n"
SIGNED = "file_name,cat,Big Dog\na.png,1,1\nb.png,1.0,-1.0\nc.png,,\nd.png,-1,\n"
CELLS = pd.DataFrame({"path": ["a.png", "b.png", "c.png", "d.png"], "labels": [["dog", "cat"], ["cat"], None, []]})
AS_PYTHON = CELLS.to_csv(index=False)
AS_JSON = AS_PYTHON.replace("\"['dog', 'cat']\"", '"[""dog"", ""cat""]"').replace("'cat'", '"cat"')
AS_NUMPY = CELLS.assign(labels=CELLS["labels"].map(np.array, na_action="ignore")).to_csv(index=False)
COMMAS = 'path,labels\na.png,"dog, cat"\nb.png,cat\nc.png,\nd.png,dog\n'
LISTS = {"a.png": ["dog", "cat"], "b.png": ["cat"], "d.png": []}
JSONL = "".join(json.dumps({"path": path, "labels": labels}) + "\n" for path, labels in LISTS.items())


def labels_of(folder: Path, name: str, text: str) -> dict[str, str | None]:
    folder.mkdir(exist_ok=True)
    for one in "abcd":
        (folder / f"{one}.png").touch()
    (folder / name).write_text(text, encoding="utf-8")
    return {item.path: item.label for item in tables.items(folder)}


@pytest.mark.parametrize(
    ("name", "text", "dog"),
    [
        ("labels.csv", CSV, "dog"),
        ("labels.csv", CSV.replace(",", "\t"), "dog"),
        ("labels.csv", PIPES, "dog"),
        ("labels.csv", COLUMNS, "Big Dog"),
        ("labels.jsonl", JSONL, "dog"),
        ("labels.csv", AS_PYTHON, "dog"),
        ("labels.csv", AS_PYTHON.replace("labels", "label"), "dog"),
        ("labels.csv", AS_JSON, "dog"),
        ("labels.csv", AS_NUMPY, "dog"),
        ("labels.csv", SIGNED, "Big Dog"),
    ],
)
def test_table_tells_the_labels_of_an_image(tmp_path: Path, name: str, text: str, dog: str) -> None:
    """By a column with separators, by lists or the texts of such, or by a column of 0 and 1, or ±1, for each class.

    An empty cell is no label, a separator alone says that no class shows.
    """
    found = labels_of(tmp_path, name, text)
    expected: dict[str, str | None] = {"a.png": ";".join(sorted([dog, "cat"])), "b.png": "cat", "d.png": ";"}
    assert {path: label for path, label in found.items() if path != "c.png"} == expected
    assert found.get("c.png") is None
    assert label_sets.shows_several(tmp_path, tables.items(tmp_path))


def test_semicolon_in_a_column_label_is_a_name(tmp_path: Path) -> None:
    """Only a column that is named for several is split; where an image has one label nothing changes."""
    assert labels_of(tmp_path, "labels.csv", CSV.replace("labels", "label"))["a.png"] == "dog;cat"
    assert not label_sets.shows_several(tmp_path, tables.items(tmp_path))


def test_texts_of_lists_are_sets_wherever_labels_are_read() -> None:
    """As Python, NumPy, JSON and Label Studio write them; what has brackets and no quotation marks stays a name."""
    texts = {"['a', \"it's\"]": ["a", "it's"], "['a' 'b c'\n 'd']": ["a", "b c", "d"], "{'a'}": ["a"], "set()": []}
    texts |= {"('a',)": ["a"], '{"choices": ["a", "b"]}': ["a", "b"], '["\\ud83d\\ude00"]': ["😀"]}
    assert {text: label_sets.as_list(text) for text in texts} == texts
    names = ("[a]", "golden [retriever]", "(0, 5]", "[0, 5]", "(a)", "{}", "['a]", "a")
    assert [label_sets.as_list(name) for name in names] == [*names]
    assert label_sets.as_list("[0, 5]", numbers=True) == [0, 5]
    assert label_sets.as_list("(0, 5]", numbers=True) == "(0, 5]"


def test_commas_part_names_where_the_column_looks_so(tmp_path: Path) -> None:
    """Which is told; names that hold a comma stay whole, and so does what the column of one label holds."""
    assert labels_of(tmp_path, "labels.csv", COMMAS) == {
        "a.png": "cat;dog",
        "b.png": "cat",
        "c.png": None,
        "d.png": "dog",
    }
    assert "commas in labels as between names" in str(tables.listed(tmp_path / "labels.csv"))
    fish = 'path,labels\na.png,"fish, small"\nb.png,"fish, large"\nc.png,dog\nd.png,fish\n'
    assert labels_of(tmp_path, "labels.csv", fish)["a.png"] == "fish, small"
    assert tables.listed(tmp_path / "labels.csv")[1] == ["labels as label"]
    assert labels_of(tmp_path, "labels.csv", COMMAS.replace("labels", "label"))["a.png"] == "dog, cat"
    assert "'dog, cat' as one name (where it is several, put ; between" in tables.listed(tmp_path / "labels.csv")[1][0]
    assert labels_of(tmp_path, "labels.csv", COMMAS.replace(", ", " "))["a.png"] == "dog cat"
    assert "'dog cat' as one name (where it is several, put ; between" in tables.listed(tmp_path / "labels.csv")[1][1]


@pytest.mark.parametrize("mark", ["1", "x", "True"])
def test_empty_cells_are_zeros_where_nothing_else_is(tmp_path: Path, mark: str) -> None:
    """A row of them shows none of the classes, which is told; where others say 0 it waits for its label."""
    text = f"path,cat,dog\na.png,{mark},{mark}\nb.png,{mark},\nc.png,,\nd.png,,{mark}\n"
    assert labels_of(tmp_path, "labels.csv", text) == {"a.png": "cat;dog", "b.png": "cat", "c.png": ";", "d.png": "dog"}
    assert "empty cells as 0" in str(tables.listed(tmp_path / "labels.csv")[1])
    assert labels_of(tmp_path, "labels.csv", "path,cat,dog\na.png,1,0\nb.png,1,\nc.png,,\n")["c.png"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,cat,dog\na.png,1,-1\nb.png,0,1\n", "line 2: '-1' in column 'dog' is neither 0 nor 1"),
        ("path,cat,dog\na.png,1,0\nb.png,2,0\n", "line 3: '2' in column 'cat' is neither 0 nor 1"),
        ("path,width,height\na.png,640,480\n", "neither 0 nor 1"),
        ("path,cat\na.png,1\n", "it must name a column path and a column label"),
    ],
)
def test_columns_that_are_no_classes_are_refused(tmp_path: Path, text: str, said: str) -> None:
    """With line, column and value; one column alone may say anything."""
    with pytest.raises(DataError, match=said):
        labels_of(tmp_path, "labels.csv", text)


@pytest.mark.parametrize("name", ["type", "Tag", "species", "diagnosis"])
def test_column_of_a_class_that_is_called_as_labels_are(tmp_path: Path, name: str) -> None:
    """With 0 and 1 as all others have it is one of the classes; with other values it is the label of each image."""
    assert labels_of(tmp_path, "labels.csv", f"path,dent,{name}\na.png,1,1\nb.png,0,1\n") == {
        "a.png": ";".join(sorted([name, "dent"])),
        "b.png": name,
    }
    assert labels_of(tmp_path, "labels.csv", f"path,dent,{name}\na.png,1,1\nb.png,0,2\n") == {
        "a.png": "1",
        "b.png": "2",
    }
    assert labels_of(tmp_path, "labels.csv", f"path,age,{name}\na.png,50,1\nb.png,7,0\n") == {
        "a.png": "1",
        "b.png": "0",
    }
    assert labels_of(tmp_path, "labels.csv", f"path,{name}\na.png,1\nb.png,0\n") == {"a.png": "1", "b.png": "0"}


def test_number_of_an_image_is_no_class(tmp_path: Path) -> None:
    """Beside the column that names the files."""
    found = labels_of(tmp_path, "labels.csv", "path,image_id,dent,scratch\na.png,17,1,1\nb.png,18,0,1\n")
    assert found == {"a.png": "dent;scratch", "b.png": "scratch"}


def test_name_with_a_separator_is_refused_in_a_list(tmp_path: Path) -> None:
    """It would come back as two."""
    with pytest.raises(DataError, match=r"line 1: the label 'cat;dog' holds"):
        labels_of(tmp_path, "labels.jsonl", '{"path": "a.png", "labels": ["cat;dog", "fox"]}\n')


def test_facts_about_images_are_no_classes(tmp_path: Path) -> None:
    """A metadata.csv with flags beside class folders stays what it is."""
    images = make_images(tmp_path / "images", per_class=2)
    (images / "metadata.csv").write_text("file_name,indoor,flash\nred/0000.png,0,1\n", encoding="utf-8")
    assert {item.label for item in scan(images)} == {"blue", "green", "red"}


def test_columns_of_classes_under_another_name(tmp_path: Path) -> None:
    """Where no folders are classes a table of them says so whatever it is called, one in each split too (Roboflow)."""
    for split, name in (("train", "a"), ("valid", "b")):
        image = tmp_path / "set" / split / f"{name}.png"
        image.parent.mkdir(parents=True)
        Image.new("L", (32, 32)).save(image)
        (image.parent / "_classes.csv").write_text(f"filename, cat, dog\n{name}.png, 1, {int(name == 'b')}\n")
    found = {item.path: (item.label, item.split) for item in scan(tmp_path / "set")}
    assert found == {"train/a.png": ("cat", "train"), "valid/b.png": ("cat;dog", "val")}
    assert label_sets.shows_several(tmp_path / "set", scan(tmp_path / "set"))


def test_init_finds_the_task_and_keeps_the_sets(tmp_path: Path) -> None:
    """A table of lists makes a project of several labels; its copy says the same."""
    images = make_sheets(tmp_path / "sheets", 12)
    (images / "labels.jsonl").rename(images / "all.jsonl")
    scaffold.init(tmp_path / "project", str(images / "all.jsonl"), None, "toy", lambda _: None)
    paths = project.Paths(tmp_path / "project")
    assert paths.params.task_of("target") == MULTILABEL
    copied = {item.path: item.label for item in scan(paths.raw("target"))}
    (images / "labels.jsonl").write_text((images / "all.jsonl").read_text())
    assert copied == {item.path: item.label for item in scan(images)}


@pytest.mark.parametrize("kind", [pytest.param("symlink", marks=pytest.mark.slow), "link"])
def test_file_that_is_linked_under_two_classes_shows_both(tmp_path: Path, kind: str) -> None:
    """`init` sees the links; the copies that it makes are one image with both labels, counted once."""
    images = make_images(tmp_path / "images", per_class=8)
    getattr(os, kind)(images / "red" / "0000.png", images / "blue" / "both.png")
    said: list[str] = []
    scaffold.init(tmp_path / "project", str(images), None, "toy", said.append)
    paths = project.Paths(tmp_path / "project")
    assert paths.params.project.task == MULTILABEL
    rows = ingest(paths, "target").set_index("path")
    assert rows.loc[["red/0000.png", "blue/both.png"], "label"].tolist() == ["blue;red", "blue;red"]
    assert sorted(rows.loc[["red/0000.png", "blue/both.png"], "status"]) == ["held_back", "ok"]
    assert rows["role"].notna().all()
    again = ingest(paths, "target").set_index("path")
    assert again["status"].equals(rows["status"])


def test_copies_under_two_classes_stay_a_contradiction(tmp_path: Path) -> None:
    """Nobody said that an image has several labels: it may be a mistake."""
    images = make_images(tmp_path / "images", per_class=8)
    (images / "blue" / "both.png").write_bytes((images / "red" / "0000.png").read_bytes())
    scaffold.init(tmp_path / "project", str(images), None, "toy", lambda _: None)
    paths = project.Paths(tmp_path / "project")
    assert paths.params.project.task == CLASSIFY
    rows = ingest(paths, "target").set_index("path")
    assert rows.loc["blue/both.png", "reason"] == "contradictory: the same image is labelled blue, red"
    config.write_value(paths.root, "project.task", MULTILABEL)
    rows = ingest(project.Paths(paths.root), "target").set_index("path")
    assert rows.loc["red/0000.png", "label"] == "blue;red"


def test_sets_are_refused_where_one_label_is_learned(tmp_path: Path) -> None:
    """With the image and the remedy, and not as classes of strange names."""
    images = make_sheets(tmp_path / "sheets", 12)
    with pytest.raises(DataError, match=r"png: it has .* set project.task to multilabel"):
        read_layout(images, CLASSIFY)
    assert len(read_layout(images, MULTILABEL)) == 12


def test_source_with_one_label_each_is_read_as_such(tmp_path: Path) -> None:
    """A backbone may learn from class folders, whatever the target has."""
    source, target = make_images(tmp_path / "source", 4), make_sheets(tmp_path / "target", 12)
    scaffold.init(tmp_path / "project", str(target), str(source), "toy", lambda _: None)
    params = project.Paths(tmp_path / "project").params
    assert (params.task_of("source"), params.task_of("target")) == (CLASSIFY, MULTILABEL)


def test_shards_hold_a_row_of_bits_for_each_image(tmp_path: Path) -> None:
    """And say so in their index; every class has images in every role."""
    scaffold.init(tmp_path / "project", str(make_sheets(tmp_path / "sheets", 80)), None, "toy", lambda _: None)
    paths = project.Paths(tmp_path / "project")
    rows = ingest(paths, "target")
    preprocess(paths, "target")
    images = load(paths.shards("target"), "train")
    assert (images.task, images.classes, read_index(paths.shards("target")).task) == (
        MULTILABEL,
        ("blue", "green", "red"),
        MULTILABEL,
    )
    part = rows[(rows["role"] == "train") & (rows["status"] == manifest.OK)]
    assert images.labels.tolist() == LABELS[MULTILABEL].targets(part["label"], images.classes, 64).tolist()
    for role in ("train", "val", "calib", "test"):
        there = LABELS[MULTILABEL].each(rows.loc[rows["role"] == role, "label"]).value_counts()
        assert there.reindex(images.classes, fill_value=0).min() >= 2


def rows_of(*labels: str) -> pd.DataFrame:
    values = {"path": [f"{number}.png" for number in range(len(labels))], "label": list(labels), "status": "ok"}
    return pd.DataFrame(values).astype({"label": "string"})


def test_classes_that_cannot_be_told_apart_are_told() -> None:
    """Always there, or always together; where a set tells them apart nothing is said."""
    rows, limits = rows_of("a;b;c", "a", "a;b;c;d"), Validate()
    assert "Every image shows a:" in str(sets.always(rows, limits))
    assert "b = c" in str(sets.together(rows, limits))
    apart = rows_of("a;b", "b;c", "a;c", ";")
    assert (sets.always(apart, limits), sets.together(apart, limits)) == (None, None)


def test_spellings_of_one_name_are_told() -> None:
    """With the images of the rarer one."""
    found = sets.spellings(rows_of("Big Dog", "big_dog;cat", "Big Dog"), Validate())
    assert found is not None
    assert "Big Dog = big_dog" in found.sentence
    assert found.groups == (("1.png",),)
    assert sets.spellings(rows_of("a;b", "b"), Validate()) is None


@pytest.mark.slow
def test_sets_have_findings_of_their_own(tmp_path: Path) -> None:
    """In the suite of Great Expectations and in what `data quality` tells; one label each has as many as before."""
    limits, dataset = Validate(), project.Paths(ROOT).params.datasets["target"]
    one, several = (suite.rules(limits, dataset, task) for task in (CLASSIFY, MULTILABEL))
    assert {rule.id for rule in several} - {rule.id for rule in one} == set(OF_SETS)
    scaffold.init(tmp_path / "project", str(make_sheets(tmp_path / "sheets", 30)), None, "toy", lambda _: None)
    rows = ingest(project.Paths(tmp_path / "project"), "target")
    assert "imbalance" not in {one.id for one in findings(rows, limits, MULTILABEL)}
    assert validate(rows, limits, dataset, "target", tmp_path / "docs", task=MULTILABEL).executed == len(several)
