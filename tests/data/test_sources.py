from __future__ import annotations

import io
import json
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sightline.data.sources import Item, classes, copying, published, scan, tables
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def put(folder: Path, *paths: str) -> Path:
    """Small images, each of another grey, at `paths` below `folder`."""
    for number, path in enumerate(paths):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(place, "PNG")
    return folder


def found(folder: Path) -> dict[str, tuple[str | None, str | None]]:
    """Path → (split, label)."""
    return {item.path: (item.split, item.label) for item in scan(folder)}


def faults(folder: Path) -> dict[str, str | None]:
    """Path → reason, of the files that cannot be used."""
    return {item.path: item.reason for item in scan(folder) if item.reason}


# Class folders


def test_a_folder_per_class(tmp_path: Path) -> None:
    """The top folder names the class, however deep the file lies."""
    put(tmp_path, "cat/1.png", "dog/2020/may/1.png")
    assert found(tmp_path) == {"cat/1.png": (None, "cat"), "dog/2020/may/1.png": (None, "dog")}


def test_splits_of_class_folders(tmp_path: Path) -> None:
    """train, val and test in any of their spellings are splits where all top folders are."""
    put(tmp_path, "Train/cat/1.png", "valid/cat/2.png", "test/cat/3.png")
    assert sorted(str(split) for split, _ in found(tmp_path).values()) == ["test", "train", "val"]
    assert {label for _, label in found(tmp_path).values()} == {"cat"}


def test_classes_may_be_called_like_splits(tmp_path: Path) -> None:
    """A class `train` beside a class `bus` is a vehicle."""
    put(tmp_path, "train/1.png", "bus/1.png")
    assert found(tmp_path) == {"train/1.png": (None, "train"), "bus/1.png": (None, "bus")}


def test_folders_without_images_do_not_hide_the_splits(tmp_path: Path) -> None:
    """An annotations folder beside train and val makes no classes of them."""
    put(tmp_path, "train/cat/1.png", "val/cat/2.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "1.xml").write_text("<a/>")
    assert set(found(tmp_path).values()) == {("train", "cat"), ("val", "cat")}


def test_splits_beside_a_class_are_an_error(tmp_path: Path) -> None:
    """A model would learn to tell train from val: the folder in the way is named."""
    put(tmp_path, "train/cat/1.png", "val/cat/2.png", "more/dog/1.png")
    with pytest.raises(DataError, match=r"train, val look like splits .* but more stands beside them"):
        found(tmp_path)


OUTSIDE = "no label: the file lies outside of any class folder"


@pytest.mark.parametrize(
    ("paths", "right"),
    [
        (["training_set/cat/1.png", "test_set/cat/2.png"], {("train", "cat"), ("test", "cat")}),
        (["Training/cat/1.png", "Testing/cat/2.png"], {("train", "cat"), ("test", "cat")}),
        (["train2017/cat/1.png", "dev/cat/2.png"], {("train", "cat"), ("val", "cat")}),
        (["all/train/cat/1.png", "all/eval/cat/2.png"], {("train", "cat"), ("val", "cat")}),
        (["seg_train/seg_train/cat/1.png", "seg_train/seg_train/dog/1.png"], {("train", "cat"), ("train", "dog")}),
        (["a/b/cat/1.png", "a/b/dog/1.png"], {(None, "cat"), (None, "dog")}),
        (
            ["rose/2019/1.png", "rose/2020/2.png", "tulip/2019/3.png", "tulip/2020/4.png"],
            {(None, "rose"), (None, "tulip")},
        ),
        (["train_station/1.png", "test_tube/1.png"], {(None, "train_station"), (None, "test_tube")}),
        (["cat/may/1.png"], {(None, "cat")}),
    ],
)
def test_spellings_of_splits_and_folders_around(
    tmp_path: Path, paths: list[str], right: set[tuple[str | None, str]]
) -> None:
    """A split is told by its name in any spelling; one folder around everything is no class, nor is a year."""
    assert set(found(put(tmp_path, *paths)).values()) == right


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["train/cat/1.png", "train/dog/2.png", "test/3.png"], {"test/3.png": "no label: test has no class folders"}),
        (
            ["cat/1.png", "dog/2.png", "_unlabeled/3.png"],
            {"_unlabeled/3.png": "no label: _unlabeled has no class folders"},
        ),
        (
            ["train/cat/1.png", "val/cat/2.png", "pred/pred/3.png"],
            {"pred/pred/3.png": "no label: pred has no class folders"},
        ),
        (["in/cat/1.png", "in/dog/2.png", "cover.png"], {"cover.png": OUTSIDE}),
    ],
)
def test_part_without_labels_is_told(tmp_path: Path, paths: list[str], left: dict[str, str]) -> None:
    """Images without class folders beside those that have them are of no class, whatever their folder is called."""
    assert faults(put(tmp_path, *paths)) == left
    assert {label for path, (_, label) in found(tmp_path).items() if path not in left} <= {"cat", "dog"}


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["train/1.png", "test/2.png"], r"test, train look like splits .* without class folders"),
        (["a/ok/1.png", "a/bad/2.png", "b/ok/3.png", "b/bad/4.png"], r"each of a, b holds the folders bad, ok: which"),
    ],
)
def test_what_may_be_splits_or_classes_is_asked(tmp_path: Path, paths: list[str], words: str) -> None:
    """Whatever is taken for classes would be learned: where it is a guess nothing is."""
    with pytest.raises(DataError, match=words):
        found(put(tmp_path, *paths))


def test_project_among_the_images_is_passed_over(tmp_path: Path) -> None:
    """The copies in it are none of the folder's images."""
    put(tmp_path, "cat/1.png", "dog/2.png", "project/data/raw/target/cat/1.png")
    (tmp_path / "project" / ".dvc").mkdir()
    assert set(found(tmp_path)) == {"cat/1.png", "dog/2.png"}


def test_files_outside_of_class_folders_are_told(tmp_path: Path) -> None:
    """An image at the top has no label; a text file there is no image."""
    put(tmp_path, "cat/1.png", "stray.png")
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "LICENSE").write_text("hello")
    assert faults(tmp_path) == {"stray.png": OUTSIDE}


def test_hidden_files_are_not_images(tmp_path: Path) -> None:
    """What a desktop leaves behind is passed over."""
    put(tmp_path, "cat/1.png", "cat/._1.png", ".cache/cat/1.png")
    assert set(found(tmp_path)) == {"cat/1.png"}


def test_images_of_foreign_formats_are_told(tmp_path: Path) -> None:
    """A drawing is not passed over without a word; a JSON file beside the images is."""
    put(tmp_path, "cat/1.png")
    for name in ("2.PSD", "3.svg", "4.json"):
        (tmp_path / "cat" / name).write_text("x")
    assert faults(tmp_path) == {
        "cat/2.PSD": ".psd files are not read: convert it to PNG or JPEG",
        "cat/3.svg": ".svg files are not read: convert it to PNG or JPEG",
    }


def test_two_folders_of_one_name_in_another_case(tmp_path: Path) -> None:
    """`a` and `A` are two classes: letters come so."""
    put(tmp_path, "a/1.png", "A/1.png")
    assert found(tmp_path) == {"a/1.png": (None, "a"), "A/1.png": (None, "A")}


def test_one_name_in_two_spellings_is_one_class(tmp_path: Path) -> None:
    """é as one sign and é as two look the same, and are."""
    put(tmp_path, "caf\u00e9/1.png", "cafe\u0301/2.png")
    assert {label for _, label in found(tmp_path).values()} == {"caf\u00e9"}


ODD = [
    "blank in name/a b.png",
    "quo\"te's/x'\".png",
    "new\nline/1\n2.png",
    "日本語/猫.png",
    "back\\slash/a\\b.png",
    "-rf/*.png",
]


def test_odd_names_are_names(tmp_path: Path) -> None:
    """Blanks, quotes, newlines and signs of any script stand in paths and labels as they are."""
    put(tmp_path, *ODD)
    assert found(tmp_path) == {path: (None, path.split("/")[0]) for path in ODD}


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    """A file name in an old encoding cannot stand in a manifest."""
    put(tmp_path, "cat/1.png")
    try:
        (tmp_path / "cat" / os.fsdecode(b"caf\xe9.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such names")
    assert faults(tmp_path) == {"cat/caf\\xe9.png": "its name is not valid UTF-8: rename it"}


def test_links_that_leave_the_folder_stay_closed(tmp_path: Path) -> None:
    """A link to a file elsewhere is told and never opened; one that stays inside is an image."""
    put(tmp_path, "outside/1.png", "in/cat/1.png")
    (tmp_path / "in" / "cat" / "out.png").symlink_to(tmp_path / "outside" / "1.png")
    (tmp_path / "in" / "cat" / "up.png").symlink_to("../../outside/1.png")
    (tmp_path / "in" / "cat" / "same.png").symlink_to("1.png")
    (tmp_path / "in" / "cat" / "circle.png").symlink_to("circle.png")
    (tmp_path / "in" / "dog").symlink_to(tmp_path / "outside")
    items = {item.path: item for item in scan(tmp_path / "in")}
    leaves = "link that leaves the folder"
    assert {path: item.reason for path, item in items.items() if path.endswith(("out.png", "up.png"))} == {
        "cat/out.png": leaves,
        "cat/up.png": leaves,
    }
    assert items["dog"].reason == "link to a folder: not followed"
    assert items["cat/same.png"].reason is None
    assert "dog/1.png" not in items


def test_no_folder_and_an_empty_folder_say_what_is_wanted(tmp_path: Path) -> None:
    """The messages name the folder and the forms that are understood."""
    with pytest.raises(DataError, match=r"nowhere: there is no such folder; name one"):
        found(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"no images in class folders; expected .*/CLASS/IMAGE.jpg"):
        found(tmp_path)


# Tables


def test_a_csv_table(tmp_path: Path) -> None:
    """labels.csv gives label, split and group; a byte-order mark, other columns and the header's case do not matter."""
    put(tmp_path, "a b.png", "sub/2.png")
    text = '\ufeffPath,label, split,group,note\n"a b.png",cat,Train,lot 1,x\nsub/../sub/2.png, dog ,valid,,\n'
    (tmp_path / "labels.csv").write_text(text, encoding="utf-8")
    assert list(scan(tmp_path)) == [
        Item("a b.png", "cat", "train", "lot 1"),
        Item("sub/2.png", "dog", "val", None),
    ]


@pytest.mark.parametrize(
    ("folders", "table"),
    [
        (("images", "labels"), "labels.csv"),
        (("images", "masks"), "masks.csv"),
        (("train", "train_masks"), "train.csv"),
        (("images", "masks"), "labels.csv"),
    ],
)
def test_masks_are_not_what_a_table_names(tmp_path: Path, folders: tuple[str, str], table: str) -> None:
    """They are called as their images are: the images are meant."""
    put(tmp_path, *(f"{folder}/{number}.png" for folder in folders for number in range(2)))
    (tmp_path / table).write_text("image,label\n0.png,a\n1.png,b\n")
    assert found(tmp_path) == {f"{folders[0]}/0.png": (None, "a"), f"{folders[0]}/1.png": (None, "b")}


def test_table_may_name_masks_where_nothing_else_is(tmp_path: Path) -> None:
    """Somebody may want to tell masks apart."""
    put(tmp_path, "images/1.png", "masks/0.png")
    (tmp_path / "labels.csv").write_text("path,label\n0.png,a\n1.png,b\n")
    assert found(tmp_path) == {"masks/0.png": (None, "a"), "images/1.png": (None, "b")}


def test_file_that_is_called_exactly_so_is_meant(tmp_path: Path) -> None:
    """Beside one whose name differs in the case of a letter."""
    put(tmp_path, "sub/A.png", "sub/a.png")
    (tmp_path / "labels.csv").write_text("path,label\nA.png,big\na.png,small\n")
    assert found(tmp_path) == {"sub/A.png": (None, "big"), "sub/a.png": (None, "small")}


def test_columns_of_classes_are_told_apart_by_case(tmp_path: Path) -> None:
    """A and a are two classes, as they are two folders; one name twice is nobody's."""
    put(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text("path,A,a,b\n1.png,1,0,0\n2.png,0,1,0\n3.png,0,0,1\n")
    assert {path: label for path, (_, label) in found(tmp_path).items()} == {"1.png": "A", "2.png": "a", "3.png": "b"}
    (tmp_path / "labels.csv").write_text("path,a,a,b\n1.png,1,0,0\n2.png,0,1,0\n3.png,0,0,1\n")
    with pytest.raises(DataError, match="must name a column path and a column label"):
        found(tmp_path)


def test_unclosed_quotation_mark_is_an_error(tmp_path: Path) -> None:
    """It would swallow all rows behind it."""
    put(tmp_path, "1.png", "2.png", "3.png")
    (tmp_path / "labels.csv").write_text('path,label\n1.png,a\n2.png,"b\n3.png,a\n')
    with pytest.raises(DataError, match=r"labels.csv: behind line 2 quotation marks do not close"):
        found(tmp_path)


GROUPED = [("1.png", "a", "p1", 30), ("2.png", "a", "p1", 30), ("3.png", "b", "p2", 41), ("4.png", "b", "p3", 52)]
"""Image, class, patient and age."""


def as_table(ending: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    objects = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    if ending == "json":
        return f"[{','.join(objects)}]"
    if ending == "jsonl":
        return "\n".join(objects)
    return "".join("\t,"[ending == "csv"].join(map(str, row)) + "\n" for row in [columns, *rows])


@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl"])
@pytest.mark.parametrize("name", ["patient_id", "Patient ID", "SubjectID", "group_id", "group"])
def test_column_that_tells_whose_images_are_is_the_group(tmp_path: Path, ending: str, name: str) -> None:
    """One person's images lie on one side; what no column of ours is is named, once."""
    put(tmp_path, "1.png", "2.png", "3.png", "4.png")
    table = tmp_path / f"t.{ending}"
    table.write_text(as_table(ending, ["path", "label", name, "age"], GROUPED))
    found, said = tables.listed(table)
    assert [one.group for one in found] == ["p1", "p1", "p2", "p3"]
    assert (f"{name.lower()} as group" in ", ".join(said)) == (name != "group")
    assert said[-1] == "without the column age (one called split says what is train, val or test)"


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_columns_that_are_not_read_are_named(tmp_path: Path, ending: str) -> None:
    """A few of them, with what ours are called; of several that may be the group none is taken, nor a side guessed."""
    put(tmp_path, "1.png", "2.png", "3.png", "4.png")
    table, rows = tmp_path / f"t.{ending}", [(path, label, who, who, 1, 0) for path, label, who, _ in GROUPED]
    table.write_text(as_table(ending, ["path", "label", "patient", "subject", "is_test", "fold"], rows))
    found, said = tables.listed(table)
    assert {(one.group, one.split) for one in found} == {(None, None)}
    assert "; ".join(said) == (
        "without the columns patient, subject, is_test, fold (one called split says what is train, val or test, "
        "one called group what belongs on one side)"
    )
    many = ["path", "label", "split", "group", *(f"x{number}" for number in range(7))]
    table.write_text(as_table(ending, many, [["1.png", "a", "train", "p1", *range(7)]]))
    assert tables.listed(table)[1] == ["without the columns x0, x1, x2, x3, x4 and 2 more"]


def test_columns_of_our_own_tables_and_numbers_of_rows_are_not_named(tmp_path: Path) -> None:
    """They say nothing of an image that its row does not."""
    put(tmp_path, "1.png")
    table = tmp_path / "t.csv"
    table.write_text(",Unnamed: 0,path,sha256,label,suggestion,probability\n0,0,1.png,ab,cat,cat,0.9\n")
    assert tables.listed(table)[1] == []


def test_column_of_zeros_and_ones_that_is_called_patient_is_a_class(tmp_path: Path) -> None:
    """Beside others of these, in a table without a label; with the names of people it is the group."""
    put(tmp_path, "1.png", "2.png")
    table = tmp_path / "t.csv"
    table.write_text("path,patient,nurse,bed\n1.png,1,0,1\n2.png,0,1,0\n")
    assert [(one.label, one.group) for one in tables.listed(table)[0]] == [("bed;patient", None), ("nurse", None)]
    assert tables.listed(table)[1] == ["3 columns of 0 and 1 as classes"]
    table.write_text("path,patient,nurse,bed\n1.png,7,0,1\n2.png,8,1,0\n")
    assert [(one.label, one.group) for one in tables.listed(table)[0]] == [("bed", "7"), ("nurse", "8")]


def test_signs_that_python_takes_for_line_ends_stay_in_names(tmp_path: Path) -> None:
    """Lines of JSON end at line ends alone."""
    put(tmp_path, "1.png", "2.png")
    lines = [{"path": "1.png", "label": "up\u2028down"}, {"path": "2.png", "label": "next\u0085line"}]
    (tmp_path / "labels.jsonl").write_text("\r\n".join(json.dumps(one, ensure_ascii=False) for one in lines))
    assert {label for _, label in found(tmp_path).values()} == {"up\u2028down", "next\u0085line"}


def test_missing_and_counted_labels_of_json(tmp_path: Path) -> None:
    """What pandas writes where some are missing: NaN is nobody's label, 1.0 is 1."""
    put(tmp_path, "1.png", "2.png", "3.png")
    lines = ['{"path": "1.png", "label": NaN}', '{"path": "2.png", "label": 1.0}', '{"path": "3.png", "label": 1}']
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    assert {path: label for path, (_, label) in found(tmp_path).items()} == {"1.png": None, "2.png": "1", "3.png": "1"}


def test_file_listed_twice_with_two_groups_is_an_error(tmp_path: Path) -> None:
    """Which of the two counts would be chosen by order."""
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text("path,label,group\n1.png,a,x\n2.png,b,\n1.png,a,y\n")
    with pytest.raises(DataError, match="listed twice, as 'a' of group 'x' on line 2 and as 'a' of group 'y'"):
        found(tmp_path)


def test_names_with_other_separators_stay_whole(tmp_path: Path) -> None:
    """A set of one name is written so that the name is read again; one that holds a semicolon is refused."""
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "labels.csv").write_text("path,up|down,left\n1.png,1,0\n2.png,1,1\n")
    rows = [dict(row) for _, row in tables.rows(tmp_path / "labels.csv")]
    (tmp_path / "labels.csv").write_text(tables.as_text(rows))
    assert {path: label for path, (_, label) in found(tmp_path).items()} == {
        "1.png": "up|down",
        "2.png": "left;up|down",
    }
    (tmp_path / "labels.csv").unlink()
    (tmp_path / "labels.jsonl").write_text(
        '{"path": "1.png", "labels": ["a;b"]}\n{"path": "2.png", "labels": ["a", "c"]}'
    )
    with pytest.raises(DataError, match="the label 'a;b' holds a ';'"):
        found(tmp_path)


def test_lists_of_labels_in_tar_shards(tmp_path: Path) -> None:
    """They are sets; what is no name is no label."""
    said = {"1": ["b", "a"], "2": ["a"], "3": {"x": 1}, "4": float("nan"), "5": 1.0, "6": "['b', 'a']"}
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for number, (stem, label) in enumerate(said.items()):
            out = io.BytesIO()
            Image.new("L", (8, 8), number).save(out, "PNG")
            for name, data in (
                (f"{stem}.png", out.getvalue()),
                (f"{stem}.json", json.dumps({"label": label}).encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    items = {item.path.rpartition("/")[2]: (item.label, item.several) for item in scan(tmp_path)}
    assert items["1.png"] == ("a;b", True)
    assert items["2.png"] == ("a", True)
    assert items["6.png"] == ("a;b", True)
    assert [items[f"{one}.png"] for one in (3, 4, 5)] == [(None, False), (None, False), ("1", False)]


def test_a_jsonl_table(tmp_path: Path) -> None:
    """labels.jsonl gives the same, and numbers are labels too."""
    put(tmp_path, "1.png")
    (tmp_path / "labels.jsonl").write_text('{"path": "1.png", "label": 7, "group": 3, "split": "test"}\n\n')
    assert list(scan(tmp_path)) == [Item("1.png", "7", "test", "3")]


def test_rows_without_use_are_told(tmp_path: Path) -> None:
    """No label, no path, a path that leaves the folder, by name or by link: a reason each, and none is opened."""
    put(tmp_path, "in/1.png", "secret.png")
    (tmp_path / "in" / "link.png").symlink_to("../secret.png")
    (tmp_path / "in" / "door").symlink_to("..")
    rows = ["1.png,", ",cat", "../secret.png,cat", f"{tmp_path}/secret.png,cat", "link.png,cat", "door/secret.png,cat"]
    (tmp_path / "in" / "labels.csv").write_text("path,label\n" + "\n".join(rows))
    leaves, link = "path that leaves the folder", "link that leaves the folder"
    assert [item.reason for item in scan(tmp_path / "in")] == ["no label", "no path", leaves, leaves, link, link]
    assert [item.closed for item in scan(tmp_path / "in")] == [False, True, True, True, True, True]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels.csv", "photo,what\n1.png,cat\n", "its first line is .* it must name a column path and a column label"),
        ("labels.csv", "path,label\n1.png,cat\n./1.png,dog\n", "line 3: 1.png is listed twice"),
        ("labels.csv", "path,label,split\n1.png,cat,holdout\n", "line 2: split 'holdout' is none of train"),
        ("labels.jsonl", '{"path": "1.png"}\n', "line 1: not an object with path and label"),
        ("labels.jsonl", '{"path": "1.png", "label": {"cat": 1}}\n', "line 1: its label is neither a name nor a list"),
        ("labels.jsonl", '{"path": "1.png", "label": [["cat"]]}\n', "line 1: its label is neither a name nor a list"),
        ("labels.jsonl", '{"path": "1.png", \n', "cannot be read: .*save it as UTF-8"),
    ],
)
def test_broken_tables_are_errors_with_their_line(tmp_path: Path, name: str, text: str, words: str) -> None:
    """A table that means something else than it says is not guessed at."""
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=words):
        list(scan(tmp_path))


def test_a_table_in_another_encoding_is_an_error(tmp_path: Path) -> None:
    """Class names would be garbled without a word."""
    (tmp_path / "labels.csv").write_bytes(b"path,label\n1.png,\x81\n")
    with pytest.raises(DataError, match="save it as UTF-8"):
        list(scan(tmp_path))


# The ImageNet challenge

TENCH, CRANE, MACHINE = "n01440764", "n02012849", "n03126707"
NAMES = f"{TENCH} tench, Tinca tinca\n{CRANE} crane\n{MACHINE} crane\n"


def challenge(folder: Path) -> Path:
    """Three classes in train/, two images in a flat val/, an image in test/."""
    train = (f"train/{wnid}/{wnid}_1.JPEG" for wnid in (TENCH, CRANE, MACHINE))
    return put(folder, *train, "val/ILSVRC2012_val_00000001.JPEG", "val/ILSVRC2012_val_00000002.JPEG", "test/x_1.JPEG")


def val_labels(folder: Path) -> list[str | None]:
    """Labels of val, in the order of its images."""
    return [label for _, (split, label) in sorted(found(folder).items()) if split == "val"]


def test_kaggles_copy_of_the_challenge(tmp_path: Path) -> None:
    """Names come from the mapping, val's labels from the solution; two classes of one name stay two; test is out."""
    challenge(tmp_path / "ILSVRC" / "Data" / "CLS-LOC")
    (tmp_path / "LOC_synset_mapping.txt").write_text(NAMES)
    answers = (
        f"ImageId,PredictionString\nILSVRC2012_val_00000002,{TENCH} 1 2 3 4\nILSVRC2012_val_00000001,{CRANE} 0 0 9 9\n"
    )
    (tmp_path / "LOC_val_solution.csv").write_text(answers)
    assert sorted(str(label) for split, label in found(tmp_path).values() if split == "train") == [
        f"crane ({CRANE})",
        f"crane ({MACHINE})",
        "tench",
    ]
    assert val_labels(tmp_path) == [f"crane ({CRANE})", "tench"]
    assert all(path.startswith(("ILSVRC/Data/CLS-LOC/train/", "ILSVRC/Data/CLS-LOC/val/")) for path in found(tmp_path))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "val/val_annotations.txt",
            f"ILSVRC2012_val_00000001.JPEG\t{MACHINE}\t0\t0\t9\t9\nILSVRC2012_val_00000002.JPEG\t{TENCH}\n",
        ),
        ("val.txt", "ILSVRC2012_val_00000001.JPEG 2\nILSVRC2012_val_00000002.JPEG 0\n"),
    ],
)
def test_other_files_that_label_val(tmp_path: Path, name: str, text: str) -> None:
    """Tiny ImageNet's annotations and Caffe's numbers say the same."""
    (challenge(tmp_path) / name).write_text(text)
    assert val_labels(tmp_path) == [MACHINE, TENCH]


def test_the_development_kit(tmp_path: Path) -> None:
    """The ground truth counts as meta.mat does, not as the folders are sorted."""
    savemat = pytest.importorskip("scipy.io").savemat
    import numpy as np

    kit = challenge(tmp_path) / "ILSVRC2012_devkit_t12" / "data"
    kit.mkdir(parents=True)
    synsets = np.array([(1, MACHINE), (2, TENCH), (3, CRANE)], dtype=[("ILSVRC2012_ID", "u2"), ("WNID", "O")])
    savemat(kit / "meta.mat", {"synsets": synsets})
    truth = kit / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("3\n1\n")
    assert val_labels(tmp_path) == [CRANE, MACHINE]
    truth.write_text("3\n1\n2\n")
    with pytest.raises(DataError, match=r"has 3 lines, but .*val has 2 images"):
        found(tmp_path)


def test_a_flat_val_without_labels_is_an_error(tmp_path: Path) -> None:
    """Which files would help is said."""
    with pytest.raises(DataError, match=r"none of LOC_val_solution.csv, val_annotations.txt"):
        found(challenge(tmp_path))


def test_an_image_that_the_answers_leave_out_is_told(tmp_path: Path) -> None:
    """The others are used."""
    (challenge(tmp_path) / "val.txt").write_text("ILSVRC2012_val_00000001.JPEG 0\n")
    assert faults(tmp_path) == {
        "val/ILSVRC2012_val_00000002.JPEG": "no label: no class folder, and no file says what it shows"
    }


# Tar shards


def shard(tar: Path, **files: bytes | str) -> Path:
    """A tar of these files; `__` in a name is its dot."""
    with tarfile.open(tar, "w") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name.replace("__", "."))
            data = body.encode() if isinstance(body, str) else body
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return tar


def picture(grey: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8), grey).save(out, "PNG")
    return out.getvalue()


def test_tar_shards(tmp_path: Path) -> None:
    """Labels come from .cls, .json or .txt, splits from the shard's name; the images stay in the tar."""
    shard(tmp_path / "train-0000.tar", a__png=picture(1), a__cls="1", b__cls="0", b__png=picture(2))
    told = json.dumps({"label": "dog", "group": "lot 7"})
    shard(tmp_path / "val-0000.tar", c__json=told, c__png=picture(3), d__png=picture(4), d__txt="ox", e__png=picture(5))
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert list(scan(tmp_path)) == [
        Item("train-0000.tar/a.png", "dog", "train"),
        Item("train-0000.tar/b.png", "cat", "train"),
        Item("val-0000.tar/c.png", "dog", "val", "lot 7"),
        Item("val-0000.tar/d.png", "ox", "val"),
        Item("val-0000.tar/e.png", None, "val", None, "no label"),
    ]


def test_a_damaged_tar_gives_what_it_holds(tmp_path: Path) -> None:
    """Whole members before the damage are images, and it is told, as is a tar without any; a compressed is an error."""
    tar = shard(tmp_path / "x.tar", a__png=picture(1), a__cls="1", b__cls="0", b__png=picture(2))
    tar.write_bytes(tar.read_bytes()[: 3 * 1024 + 532])
    shard(tmp_path / "y.tar")
    listed = [(item.path, item.label) for item in scan(tmp_path)]
    assert listed == [("x.tar/a.png", "1"), ("x.tar", None), ("y.tar", None)]
    assert faults(tmp_path) == {
        "x.tar": "x.tar ends early or is damaged, after 3 files: download it again",
        "y.tar": "a tar file without images, or a damaged one",
    }
    (tmp_path / "z.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"z.tar.gz: a compressed tar cannot be read in place"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("kept", "whole", "is_cut"),
    [
        (10_240, 4, False),  # with the zeros that end an archive
        (4096, 4, False),  # without them, as many programs write it
        (4090, 4, True),  # all bytes are there, and not those that fill the last block
        (3600, 3, True),  # within the bytes of a file
        (3300, 3, True),  # within a header, where tarfile ends as if all were well
        (600, 0, True),
    ],
)
def test_shard_that_is_cut_is_told_from_a_whole_one(tmp_path: Path, kept: int, whole: int, *, is_cut: bool) -> None:
    """Wherever the cut is, but where a member ends: such a file is as many programs write one."""
    tar = shard(tmp_path / "x.tar", **{f"{name}__png": bytes([number]) * 500 for number, name in enumerate("abcd")})
    tar.write_bytes(tar.read_bytes()[:kept])
    found = [item.path for item in scan(tmp_path)]
    assert found == [*(f"x.tar/{name}.png" for name in "abcd"[:whole]), *(["x.tar"] if is_cut else [])]


def test_shard_with_a_damaged_header_is_told(tmp_path: Path) -> None:
    """What lies behind it cannot be found, though the file goes on."""
    tar = shard(tmp_path / "x.tar", a__png=picture(1), a__cls="1", b__png=picture(2), b__cls="0")
    data = bytearray(tar.read_bytes())
    data[2048:2052] = b"\0\xff\0\xff"
    tar.write_bytes(data)
    assert "after 2 files" in str(faults(tmp_path)["x.tar"])


# Sets that torchvision knows


def test_a_published_set_becomes_class_folders(tmp_path: Path) -> None:
    """EuroSAT, as torchvision lays it out, is copied file by file under its class names."""
    put(tmp_path / "cache" / "eurosat" / "2750", "Forest/Forest_1.jpg", "River/River_1.jpg", "River/River_2.jpg")
    given = f"torchvision:EuroSAT@{tmp_path / 'cache'}"
    assert published.write(given, tmp_path / "out", download=False) == {}
    assert sorted(label for _, label in found(tmp_path / "out").values() if label) == ["Forest", "River", "River"]


def test_a_published_set_keeps_its_splits(tmp_path: Path) -> None:
    """MNIST, whose images are no files, is written as PNG below train and test."""
    raw = tmp_path / "cache" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 3), ("t10k", 2)):
        body = b"".join(number.to_bytes(4, "big") for number in (count, 28, 28)) + bytes(28 * 28 * count)
        (raw / f"{name}-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + body)
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(
            b"\0\0\x08\x01" + count.to_bytes(4, "big") + bytes(range(count))
        )
    assert published.write(f"torchvision:MNIST@{tmp_path / 'cache'}", tmp_path / "out", download=False) == {}
    assert found(tmp_path / "out")["train/2 - two/000002.png"] == ("train", "2 - two")
    assert found(tmp_path / "out")["test/1 - one/000001.png"] == ("test", "1 - one")


def test_a_published_set_that_is_not_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is fetched unasked; without a network the error says so; an unknown name gets a suggestion."""
    with pytest.raises(DataError, match=r"torchvision:EuroSAT@.* is not in .*add --download"):
        published.check(f"torchvision:EuroSAT@{tmp_path}", download=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"could not be downloaded .*look at the network"):
        published.check(f"torchvision:EuroSAT@{tmp_path / 'new'}", download=True)
    with pytest.raises(DataError, match="did you mean EuroSAT"):
        published.check("torchvision:Eurosat", download=False)


def test_images_join_where_the_class_folders_lie(tmp_path: Path) -> None:
    """In the folder around them, so that it stays the only one; not where splits say what an image is for."""
    assert classes.unsplit(put(tmp_path / "one", "all/cat/1.png", "all/dog/2.png")) == "all/"
    assert classes.unsplit(put(tmp_path / "flat", "cat/1.png", "dog/2.png")) == ""
    assert classes.unsplit(put(tmp_path / "split", "train/cat/1.png", "test/cat/2.png")) is None


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("t.csv", "file_name,class\na/1.png,cat\nb/2.png,dog\n", "utf-8"),
        ("t.csv", "path;label\na/1.png;cat\nb/2.png;dog\n", "utf-16"),
        ("t.csv", "Path\tLabel\r\n a/1.png \t cat \r\nb/2.png\tdog\r\n\t\r\n", "utf-8"),
        ("t.csv", "path,label,note\na/1.png,cat,\n./a/../b/2.png,dog,größer\n,,\n", "cp1252"),
        ("t.csv", "path,label\nA/1.PNG,cat\n{root}/b/2.png,dog\n", "utf-8"),
        ("t.jsonl", '{"file_name": "a/1.png", "label": ["cat"]}\n{"file_name": "b/2.png", "label": "dog"}\n', "utf-8"),
    ],
)
def test_table_as_others_write_it(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    """Names of columns, separators, alphabets, blanks, empty rows, letter case: read where the meaning is clear."""
    place = put(tmp_path / "in", "a/1.png", "b/2.png")
    (place / name).write_bytes(text.replace("{root}", str(place)).encode(encoding))
    assert copying.copy_table(place / name, tmp_path / "out")[0] == {}
    assert found(tmp_path / "out") == {"a/1.png": (None, "cat"), "b/2.png": (None, "dog")}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("t.csv", b"path,label\na/1.png,cat, with a hat\n", r"line 2: 3 cells, where the first line has 2: .*quotes"),
        ("t.csv", b"photo,what\na/1.png,cat\n", r"first line is \['photo', 'what'\]; it must name a column path"),
        ("t.csv", b"path,label\nx/1.png,cat\n", r"lists no image that is there; line 2: x/1.png \(there is no such"),
        ("t.csv", b"path,label\n../../1.png,cat\n", r"lists no image that is there; line 2: .*path that leaves"),
        ("t.jsonl", b'{"path": "a/1.png", "label": ["cat;dog", "fox"]}', r"line 1: the label 'cat;dog' holds a ';'"),
        ("t.zip", b"PK\x03\x04\x00\x00", r"an archive: unpack it first"),
        ("t.xlsx", b"PK\x03\x04\x00\x00", r"a spreadsheet: save it as CSV"),
        ("t.xls", b"\xd0\xcf\x11\xe0\x00\x00", r"a spreadsheet: save it as CSV"),
        ("t", b"PK\x03\x04\x00\x00mimetypeapplication/vnd.oasis.opendocument.spreadsheet", r"a spreadsheet: save it"),
    ],
)
def test_table_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    """With the line, the value and the remedy, before a project is made."""
    place = put(tmp_path / "in", "a/1.png", "b/2.png")
    (place / name).write_bytes(data)
    with pytest.raises(DataError, match=words):
        copying.copy_table(place / name, tmp_path / "out")


def test_metadata_is_a_table_where_it_names_images(tmp_path: Path) -> None:
    """As in the image folders of Hugging Face; one that tells something else leaves the class folders as they are."""
    place = put(tmp_path, "a/1.png", "b/2.png")
    (place / "metadata.csv").write_text("file_name,width\na/1.png,8\n")
    assert found(place) == {"a/1.png": (None, "a"), "b/2.png": (None, "b")}
    (place / "metadata.csv").write_text("file_name,label\na/1.png,cat\n")
    assert found(place) == {"a/1.png": (None, "cat")}
