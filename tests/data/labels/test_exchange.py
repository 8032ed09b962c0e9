from __future__ import annotations

import csv
import getpass
import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from conftest import COLOURS, draw
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.config import write_value
from sightline.data import manifest
from sightline.data.labels import exchange, given
from sightline.data.manifest import COLUMNS
from sightline.data.versions import history
from sightline.errors import DataError
from sightline.heads.labels import LABELS, MULTILABEL
from sightline.project import Paths

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def write(table: Path, *lines: tuple[str, str]) -> Path:
    """A table of digests and labels."""
    table.write_text("sha256,label\n" + "".join(f"{digest},{label}\n" for digest, label in lines), encoding="utf-8")
    return table


def rows(paths: Paths) -> pd.DataFrame:
    return manifest.read(paths.manifest("target")).set_index("path")


@pytest.fixture
def open_ends(ingested: Paths) -> Paths:
    """A project with an image outside of any class, one under two classes, and a text that calls itself an image."""
    raw = ingested.raw("target")
    draw(7, COLOURS["red"]).save(raw / 'loose, "7".png')
    draw(8, COLOURS["red"]).save(raw / "red" / "twin.png")
    draw(8, COLOURS["red"]).save(raw / "blue" / "twin.png")
    (raw / "text.png").write_text("no image", encoding="utf-8")
    history.ingest(ingested, "target")
    return ingested


def test_export_lists_what_needs_a_label(open_ends: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images without a label and images with two; the table goes where the user stands."""
    monkeypatch.chdir(open_ends.root / "data")
    done = CliRunner().invoke(app, ["data", "label", "export", "todo.csv"])
    assert done.output.startswith("4 images in ")
    with (open_ends.root / "data" / "todo.csv").open(encoding="utf-8", newline="") as handle:
        lines = {line["path"]: line["label"] for line in csv.DictReader(handle)}
    assert lines == {'loose, "7".png': "", "text.png": "", "blue/twin.png": "blue", "red/twin.png": "red"}


def test_export_of_everything_comes_back_as_no_change(ingested: Paths, tmp_path: Path) -> None:
    """The round trip of all labels leaves version, log and table as they were."""
    table = tmp_path / "all.csv"
    assert exchange.export(ingested, "target", table, everything=True) == 180
    before = history.read(ingested, "target")
    done = exchange.take(ingested, "target", table)
    assert (done.given, done.changed, done.new_classes) == (180, 0, ())
    assert done.version == before[-1].version
    assert history.read(ingested, "target") == before
    assert not ingested.labels("target").exists()


def test_export_adds_what_the_champion_says(open_ends: Paths, tmp_path: Path) -> None:
    """A suggestion and its probability for each image that can be read."""

    def suggest(images: Sequence[Path]) -> list[dict[str, Any]]:
        answer = {"label": "green", "probability": 0.98765}
        return [answer if image.stat().st_size > 100 else {"error": "not an image"} for image in images]

    exchange.export(open_ends, "target", tmp_path / "todo.csv", everything=False, suggest=suggest)
    with (tmp_path / "todo.csv").open(encoding="utf-8", newline="") as handle:
        lines = {line["path"]: (line["suggestion"], line["probability"]) for line in csv.DictReader(handle)}
    assert lines['loose, "7".png'] == ("green", "0.988")
    assert lines["text.png"] == ("", "")


def test_imported_labels_make_a_new_version(open_ends: Paths, tmp_path: Path) -> None:
    """Unlabelled and contradictory images become usable, the log tells who, when and what; no file is touched."""
    before = rows(open_ends)
    raw = {path: path.stat().st_mtime_ns for path in sorted(open_ends.raw("target").rglob("*"))}
    loose, twin, text = (before.loc[path, "sha256"] for path in ('loose, "7".png', "red/twin.png", "text.png"))
    table = write(tmp_path / "done.csv", (str(loose), "red"), (str(twin), "blue"), (str(text), "red"))
    done = json.loads(CliRunner().invoke(app, ["data", "label", "import", os.fspath(table), "--json"]).output)
    after = rows(open_ends)
    assert {path: path.stat().st_mtime_ns for path in sorted(open_ends.raw("target").rglob("*"))} == raw
    assert (done["given"], done["changed"], done["new_classes"]) == (3, 3, [])
    for path, label in {'loose, "7".png': "red", "red/twin.png": "blue", "blue/twin.png": "blue"}.items():
        assert (after.loc[path, "label"], after.loc[path, "status"]) == (label, "ok")
    assert after.loc["text.png", "status"] == "quarantined"
    assert after.loc["text.png", "reason"] == "labelled, but not readable as an image"
    entry = history.read(open_ends, "target")[-1]
    assert entry.version == done["version"] != entry.previous
    assert entry.by == getpass.getuser()
    assert entry.what[0] == "3 labels imported from done.csv"
    assert entry.what[1] == "3 images relabelled (no label → red 2, red → blue 1)"
    kept = given.read(open_ends.labels("target"))[str(loose)]
    assert asdict(kept) | {"at": ""} == {"sha256": loose, "label": "red", "by": getpass.getuser(), "at": ""}


@pytest.mark.slow
def test_a_relabelled_image_keeps_its_role(ingested: Paths, tmp_path: Path) -> None:
    """A later import wins over an earlier one; an image never changes side."""
    before = rows(ingested).loc["red/0000.png"]
    for label in ("blue", "purple", "red"):
        done = exchange.take(ingested, "target", write(tmp_path / "x.csv", (str(before["sha256"]), label)))
        after = rows(ingested).loc["red/0000.png"]
        assert (after["label"], after["role"]) == (label, before["role"])
        assert done.new_classes == (("purple",) if label == "purple" else ())


def test_bad_lines_are_told_and_nothing_is_imported(ingested: Paths, tmp_path: Path) -> None:
    """An unknown image, an empty label and two labels for one image, each with its line."""
    good, other = rows(ingested)["sha256"].iloc[:2]
    table = write(tmp_path / "bad.csv", (good, "green"), ("f" * 64, "red"), (other, " "), (good, "blue"))
    state = ingested.manifest("target").read_bytes(), ingested.history("target").read_bytes()
    with pytest.raises(DataError) as told:
        exchange.take(ingested, "target", table)
    assert str(told.value).splitlines() == [
        f"{table}: 3 bad lines, nothing was imported",
        f"line 3: the data set has no image with the sha256 {'f' * 64!r}",
        f"line 4: image {other[:8]} has no label: fill it in, or delete the line",
        f"line 5: image {good[:8]} is 'blue' here and 'green' on line 2",
    ]
    assert (ingested.manifest("target").read_bytes(), ingested.history("target").read_bytes()) == state
    assert not ingested.labels("target").exists()


@pytest.mark.slow
def test_whole_number_with_a_point_is_the_class_without(ingested: Paths, tmp_path: Path) -> None:
    """As a spreadsheet writes the column once a cell of it is empty; where there is no such class it stays as it is."""
    first, second = rows(ingested)["sha256"].iloc[:2]
    assert exchange.take(ingested, "target", write(tmp_path / "x.csv", (first, "3"))).new_classes == ("3",)
    assert exchange.take(ingested, "target", write(tmp_path / "x.csv", (second, "3.0"))).new_classes == ()
    assert exchange.take(ingested, "target", write(tmp_path / "x.csv", (second, "4.0"))).new_classes == ("4.0",)


def test_each_name_of_a_set_may_be_such_a_number() -> None:
    """Names that are classes as they stand keep their point, and nothing stays nothing."""
    labels = LABELS[MULTILABEL]
    given = ("3.0;1", "2.0;dent", "9.0", ";", "3.00;-1.0")
    said = [exchange.spelled(one, labels, {"1", "2", "2.0", "3", "-1"}) for one in given]
    assert said == ["1;3", "2.0;dent", "9.0", ";", "-1;3"]


def test_table_without_a_line_is_refused(ingested: Paths, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no line names an image and its label, so nothing is imported"):
        exchange.take(ingested, "target", write(tmp_path / "x.csv"))


def test_many_bad_lines_are_counted(ingested: Paths, tmp_path: Path) -> None:
    """A wrong file does not fill the screen."""
    table = write(tmp_path / "bad.csv", *((str(number), "red") for number in range(30)))
    with pytest.raises(DataError, match=r"30 bad lines[\s\S]*… and 20 more$"):
        exchange.take(ingested, "target", table)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file"),
        ("photo,what\na,b\n", "it must name a column path and a column label"),
        ("path,label\na,b\n", "line 2: the data set has no image called 'a'"),
    ],
)
def test_a_table_of_another_kind_is_told(ingested: Paths, tmp_path: Path, text: str | None, said: str) -> None:
    """A missing file, or one without the columns."""
    table = tmp_path / "x.csv"
    if text is not None:
        table.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        exchange.take(ingested, "target", table)


@pytest.mark.parametrize(
    "text",
    [
        "sha256;label\n{digest};green\n",
        pytest.param("\ufeffSHA256\tClass\r\n {digest} \t green \r\n\t\r\n", marks=pytest.mark.slow),
        pytest.param("file_name,label\nred/0000.png,green\n", marks=pytest.mark.slow),
        "path,label\nC:\\photos\\red\\0000.png,green\nC:\\photos\\red\\0001.png,red\n",
        "red/0000.png,green\n",
    ],
)
def test_labels_come_back_in_every_form_of_a_table(ingested: Paths, tmp_path: Path, text: str) -> None:
    """Whatever is read as a labels.csv: separators, alphabets, other names of columns, the image by path or digest."""
    digest = rows(ingested).loc["red/0000.png", "sha256"]
    (tmp_path / "x.csv").write_bytes(text.format(digest=digest).encode("utf-16" if "\t" in text else "utf-8"))
    assert exchange.take(ingested, "target", tmp_path / "x.csv").changed == 1
    assert rows(ingested).loc["red/0000.png", "label"] == "green"


def test_labels_are_spelled_and_refused_as_those_of_a_new_project(ingested: Paths, tmp_path: Path) -> None:
    """One class in two spellings is one; several labels of an image are no class."""
    table = tmp_path / "x.csv"
    table.write_text("path,label\nred/0000.png,café\nred/0001.png,cafe\u0301\n", encoding="utf-8")
    assert exchange.take(ingested, "target", table).new_classes == ("café",)
    table.write_text("path,labels\nred/0002.png,red;green\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: it has 2 labels \(green, red\), and one label per image is learned"):
        exchange.take(ingested, "target", table)


def test_labels_of_several_come_back_as_texts_of_lists_and_columns(ingested: Paths, tmp_path: Path) -> None:
    """As pandas writes a column of lists. A row of empty cells is one that nobody has come to, and is refused."""
    write_value(ingested.root, "project.task", MULTILABEL)
    table = tmp_path / "x.csv"
    table.write_text("path,labels\nred/0000.png,\"['red', 'blue']\"\nred/0001.png,[]\n", encoding="utf-8")
    assert exchange.take(Paths(ingested.root), "target", table).new_classes == ()
    assert rows(ingested).loc[["red/0000.png", "red/0001.png"], "label"].tolist() == ["blue;red", ";"]
    table.write_text("path,red,blue\nred/0002.png,1,1\nred/0003.png,,\n", encoding="utf-8")
    with pytest.raises(DataError, match="has no label: fill it in, or delete the line"):
        exchange.take(Paths(ingested.root), "target", table)


def test_a_failed_import_leaves_the_labels_as_they_were(ingested: Paths, tmp_path: Path) -> None:
    """Where the new version cannot be made, the table goes back to what it was."""
    first, second = rows(ingested)["sha256"].iloc[:2]
    exchange.take(ingested, "target", write(tmp_path / "x.csv", (first, "green")))
    kept = ingested.labels("target").read_bytes()
    ingested.raw("target").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="there is no folder of images"):
        exchange.take(ingested, "target", write(tmp_path / "x.csv", (second, "green")))
    assert ingested.labels("target").read_bytes() == kept


def test_the_table_comes_back_and_is_sorted(tmp_path: Path) -> None:
    """The same labels in any order give the same bytes; a damaged table is told with the remedy."""
    some = [given.Label(sha256=digest, label='a "b", c\n', by="me", at="2026-01-01") for digest in ("b", "a")]
    path = tmp_path / "target.csv"
    path.write_text(given.text(some), encoding="utf-8", newline="")
    assert given.read(path) == {one.sha256: one for one in some}
    assert given.text(some) == given.text(some[::-1])
    path.write_text("sha256,label\na,b\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"damaged .*`git init` there"):
        given.read(path)


def test_without_a_table_rows_stay_as_they_are(tmp_path: Path) -> None:
    """The common case costs nothing."""
    bare = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    assert given.apply(bare, tmp_path / "none.csv") is bare
