"""Tests of images that leave to have boxes drawn on them and come back, on real captured files and a real data set."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from io import BytesIO
from typing import TYPE_CHECKING, Any

import browsing
import pandas as pd
import pytest
import torch
from boxed import CLASSES, draw, make_coco, make_yolo
from capturing import draw_audit, note
from conftest import copy_project, enter, make_project
from PIL import Image
from typer.testing import CliRunner

from flows.cli.app import app
from flows.retrain import _queue
from sightline.config import write_value
from sightline.data import manifest
from sightline.data.status import look as status
from sightline.data.versions import history
from sightline.heads.labels import DETECT
from sightline.heads.located import Box as Located
from sightline.heads.located import read, text_of
from sightline.models.bundle import Card
from sightline.models.detector import build
from sightline.models.predictor import Predictor
from sightline.monitor.audit import sample
from sightline.project import Paths
from sightline.serve.batcher import Version
from sightline.stage import run_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from browsing import Browser

RUNNER = CliRunner()
FIRST = 5000
"""Seed of the first image of the traffic: none of the data set."""
COUNT, ANSWERED = 40, 24
SIZE = 64


def picture(number: int) -> bytes:
    """Image `number` of the traffic."""
    out = BytesIO()
    Image.fromarray(draw(FIRST + number)[0]).save(out, "PNG")
    return out.getvalue()


def truth(number: int) -> str:
    """What it shows, as a label."""
    pixels, squares = draw(FIRST + number)
    boxes = [Located(one.name, (one.left, one.top, one.right, one.bottom), 0) for one in squares]
    return text_of(pixels.shape[1], pixels.shape[0], boxes)


def detector(number: str = "1", seed: int = 0) -> Version:
    """A detector with random weights as a version, which shows a few boxes."""
    torch.manual_seed(seed)
    decoding = {"shifts": [0.0, 0.0], "thresholds": [0.0101, 0.0101], "images": 8}
    card = Card("cnn", SIZE, CLASSES, 1.0, "", fit="letterbox", task=DETECT, decoding=decoding)
    return Version(number, f"digest of {number}", Predictor(card, build("cnn", 2, SIZE)))


@pytest.fixture(scope="module")
def drawn_once(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project of 40 squares, ingested, with recorded answers; to be copied."""
    home = tmp_path_factory.mktemp("drawn")
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", make_coco(home / "squares", COUNT)), patch)
        history.ingest(paths, "target")
        write_value(paths.root, "capture.keep", "images")
        write_value(paths.root, "monitor.audit", 0.3)
        paths = Paths(paths.root)
        note(paths, detector(), [picture(number) for number in range(ANSWERED)])
    return paths


@pytest.fixture
def drawn(drawn_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """One of its own, entered."""
    return copy_project(drawn_once, tmp_path / "toy project", monkeypatch)


def call(*words: str | Path, fails: bool = False) -> str:
    said = RUNNER.invoke(app, ["data", "label", *map(str, words)])
    if fails:
        assert said.exit_code, said.output
        return str(said.exception)
    assert not said.exit_code, (said.output, said.exception)
    return said.output


def told(folder: Path) -> dict[str, Any]:
    """The COCO JSON of an export."""
    found: dict[str, Any] = json.loads((folder / "annotations.json").read_text())
    return found


def number_of(folder: Path, name: str) -> int:
    """Which image of the traffic the file shows; one of the data set has a negative number."""
    with Image.open(folder / name) as image:
        pixels: bytes = image.tobytes()
    seeds = [*range(FIRST, FIRST + ANSWERED), *range(COUNT)]
    shown = [draw(seed)[0].tobytes() == pixels for seed in seeds]
    number: int = seeds[shown.index(True)] - FIRST
    return number


def answered(folder: Path, place: Path, names: Sequence[str] | None = None) -> Path:
    """What a tool would write that drew what is there on the exported pictures of these names, by default on all."""
    found = told(folder)
    del found["info"]
    found["images"] = [one for one in found["images"] if names is None or one["file_name"] in names]
    found["annotations"] = []
    ids = {one["name"]: one["id"] for one in found["categories"]}
    for image in found["images"]:
        for square in draw(FIRST + number_of(folder, image["file_name"]))[1]:
            bbox = [square.left, square.top, square.right - square.left, square.bottom - square.top]
            one = {"id": len(found["annotations"]), "image_id": image["id"], "bbox": bbox}
            found["annotations"].append({**one, "category_id": ids[square.name]})
    place.write_text(json.dumps(found))
    return place


def test_folder_holds_pictures_and_what_the_champion_said(drawn: Paths, tmp_path: Path) -> None:
    """Queue and audit share no image; suggested boxes are those that were recorded; an audit suggests nothing."""
    requests = set(draw_audit(drawn))
    call("export", tmp_path / "queue", "--queue", "--suggest")
    call("export", tmp_path / "audit", "--audit")
    queue, audit = told(tmp_path / "queue"), told(tmp_path / "audit")
    assert [one["name"] for one in queue["categories"]] == list(CLASSES)
    assert {str(number_of(tmp_path / "audit", one["file_name"])) for one in audit["images"]} == requests
    assert len(queue["images"]) == ANSWERED - len(requests)
    assert audit["annotations"] == []
    predictor = detector().predictor
    for image in queue["images"]:
        data = (tmp_path / "queue" / image["file_name"]).read_bytes()
        (answer,) = predictor.predict([data])
        mine = [one["bbox"] for one in queue["annotations"] if one["image_id"] == image["id"]]
        wanted = [[box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1] for box in answer.boxes or ()]
        assert mine == [pytest.approx(one, abs=0.01) for one in wanted]
        assert (image["width"], image["height"]) == Image.open(BytesIO(data)).size
    assert queue["annotations"], "the random detector shows no box: give it another threshold"


@pytest.mark.slow
def test_drawn_boxes_become_the_next_version(drawn: Paths, tmp_path: Path) -> None:
    """With log, table of boxes and audit labels; the same file again changes nothing, and `undo` takes all back."""
    before = manifest.read(drawn.manifest("target"))
    requests = draw_audit(drawn)
    folders = [tmp_path / name for name in ("queue", "audit")]
    for folder in folders:
        call("export", folder, f"--{folder.name}")
    files = [answered(folder, tmp_path / f"{folder.name}.json") for folder in folders]
    said = [json.loads(call("import", file, "--json")) for file in files]
    assert [one["added"] for one in said] == [ANSWERED - len(requests), len(requests)]
    assert [one["audited"] for one in said] == [0, len(requests)]
    rows = manifest.read(drawn.manifest("target"))
    added = rows[rows["path"].str.startswith("captured/")].set_index("sha256")["label"].to_dict()
    wanted = {hashlib.sha256(picture(number)).hexdigest(): truth(number) for number in range(ANSWERED)}
    assert added == wanted
    assert (rows["status"] == "ok").all()
    assert {one.request: one.label for one in sample(drawn)} == {one: truth(int(one)) for one in requests}
    boxes = pd.read_parquet(drawn.boxes("target"))
    assert len(boxes) == sum(len(read(text)[2]) for text in rows["label"])
    assert history.read(drawn, "target")[-1].what[0] == f"{len(requests)} labels imported from audit.json"
    assert status(drawn, "target").changes == 0
    run_stage(drawn, "validate", "target")
    again = json.loads(call("import", files[0], "--json"))
    assert (again["changed"], again["added"], again["version"]) == (0, 0, said[1]["version"])
    call("undo")
    assert len(manifest.read(drawn.manifest("target"))) == len(before) + said[0]["added"]


def test_queue_asks_first_where_two_detectors_disagree(drawn: Paths, tmp_path: Path) -> None:
    """By their boxes: both name the same classes."""
    note(drawn, detector("2", seed=3), [picture(number) for number in range(ANSWERED)], "shadow")
    call("export", tmp_path / "queue", "--queue", "--count", "2")
    assert "two models disagree" in (tmp_path / "queue" / "index.html").read_text()


def test_run_that_asks_for_labels_links_a_page_of_boxes(drawn: Paths) -> None:
    """As for classes, with as many images as were asked for."""
    page = _queue(drawn, 5)
    assert page is not None
    assert len(told(page.parent)["images"]) == 5
    assert 'id="stage"' in page.read_text()


def test_bad_boxes_change_nothing(drawn: Paths, tmp_path: Path) -> None:
    """Each is named with its image: no area, outside, an unknown class or picture; what reaches out is cut."""
    call("export", tmp_path / "queue", "--queue")
    file = answered(tmp_path / "queue", tmp_path / "answers.json")
    held = drawn.manifest("target").read_bytes()
    good = json.loads(file.read_text())
    name = good["images"][0]["file_name"].removeprefix("images/")

    def imported(change: dict[str, Any], **more: Any) -> str:
        one = {"id": 9, "image_id": good["images"][0]["id"], "category_id": 1, "bbox": [1, 1, 9, 9], **change}
        file.write_text(json.dumps({**good, "annotations": [*good["annotations"], one], **more}))
        return call("import", file, fails=True)

    assert f"{name}: green at 1 1 1 10: no area" in imported({"bbox": [1, 1, 0, 9]})
    assert f"{name}: green at 500 1 509 10: outside the image" in imported({"bbox": [500, 1, 9, 9]})
    assert "there is no category 7" in imported({"category_id": 7})
    assert "annotated, but not listed" in imported({"image_id": 77})
    strange = [*good["images"], {"id": 99, "file_name": f"20200101T000000000000-{'f' * 16}.png"}]
    assert "no captured answer and no image of the data set" in imported({}, images=strange)
    sized = [{**one, "width": 10} for one in good["images"]]
    assert "its boxes were drawn on 10×" in imported({}, images=sized)
    assert "tells no boxes" in imported({}, images=[{"id": 1}])
    assert "whose class" not in imported({}, categories=[{"id": 1, "name": "a;b"}, {"id": 2, "name": "c"}])
    file.write_text("{")
    assert "cannot be read as JSON" in call("import", file, fails=True)
    assert "nobody's answer" in call("import", tmp_path / "queue" / "annotations.json", fails=True)
    assert drawn.manifest("target").read_bytes() == held
    alone = {**good, "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [-3, 5, 20, 20]}]}
    file.write_text(json.dumps({**alone, "images": good["images"][:1]}))
    assert "1 box reached out of the image, and is cut to it" in call("import", file)
    rows = manifest.read(drawn.manifest("target"))
    (label,) = rows.loc[rows["path"].str.startswith("captured/"), "label"]
    assert read(label)[2] == [Located("green", (0, 5, 17, 25), 0)]


@pytest.mark.usefixtures("drawn")
def test_other_tools_may_rename_pictures(tmp_path: Path) -> None:
    """A path of theirs before the name, a new ending behind it, a class that is new."""
    call("export", tmp_path / "queue", "--queue", "--count", "3")
    file = answered(tmp_path / "queue", tmp_path / "instances_default.json")
    found = json.loads(file.read_text())
    names = [one["file_name"].removeprefix("images/").removesuffix(".png") for one in found["images"]]
    for image, name in zip(
        found["images"],
        (f"C:\\tasks\\7\\{names[0]}", f"1a2b3c4d-{names[1]}.png", f"{names[2]}_png.rf.jpg"),
        strict=True,
    ):
        image["file_name"] = name
    found["categories"][1]["name"] = "crimson"
    file.write_text(json.dumps(found))
    said = json.loads(call("import", file, "--json"))
    assert (said["added"], set(said["new_classes"]) <= {"crimson"}) == (3, True)


def rectangle(square: Any, width: int, height: int) -> dict[str, Any]:
    value = {
        "x": 100 * square.left / width,
        "y": 100 * square.top / height,
        "width": 100 * (square.right - square.left) / width,
        "height": 100 * (square.bottom - square.top) / height,
        "rotation": 0,
        "rectanglelabels": [square.name],
    }
    sides = {"original_width": width, "original_height": height, "image_rotation": 0}
    return {"from_name": "label", "to_name": "image", "type": "rectanglelabels", "value": value, **sides}


@pytest.mark.slow
def test_label_studio_takes_rectangles_and_gives_them_back(drawn: Paths, tmp_path: Path) -> None:
    """Per cent both ways; skipped tasks are passed over, turned boxes and people who disagree are refused."""
    call("export", tmp_path / "tasks", "--queue", "--suggest", "--format", "label-studio")
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    config = (tmp_path / "tasks" / "config.xml").read_text()
    assert '<RectangleLabels name="label" toName="image">\n    <Label value="green"/>' in config
    suggested = [one for task in tasks for given in task["predictions"] for one in given["result"]]
    assert all(0 <= one["value"]["x"] <= one["value"]["x"] + one["value"]["width"] <= 100.001 for one in suggested)
    assert suggested

    def given(task: dict[str, Any], change: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        import base64

        data = base64.b64decode(task["data"]["image"].partition(",")[2])
        number = next(number for number in range(ANSWERED) if picture(number) == data)
        pixels, squares = draw(FIRST + number)
        results = [rectangle(square, pixels.shape[1], pixels.shape[0]) for square in squares]
        for one in results:
            one["value"] |= change or {}
        return {"id": 7, "result": results, "was_cancelled": False, **more}

    full = [one for one in tasks if given(one)["result"]]
    export = tmp_path / "project-1-at-2026.json"

    def imported(annotations: dict[str, list[dict[str, Any]]], *, fails: bool = False) -> str:
        export.write_text(
            json.dumps([{**one, "annotations": annotations.get(one["data"]["name"], [])} for one in tasks])
        )
        return call("import", export, fails=fails)

    first, second = full[0]["data"]["name"], full[1]["data"]["name"]
    assert "is turned" in imported({first: [given(full[0], {"rotation": 9})]}, fails=True)
    assert "has 2 classes" in imported({first: [given(full[0], {"rectanglelabels": ["green", "red"]})]}, fails=True)
    torn = [given(full[0]), given(full[0], {"rectanglelabels": ["blue"]})]
    assert "contradict" in imported({first: torn}, fails=True)
    said = imported({first: [given(full[0])], second: [given(full[1], was_cancelled=True)]})
    assert "1 answer read, 1 new or changed, 1 image added" in said
    rows = manifest.read(drawn.manifest("target"))
    (label,) = rows.loc[rows["path"].str.startswith("captured/"), "label"]
    assert label in {truth(number) for number in range(ANSWERED)}


def test_small_pictures_are_not_drawn_on(drawn: Paths, tmp_path: Path) -> None:
    """Nor is there anything to draw on without pictures: the remedy is told."""
    shutil.rmtree(drawn.root / "captured")
    write_value(drawn.root, "capture.keep", "thumbnails")
    write_value(drawn.root, "monitor.audit", 1e-9)
    paths = Paths(drawn.root)
    note(paths, detector(), [picture(number) for number in range(3)])
    said = call("export", tmp_path / "queue", "--queue", fails=True)
    assert "no whole picture was kept of 3 answers: set capture.keep = images" in said


@pytest.mark.slow
def test_images_of_the_set_wait_and_are_corrected(drawn: Paths, tmp_path: Path) -> None:
    """Those without boxes leave without --queue; with --all every one; what comes back counts more."""
    raw = drawn.raw("target")
    (raw / "waits.png").write_bytes(picture(3))
    file = raw / "coco.json"
    given = json.loads(file.read_text())
    given["annotations"][0]["category_id"] = 9
    file.write_text(json.dumps(given))
    history.ingest(drawn, "target")
    broken = given["images"][given["annotations"][0]["image_id"]]["file_name"]
    rows = manifest.read(drawn.manifest("target")).set_index("path")
    assert "there is no category 9" in rows.loc[broken, "reason"]
    assert "name a new folder" in call("export", tmp_path / "todo.csv", fails=True)
    assert "2 images to label" in call("export", tmp_path / "todo")
    assert "there is no category 9" in (tmp_path / "todo" / "index.html").read_text()
    said = json.loads(call("import", answered(tmp_path / "todo", tmp_path / "answers.json"), "--json"))
    assert (said["changed"], said["added"], said["audited"]) == (2, 0, 0)
    rows = manifest.read(drawn.manifest("target"))
    assert (rows["status"] == "ok").all()
    labels = rows.set_index("path")["label"]
    assert (labels["waits.png"], labels[broken]) == (truth(3), truth(int(broken.partition(".")[0]) - FIRST))
    assert "waits for boxes" in call("export", tmp_path / "none", fails=True)

    assert "21 images to label, 20 more wait" in call("export", tmp_path / "some", "--all", "--count", "21")
    call("export", tmp_path / "all", "--all")
    found = told(tmp_path / "all")
    assert len(found["annotations"]) == sum(len(read(text)[2]) for text in rows["label"])
    del found["info"]
    found["annotations"][0]["bbox"] = [1, 2, 10, 11]
    (tmp_path / "corrected.json").write_text(json.dumps(found))
    said = json.loads(call("import", tmp_path / "corrected.json", "--json"))
    assert (said["given"], said["changed"], said["added"]) == (COUNT + 1, 1, 0)
    now = manifest.read(drawn.manifest("target"))
    assert (now["label"] != rows["label"]).sum() == 1
    boxes = pd.read_parquet(drawn.boxes("target"))
    assert len(boxes[(boxes["x1"] == 1) & (boxes["y2"] == 13)]) == 1


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_turned_photo_is_drawn_on_as_it_stands(kind: str, drawn: Paths, tmp_path: Path) -> None:
    """Its file says that it lies on its side; what is drawn on the upright one stays there.

    What browsers do not show is drawn on as a PNG, and joins the data set as it was answered.
    """
    out, exif = BytesIO(), Image.Exif()
    exif[0x0112] = 6
    pixels = draw(FIRST + 101)[0]
    Image.fromarray(pixels).save(out, kind, exif=exif)
    shutil.rmtree(drawn.root / "captured")
    write_value(drawn.root, "monitor.audit", 1e-9)
    note(Paths(drawn.root), detector(), [out.getvalue()])
    call("export", tmp_path / "queue", "--queue")
    found = told(tmp_path / "queue")
    (image,) = found["images"]
    assert (image["height"], image["width"]) == pixels.shape[1::-1]
    with Image.open(tmp_path / "queue" / image["file_name"]) as shown:
        assert shown.format == ("JPEG" if kind == "JPEG" else "PNG")
    del found["info"]
    found["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40]}]
    (tmp_path / "answers.json").write_text(json.dumps(found))
    call("import", tmp_path / "answers.json")
    rows = manifest.read(drawn.manifest("target"))
    ((path, label),) = rows.loc[rows["path"].str.startswith("captured/"), ["path", "label"]].to_numpy()
    assert (drawn.raw("target") / path).read_bytes() == out.getvalue()
    assert label == f"{pixels.shape[0]}x{pixels.shape[1]};1 2 31 42 green"


@pytest.mark.slow
def test_set_of_yolo_takes_drawn_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a missing file of labels means no box, the boxes that were drawn count."""
    paths = enter(make_project(tmp_path / "toy project", make_yolo(tmp_path / "squares", 16)), monkeypatch)
    history.ingest(paths, "target")
    write_value(paths.root, "capture.keep", "images")
    write_value(paths.root, "monitor.audit", 1e-9)
    paths = Paths(paths.root)
    note(paths, detector(), [picture(number) for number in range(3)])
    call("export", tmp_path / "queue", "--queue")
    call("import", answered(tmp_path / "queue", tmp_path / "answers.json"))
    rows = manifest.read(paths.manifest("target"))
    added = rows.loc[rows["path"].str.startswith("captured/"), "label"]
    assert sorted(added) == sorted(truth(number) for number in range(3))
    file = tmp_path / "answers.json"
    file.write_text('{"images": [], "annotations": [], "categories": []}')
    assert "holds no answer" in call("import", file, fails=True)
    file.write_text("[]")
    assert "holds no answer" in call("import", file, fails=True)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing.browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


class Hand:
    """A mouse or a finger, and keys, on the page."""

    def __init__(self, browser: Browser, *, finger: bool) -> None:
        self.browser, self.finger = browser, finger

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a pixel of the picture is."""
        found = self.browser.run(
            f"((at) => [at.x, at.y])(new DOMPoint({x}, {y}).matrixTransform(stage.getScreenCTM()))"
        )
        return found[0], found[1]

    def tap(self, selector: str) -> None:
        """Click what is there, scrolled to."""
        one = f"document.querySelector('{selector}')"
        self.browser.run(f"({one}.scrollIntoView(), true)")
        found = self.browser.run(
            f"((at) => [at.x + at.width / 2, at.y + at.height / 2])({one}.getBoundingClientRect())"
        )
        self._go((found[0], found[1]))

    def drag(self, *points: tuple[float, float]) -> None:
        """From the first of these pixels over the others; of one it is a click."""
        self._go(*[self.on_screen(*one) for one in points])

    def _go(self, *places: tuple[float, float]) -> None:
        names = ["mousePressed", *["mouseMoved"] * (len(places) - 1), "mouseReleased"]
        touches = ["touchStart", *["touchMove"] * (len(places) - 1), "touchEnd"]
        for name, touch, (x, y) in zip(names, touches, [*places, places[-1]], strict=True):
            if self.finger:
                at = [] if touch == "touchEnd" else [{"x": x, "y": y}]
                self.browser("Input.dispatchTouchEvent", type=touch, touchPoints=at)
            else:
                more = {"button": "left", "clickCount": 1, "buttons": 1}
                self.browser("Input.dispatchMouseEvent", type=name, x=x, y=y, **more)

    def press(self, *keys: str, modifiers: int = 0) -> None:
        """One key after the other."""
        for key in keys:
            text = key if len(key) == 1 and not modifiers else ""
            self.browser("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, modifiers=modifiers)
            self.browser("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def boxes(self) -> list[tuple[str, list[float]]]:
        """Those of the image that is shown."""
        return [(one["label"], one["edges"]) for one in json.loads(self.browser.run("JSON.stringify(boxes())"))]

    def check(self, number: int, label: str, edges: list[float]) -> None:
        """The box of that number, to a pixel."""
        found = self.boxes()[number]
        assert found[0] == label
        assert found[1] == pytest.approx(edges, abs=1)


def download(browser: Browser, folder: Path) -> dict[str, Any]:
    """What the page's button gives, once it is there."""
    folder.mkdir()
    browser("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.click("#save")
    for _ in range(1200):
        # The browser reserves the name first, by an empty file.
        if (folder / "answers.json").is_file() and (folder / "answers.json").stat().st_size:
            break
        browser.run("new Promise((done) => setTimeout(done, 50)) && true")
    found: dict[str, Any] = json.loads((folder / "answers.json").read_text())
    return found


def remembers(browser: Browser, page: str, width: int, said: str) -> bool:
    """Whether the page says so when it is opened anew: it may be another process, which hears of it a moment later."""
    for _ in range(20):
        browser.open(page, width)
        if browser.run("document.querySelector('#said').textContent").startswith(said):
            return True
        time.sleep(0.3)
    return False


@browsing.needed
@pytest.mark.parametrize(("width", "finger"), [(1280, False), pytest.param(390, True, marks=pytest.mark.slow)])
def test_boxes_are_drawn_on_the_page(
    drawn: Paths, tmp_path: Path, browser: Browser, *, width: int, finger: bool
) -> None:
    """Drawn, chosen, moved, resized, named, deleted, undone; what is downloaded is imported; nothing is too wide."""
    call("export", tmp_path / "queue", "--queue")
    images = told(tmp_path / "queue")["images"]
    page, hand = (tmp_path / "queue" / "index.html").as_uri(), Hand(browser, finger=finger)
    browser("Emulation.setTouchEmulationEnabled", enabled=finger)
    browser.asked.clear()
    browser.open(page, width)
    # What another test drew on the same images.
    browser.run("localStorage.clear() || true")
    browser.open(page, width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('#classes button').length") == len(CLASSES)

    # Two boxes, the second one red; it is moved and its right edge pulled.
    hand.drag((5, 6), (15, 10), (25, 30))
    hand.check(0, "green", [5, 6, 25, 30])
    hand.press("Escape", "2")
    hand.drag((30, 20), (50, 40))
    hand.drag((40, 30), (42, 36), (44, 40))
    hand.check(1, "red", [34, 30, 54, 50])
    hand.drag((54, 40), (60, 44))
    hand.check(1, "red", [34, 30, 60, 50])
    # By keys: one pixel or more to the left, the class, away, and back.
    left = hand.boxes()[1][1][0]
    hand.press("ArrowLeft")
    assert hand.boxes()[1][1][0] < left
    hand.press("1", "Delete")
    assert len(hand.boxes()) == 1
    hand.press("z", modifiers=2)
    assert hand.boxes()[1][0] == "green"
    hand.press("z", modifiers=2)
    assert hand.boxes()[1][0] == "red"
    # Chosen by a click, and corrected.
    hand.drag((15, 18))
    hand.press("2")
    assert [name for name, _ in hand.boxes()] == ["red", "red"]
    hand.press("Enter")
    # Nothing on the second; the third passed over; a box by keys alone on the fourth, of a new class.
    hand.tap("#none")
    hand.press("Enter", "ArrowRight", "/", *"blue", "Enter", "+", "Enter")
    assert browser.run("document.querySelector('#said').textContent") == f"3 of {len(images)} labelled"
    found = download(browser, tmp_path / "downloads")
    assert [one["file_name"] for one in found["images"]] == [images[number]["file_name"] for number in (0, 1, 3)]
    assert [one["image_id"] for one in found["annotations"]] == [1, 1, 3]
    assert {one for one in browser.asked if not one.startswith(("file:", "data:", "blob:"))} == set()
    assert remembers(browser, page, width, "3 of"), "the page forgot its answers"
    said = json.loads(call("import", tmp_path / "downloads" / "answers.json", "--json"))
    assert (said["added"], said["new_classes"]) == (3, ["blue"])
    assert said["said"] == ["1 image has no box: nothing of the classes is on it"]
    rows = manifest.read(drawn.manifest("target"))
    assert int(rows["path"].str.startswith("captured/").sum()) == 3
    assert browser.errors == []


@browsing.needed
@pytest.mark.usefixtures("drawn")
def test_suggested_boxes_are_taken_over_or_corrected(tmp_path: Path, browser: Browser) -> None:
    """Enter takes them over as they are; without it they are nobody's answer."""
    call("export", tmp_path / "queue", "--queue", "--suggest")
    found = told(tmp_path / "queue")
    hand = Hand(browser, finger=False)
    browser("Emulation.setTouchEmulationEnabled", enabled=False)
    browser.open((tmp_path / "queue" / "index.html").as_uri(), 1280)
    browser.run("localStorage.clear() || true")
    browser.open((tmp_path / "queue" / "index.html").as_uri(), 1280)
    number = [sum(one["image_id"] == image["id"] for one in found["annotations"]) for image in found["images"]]
    assert number[0] > 1, "the random detector shows too few boxes"
    assert len(hand.boxes()) == number[0]
    assert browser.run("document.querySelector('#save').disabled")
    hand.press("Enter")
    assert browser.run("document.querySelector('#said').textContent") == f"1 of {len(number)} labelled"
    hand.press("ArrowLeft", " ", "Delete", "ArrowRight", "ArrowRight")
    assert browser.run("document.querySelector('#said').textContent") == f"1 of {len(number)} labelled"
    answers = download(browser, tmp_path / "downloads")
    assert len(answers["annotations"]) == number[0] - 1
    mine = [one["bbox"] for one in found["annotations"] if one["image_id"] == found["images"][0]["id"]]
    assert [one["bbox"] for one in answers["annotations"]] == [pytest.approx(one, abs=0.01) for one in mine[1:]]
    assert browser.errors == []
