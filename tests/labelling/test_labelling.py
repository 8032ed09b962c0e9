"""Tests of captured images that leave to be labelled and come back, on real captured files and a real data set."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING, Any

import browsing
import numpy as np
import pyarrow.parquet as pq
import pytest
from capturing import draw_audit, picture, record, truth
from conftest import COLOURS, draw, enter, make_images, make_project
from medical import file_of
from PIL import Image
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.config import write_value
from sightline.data import manifest
from sightline.data.versions import history
from sightline.evaluate import release
from sightline.heads.labels import LABELS, MULTILABEL
from sightline.images.reading import open_image, to_rgb
from sightline.labelling import pictures, sheet
from sightline.labelling.chosen import Chosen
from sightline.monitor.audit import sample
from sightline.project import Paths
from sightline.registry.opening import open_ledger
from sightline.report.labelling import write_labelling

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from browsing import Browser

RUNNER = CliRunner()


@pytest.fixture
def captured(ingested: Paths) -> Paths:
    """A project with one version of its data and 90 recorded answers, images kept, half of them drawn for audit."""
    write_value(ingested.root, "capture.keep", "images")
    write_value(ingested.root, "monitor.audit", 0.5)
    paths = Paths(ingested.root)
    record(paths, 90)
    return paths


def call(*words: str | Path, fails: bool = False) -> str:
    said = RUNNER.invoke(app, ["data", "label", *map(str, words)])
    if fails:
        assert said.exit_code, said.output
        return str(said.exception)
    assert not said.exit_code, (said.output, said.exception)
    return said.output


def lines(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as handle:
        return list(csv.DictReader(handle))


def answer(folder: Path, rows: Sequence[dict[str, str]]) -> Path:
    """The table with the true class in each row."""
    table = folder / "answers.csv"
    with table.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "label": truth(int(row["request"]))} for row in rows)
    return table


def test_audit_sample_and_queue_share_no_image(captured: Paths, tmp_path: Path) -> None:
    """Every image that was drawn waits in the one, the others in the other; pictures are the files as answered."""
    drawn = draw_audit(captured)
    call("export", tmp_path / "audit", "--audit")
    call("export", tmp_path / "queue", "--queue", "--suggest")
    audit, queue = (lines(tmp_path / name / "labels.csv") for name in ("audit", "queue"))
    assert {row["request"] for row in audit} == set(drawn)
    assert {row["request"] for row in queue} == {str(number) for number in range(90)} - set(drawn)
    assert "suggestion" not in audit[0]
    assert queue[0]["suggestion"] in {"blue", "green", "red"}
    for row in audit:
        assert (tmp_path / "audit" / row["picture"]).read_bytes() == picture(int(row["request"]))
    with pytest.raises(AssertionError, match="holds something already"):
        call("export", tmp_path / "audit", "--audit")
    assert "agree" in call("export", tmp_path / "x", "--audit", "--suggest", fails=True)


def test_queue_leaves_alone_what_an_earlier_share_drew(captured: Paths, tmp_path: Path) -> None:
    drawn = draw_audit(captured)
    write_value(captured.root, "monitor.audit", 0.01)
    call("export", tmp_path / "queue", "--queue")
    asked = {row["request"] for row in lines(tmp_path / "queue" / "labels.csv")}
    assert asked
    assert not asked & set(drawn)


def test_pictures_are_shown_whatever_they_are(tmp_path: Path) -> None:
    """Browsers show no TIFF, no DICOM, and 16 bits of grey as black: a PNG is written; all else stays as it is."""
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 16
    for kind, image in (("PNG", Image.fromarray(deep)), ("TIFF", draw(1, COLOURS["red"])), ("DICOM", None)):
        out = io.BytesIO()
        if image is not None:
            image.save(out, kind)
        given = out.getvalue() or file_of(deep, BitsStored=12)
        digest, at = hashlib.sha256(given).hexdigest(), "2026-11-27T12:00:00+00:00"
        about: dict[str, Any] = {"why": "unsure", "answer": "red", "probability": 0.5, "file": "", "picture": given}
        one = Chosen(request="1", place=0, at=at, sha256=digest, **about)
        table = sheet.write(tmp_path / kind, [one], suggest=False)
        (row,) = lines(table)
        shown = (tmp_path / kind / row["picture"]).read_bytes()
        assert row["picture"].endswith(".png")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown))), np.asarray(to_rgb(open_image(given))))
    assert pictures.shown(picture(0)) == picture(0)


def test_answers_become_images_audit_labels_and_a_release(captured: Paths, tmp_path: Path) -> None:
    """One import: a version with the images, labels for the verdict from the audit sample alone, the next release."""
    before = release.current(captured, "r1")
    drawn = draw_audit(captured)
    for name in ("audit", "queue"):
        call("export", tmp_path / name, f"--{name}")
    both = [row for name in ("audit", "queue") for row in lines(tmp_path / name / "labels.csv")]
    said = json.loads(call("import", answer(tmp_path, both), "--json"))
    rows = manifest.read(captured.manifest("target"))
    added = rows[rows["path"].str.startswith("captured/")].set_index("sha256")["label"]
    assert added.to_dict() == {row["sha256"]: truth(int(row["request"])) for row in both}
    assert (said["added"], said["audited"], said["left_out"]) == (90, len(drawn), "")
    assert {one.request: one.label for one in sample(captured)} == {one: truth(int(one)) for one in drawn}
    grown = release.current(captured, "r1")
    came = set(rows.loc[(rows["role"] == "test") & rows["path"].str.startswith("captured/"), "sha256"])
    assert len(came) >= release.GROWTH * len(before.images), "the toys were drawn otherwise: record more"
    assert (said["release"], grown.name, grown.new) == ("r1+1", "r1+1", frozenset(came))
    again = json.loads(call("import", tmp_path / "answers.csv", "--json"))
    assert (again["changed"], again["added"], again["audited"], again["release"]) == (0, 0, 0, None)
    # As on a branch that lacks the table.
    captured.labels("target").unlink()
    history.ingest(captured, "target")
    rows = manifest.read(captured.manifest("target"))
    stray = rows[rows["path"].str.startswith("captured/")]
    assert len(stray) == 90
    assert stray["label"].isna().all()
    assert set(stray["status"]) == {manifest.QUARANTINED}


@pytest.mark.parametrize("judged", [False, True])
def test_release_that_an_import_made_goes_with_it(captured: Paths, tmp_path: Path, *, judged: bool) -> None:
    """Where nothing was judged on it; else it stays, and the remedy is told at once, before a run is refused."""
    before = release.current(captured, "r1")
    call("export", tmp_path / "all", "--queue")
    said = json.loads(call("import", answer(tmp_path, lines(tmp_path / "all" / "labels.csv")), "--json"))
    assert said["release"] == "r1+1"
    grown = release.current(captured, "r1")
    if judged:
        write_value(captured.root, "evaluate.kept", 1.0)
        with closing(open_ledger(captured)) as ledger:
            ledger.comparisons.note("toy-classifier", grown.name, grown.digest, grown.images)
    told = json.loads(call("undo", "--json"))["said"]
    if judged:
        assert told[0] == "test release r1+1, which it made, stays: versions were judged on it"
        assert told[1].startswith("the next run will be refused: test release r1+1: ")
        assert "`sightline data release NAME`" in told[1]
    else:
        assert told == ["test release r1+1, which it made, is gone: nothing was judged on it"]
        assert release.current(captured, "r1") == before


@pytest.mark.usefixtures("captured")
@pytest.mark.slow
def test_label_studio_takes_tasks_and_gives_them_back(tmp_path: Path) -> None:
    """An export as Label Studio writes it is imported; skipped tasks are passed over, two labels are refused."""
    call("export", tmp_path / "tasks", "--queue", "--format", "label-studio", "--suggest")
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    assert '<Choice value="green"/>' in (tmp_path / "tasks" / "config.xml").read_text()
    assert tasks[0]["data"]["image"].startswith("data:image/png;base64,")
    assert tasks[0]["predictions"][0]["result"][0]["value"]["choices"][0] in {"blue", "green", "red"}

    def given(label: str, **more: Any) -> dict[str, Any]:
        result = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [label]}}
        return {"id": 7, "result": [result], "was_cancelled": False, **more}

    export = tmp_path / "project-1-at-2026.json"
    labelled = [{"id": 1, "data": tasks[0]["data"], "annotations": [given(truth(int(tasks[0]["data"]["request"])))]}]
    skipped = [{"id": 2, "data": tasks[1]["data"], "annotations": [given("red", was_cancelled=True)]}]
    export.write_text(json.dumps(labelled + skipped))
    assert "1 answer read, 1 new or changed, 1 image added" in call("import", export)
    torn = [{"id": 3, "data": tasks[2]["data"], "annotations": [given("red"), given("blue")]}]
    export.write_text(json.dumps(torn))
    assert "task 3 has the labels blue, red" in call("import", export, fails=True)
    export.write_text('{"not": "tasks"}')
    assert "is no export of Label Studio" in call("import", export, fails=True)


def test_bad_answers_change_nothing(captured: Paths, tmp_path: Path) -> None:
    """An answer that was never captured, an empty label or a wrong time: named, and nothing is imported."""
    call("export", tmp_path / "queue", "--queue")
    rows = lines(tmp_path / "queue" / "labels.csv")
    held = captured.manifest("target").read_bytes()
    table = answer(tmp_path, [{**rows[0], "sha256": "f" * 64}])
    assert "image ffffffff of request" in call("import", table, fails=True)
    table = answer(tmp_path, [{**rows[0], "at": "yesterday"}])
    assert "'yesterday' no time" in call("import", table, fails=True)
    table.write_text(table.read_text() + "\n")
    assert "line 2" in call("import", tmp_path / "queue" / "labels.csv", fails=True)
    assert captured.manifest("target").read_bytes() == held


def test_without_pictures_the_remedy_is_told(ingested: Paths, tmp_path: Path) -> None:
    """Figures alone cannot be labelled; thumbnails can, for the verdict alone, so that the queue asks for none."""
    record(ingested, 6)
    assert "set capture.keep = images" in call("export", tmp_path / "queue", "--queue", fails=True)
    write_value(ingested.root, "capture.keep", "thumbnails")
    write_value(ingested.root, "monitor.audit", 0.5)
    paths = Paths(ingested.root)
    record(paths, 12, first=6)
    said = call("export", tmp_path / "queue", "--queue", fails=True)
    assert said.startswith("no whole picture was kept of")
    assert "thumbnails do for the verdict alone" in said
    draw_audit(paths)
    call("export", tmp_path / "audit", "--audit")
    asked = lines(tmp_path / "audit" / "labels.csv")
    told = json.loads(call("import", answer(tmp_path, asked), "--json"))
    assert (told["added"], told["changed"], told["audited"]) == (0, 0, len(asked))
    assert told["left_out"].startswith(f"{len(asked)} images did not join the data set: only small pictures")


def test_answers_without_pictures_hold_nothing_up(ingested: Paths, tmp_path: Path) -> None:
    """Where pictures are kept since a while only, the images of since then are asked for, however many came before."""
    write_value(ingested.root, "monitor.audit", 0.5)
    record(Paths(ingested.root), 80)
    write_value(ingested.root, "capture.keep", "images")
    paths = Paths(ingested.root)
    record(paths, 6, first=80)
    drawn = set(draw_audit(paths)) & {str(number) for number in range(80, 86)}
    assert 0 < len(drawn) < 6, "the ids were drawn otherwise: record more"
    for name in ("audit", "queue"):
        call("export", tmp_path / name, f"--{name}", "--count", "1")
        (row,) = lines(tmp_path / name / "labels.csv")
        assert int(row["request"]) >= 80
        assert (row["request"] in drawn) == (name == "audit")


def test_queue_is_refused_where_no_image_joins(captured: Paths, tmp_path: Path) -> None:
    """Nobody labels for a data set that takes no captured images."""
    raw, away = captured.raw("target"), tmp_path / "images"
    raw.rename(away)
    for part in ("train", "test"):
        shutil.copytree(away, raw / part)
    said = call("export", tmp_path / "queue", "--queue", fails=True)
    assert said.startswith("labels of the queue would teach nothing: no captured image joins the data set: ")


def test_file_damaged_inside_holds_no_others_up(captured: Paths, tmp_path: Path) -> None:
    """It is told, its images are asked for by nobody, and labels of those of other files are taken."""
    (first,) = (captured.root / "captured").rglob("*.parquet")
    record(captured, 20, first=90)
    (second,) = set((captured.root / "captured").rglob("*.parquet")) - {first}
    call("export", tmp_path / "queue", "--queue")
    asked = lines(tmp_path / "queue" / "labels.csv")
    good = [row for row in asked if int(row["request"]) < 90]
    assert 0 < len(good) < len(asked)
    whole = second.read_bytes()
    for name in ("probabilities", "picture"):
        second.write_bytes(whole)
        group = pq.ParquetFile(second).metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
        column = next(one for one in columns if one.path_in_schema.startswith(name))
        middle = (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size // 2
        second.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
        said = call("export", tmp_path / name, "--queue")
        assert f"{second.name} cannot be read, and counts nowhere" in said
        assert {row["sha256"] for row in lines(tmp_path / name / "labels.csv")} == {row["sha256"] for row in good}
    said = call("import", answer(tmp_path, asked), fails=True)
    assert "is not among the captured answers (1 file cannot be read)" in said
    assert json.loads(call("import", answer(tmp_path, good), "--json"))["added"] == len(good)


@pytest.mark.usefixtures("captured")
@pytest.mark.parametrize("separator", [";", "\t"])
def test_table_may_be_saved_by_a_spreadsheet(tmp_path: Path, separator: str) -> None:
    """With semicolons or tabs between the cells, and in UTF-16, it is read as the data set's tables are."""
    call("export", tmp_path / "queue", "--queue", "--count", "5")
    table = answer(tmp_path, lines(tmp_path / "queue" / "labels.csv"))
    rows = lines(table)
    with table.open("w", newline="", encoding="utf-16" if separator == "\t" else "utf-8-sig") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)
    assert json.loads(call("import", table, "--json"))["added"] == 5
    table.write_text("request;label\n1;red\n")
    assert "the column at and place and sha256 is missing" in call("import", table, fails=True)


@pytest.mark.usefixtures("captured")
def test_cells_may_be_written_otherwise(tmp_path: Path) -> None:
    """Times cut to minutes, digests in capitals, whole numbers with a point: the images are the same."""
    call("export", tmp_path / "queue", "--queue", "--count", "5")
    rows = lines(tmp_path / "queue" / "labels.csv")
    cut = {"place": "0.0", "at": f"{rows[0]['at'][:16].replace('T', ' ')}Z"}
    table = answer(tmp_path, [{**row, **cut, "sha256": row["sha256"].upper()} for row in rows])
    assert json.loads(call("import", table, "--json"))["added"] == 5
    table = answer(tmp_path, [{**rows[0], "at": "2020-02-02 02:02Z"}])
    assert f"image {rows[0]['sha256'][:8]} of request" in call("import", table, fails=True)


def test_whole_number_with_a_point_is_the_class_without(captured: Paths, tmp_path: Path) -> None:
    """In the data set and in the verdict; another number is a new class as it stands."""
    drawn = draw_audit(captured)
    call("export", tmp_path / "audit", "--audit")
    rows = lines(tmp_path / "audit" / "labels.csv")

    def take(row: dict[str, str], label: str) -> Any:
        table = answer(tmp_path, [row])
        table.write_text(table.read_text().replace(truth(int(row["request"])), label))
        return json.loads(call("import", table, "--json"))

    assert take(rows[0], "3")["new_classes"] == ["3"]
    assert take(rows[1], "3.0")["new_classes"] == []
    assert take(rows[2], "4.0")["new_classes"] == ["4.0"]
    asked = {one.request: one.label for one in sample(captured)}
    assert [asked[row["request"]] for row in rows[:3]] == ["3", "3", "4.0"]
    assert set(asked) == set(drawn)


def test_remedy_is_about_the_set_that_was_named(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(make_project(tmp_path / "toy project", images, images), monkeypatch)
    for use, command in (("target", "sightline data quality"), ("source", "sightline data quality source")):
        assert f"`{command}` shows" in call("export", tmp_path / "x", "--likely-errors", "--use", use, fails=True)


@pytest.mark.usefixtures("captured")
def test_file_without_any_answer_is_refused(tmp_path: Path) -> None:
    """Tasks as they were exported, and a table without a line: it is said that nobody labelled."""
    call("export", tmp_path / "tasks", "--queue", "--format", "label-studio", "--count", "5")
    table = tmp_path / "answers.csv"
    table.write_text("sha256,label,request,place,at\n")
    for file in (tmp_path / "tasks" / "tasks.json", table):
        assert f"{file} holds no answer: nobody labelled an image" in call("import", file, fails=True)


def test_release_that_lost_its_images_holds_no_labels_up(captured: Paths, tmp_path: Path) -> None:
    """The labels are taken, and it is told that no test release could be made with them."""
    release.current(captured, "r1")
    call("export", tmp_path / "queue", "--queue", "--count", "5")
    rows = manifest.read(captured.manifest("target"))
    for path in rows.loc[rows["role"] == "test", "path"]:
        (captured.raw("target") / path).unlink()
    done = json.loads(call("import", answer(tmp_path, lines(tmp_path / "queue" / "labels.csv")), "--json"))
    assert (done["added"], done["release"]) == (5, None)
    assert done["said"][0].startswith("the labels are taken, but no test release has them: ")


def test_queue_asks_first_where_two_models_disagree(captured: Paths, tmp_path: Path) -> None:
    """A challenger that was heard by nobody answered otherwise: its images come before those that are merely unsure."""
    record(captured, 90, role="shadow", seed=3)
    call("export", tmp_path / "queue", "--queue", "--count", "4")
    whys = [row["why"] for row in lines(tmp_path / "queue" / "labels.csv")]
    assert (len(whys), set(whys), whys[0]) == (4, {"disagree", "unsure"}, "disagree")


@pytest.mark.slow
def test_a_table_in_the_raw_folder_gets_a_line_for_each_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a labels.csv says which images there are, it says so of the captured ones, too."""
    from sightline.data.versions import history

    images = make_images(tmp_path / "images", per_class=20)
    table = tmp_path / "images" / "labels.csv"
    found = sorted(images.rglob("*.png"))
    text = "".join(f"{one.relative_to(images)},{one.parent.name},g{number}\n" for number, one in enumerate(found))
    table.write_text(f"path,label,group\n{text}")
    paths = enter(make_project(tmp_path / "toy project", table), monkeypatch)
    write_value(paths.root, "capture.keep", "images")
    paths = Paths(paths.root)
    history.ingest(paths, "target")
    record(paths, 6)
    call("export", tmp_path / "queue", "--queue")
    asked = lines(tmp_path / "queue" / "labels.csv")
    said = json.loads(call("import", answer(tmp_path, asked), "--json"))
    rows = manifest.read(paths.manifest("target"))
    assert said["added"] == len(asked) == rows["path"].str.startswith("captured/").sum()
    assert len(rows) == 60 + len(asked)


def test_a_run_that_asks_for_labels_writes_one_page_a_day(captured: Paths) -> None:
    """With as many images as were asked for; the second run of a day links the same page, half labelled or not."""
    from flows.retrain import _queue

    page = _queue(captured, 7)
    assert page is not None
    assert len(lines(page.with_name("labels.csv"))) == 7
    made = page.stat().st_mtime_ns
    assert _queue(captured, 9) == page
    assert page.stat().st_mtime_ns == made


def test_training_waits_for_no_page_of_images_to_label(captured: Paths) -> None:
    """What a killed run began of the day's folder is made anew; where no page can be made the run is warned."""
    from flows.retrain import _asked

    warned: list[str] = []
    page = _asked(captured, 5, warned.append)
    assert page is not None
    page.unlink()
    assert _asked(captured, 3, warned.append) == page
    assert len(lines(page.with_name("labels.csv"))) == len([*(page.parent / "images").iterdir()]) == 3
    assert warned == []
    page.unlink()
    captured.manifest("target").unlink()
    assert _asked(captured, 3, warned.append) is None
    assert warned[0].startswith("no page with images to label could be made: ")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing.browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser("Input.dispatchKeyEvent", type="keyDown", key=key, text=key if len(key) == 1 else "")
        browser("Input.dispatchKeyEvent", type="keyUp", key=key)


def download(browser: Browser, folder: Path) -> Path:
    """What the page's button gives, once it is there."""
    folder.mkdir()
    browser("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.click("#save")
    for _ in range(1200):
        # The browser reserves the name first, by an empty file.
        if (folder / "answers.csv").is_file() and (folder / "answers.csv").stat().st_size:
            break
        browser.run("new Promise((done) => setTimeout(done, 50)) && true")
    return folder / "answers.csv"


@browsing.needed
@pytest.mark.usefixtures("captured")
@pytest.mark.parametrize("width", [1280, pytest.param(390, marks=pytest.mark.slow)])
def test_page_is_labelled_with_the_keyboard(tmp_path: Path, browser: Browser, width: int) -> None:
    """Number keys, a typed new class, back and none; what it downloads is imported; no network, nothing too wide."""
    call("export", tmp_path / "queue", "--queue", "--suggest")
    asked = lines(tmp_path / "queue" / "labels.csv")
    page = (tmp_path / "queue" / "index.html").as_uri()
    browser.asked.clear()
    browser.open(page, width)
    # What another test labelled: requests of servers have names of their own.
    browser.run("localStorage.clear() || true")
    browser.open(page, width)
    assert browser.run("document.querySelectorAll('#classes button').length") == 3
    assert browser.run("document.querySelector('#picture').naturalWidth") == 24
    assert browser.run("document.documentElement.scrollWidth") <= width

    # Classes by number: blue, green, red. The second is corrected, the third skipped, the fourth taken back.
    press(browser, "1", "1", "ArrowLeft", "3", "ArrowRight", "2", "ArrowLeft", "Delete", "ArrowRight", "/")
    press(browser, *"=zebra", "Enter")
    assert browser.run("document.querySelector('#said').textContent") == f"3 of {len(asked)} labelled"
    table = download(browser, tmp_path / "downloads")
    got = lines(table)
    assert [(row["sha256"], row["label"]) for row in got] == [
        (asked[0]["sha256"], "blue"),
        (asked[1]["sha256"], "red"),
        (asked[4]["sha256"], "'=zebra"),
    ]
    assert {one for one in browser.asked if not one.startswith(("file:", "data:", "blob:"))} == set()
    browser.open(page, width)
    assert browser.run("document.querySelector('#said').textContent").startswith("3 of")
    said = json.loads(call("import", table, "--json"))
    assert (said["added"], said["new_classes"]) == (3, ["=zebra"])


@browsing.needed
@pytest.mark.parametrize("width", [1280, 390])
def test_page_takes_several_classes(tmp_path: Path, browser: Browser, width: int) -> None:
    """Keys turn classes on and off and stay at the image; none of them is an answer, and no answer is none."""
    images = [
        Chosen(
            request=f"several {width} {number}",
            place=0,
            at="2026-11-27T12:00:00+00:00",
            sha256=hashlib.sha256(picture(number)).hexdigest(),
            why="unsure",
            answer=";",
            probability=0.5,
            file="",
            picture=picture(number),
        )
        for number in range(4)
    ]
    labels = LABELS[MULTILABEL]
    browser.open(
        write_labelling(tmp_path, images, ["blue", "green", "red"], labels, "toys", suggest=True).as_uri(), width
    )
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert "the model says none of the classes" in browser.run("document.querySelector('#about').textContent")
    press(browser, "1", "3", "2", "2", "ArrowRight", "-", "Enter", "1", "1", "ArrowRight", "/")
    press(browser, *"dent;1", "Enter")
    assert browser.run("document.querySelectorAll('#classes button[aria-pressed=true]').length") == 2
    assert browser.run("document.querySelector('#said').textContent") == "3 of 4 labelled"
    found = sheet.read(download(browser, tmp_path / "downloads"), labels, ())
    wanted = {images[0].sha256: "blue;red", images[1].sha256: ";", images[3].sha256: "1;dent"}
    assert {one.sha256: one.label for one in found} == wanted
    assert browser.errors == []


@browsing.needed
def test_class_that_is_called_as_a_key_has_that_key(tmp_path: Path, browser: Browser) -> None:
    """Who presses 3 at a three means three, and not the third class."""
    about: dict[str, Any] = {"place": 0, "at": "2026-11-27T12:00:00+00:00", "why": "unsure", "answer": "3", "file": ""}
    images = [
        Chosen(request=f"keys {number}", sha256=str(number) * 64, probability=0.5, picture=picture(number), **about)
        for number in range(4)
    ]
    page = write_labelling(tmp_path, images, ["0", "1", "3", "A", "dent"], LABELS["classify"], "toys", suggest=False)
    browser.open(page.as_uri(), 1280)
    press(browser, "3", "0", "a", "2")
    found = sheet.read(download(browser, tmp_path / "downloads"), LABELS["classify"], ())
    assert [one.label for one in found] == ["3", "0", "A", "dent"]
    assert browser.errors == []
