from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
from figures import evaluation_figures, png, run_report
from PIL import Image

from sightline.report.axis import axis, risk_axis, time_axis
from sightline.report.page import (
    Curve,
    RunReport,
    _heat,
    _line,
    write_page,
)
from sightline.report.rendering import _duration, _picture, bar_scale

if TYPE_CHECKING:
    from pathlib import Path

AWKWARD = ['<b>scratch</b> & "dent"', "Oberfläche 'ohne' Fehler"]
VOID = {"meta", "img", "br", "link", "input"}
BIG_NUMBER = 40_000


class _Page(HTMLParser):
    """Collects what a browser would see, and checks that every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)
        if tag != "b":
            self.words.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def find(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _written(report: RunReport, folder: Path) -> tuple[str, _Page]:
    html = write_page(report, folder / "reports" / "run.html").read_text(encoding="utf-8")
    return html, _Page(html)


def test_tells_the_decision_and_every_figure(tmp_path: Path) -> None:
    """The decision, the stages, the scores and the figures stand in the page in the units that people read."""
    _, page = _written(run_report(["cat", "dog", "emu"]), tmp_path)
    for words in (
        "Version 3 was promoted: it is right on more test images.",
        "champion: demo-classifier version 3",
        "ingest 20 images up to date 1.5 s",
        "all 1 min 32 s",
        "fine-tuned chosen 70.0 % 64.0 % \u2013 76.0 %",
        "Test accuracy 77.8 % 21 of 27 images right",
        "Log loss 0.654",
        "Calibration error 1.8 % 6.2 % before temperature 1.43",
        "says dog, 98.0 % is cat",
        "To be right in 99.0 %, it abstains below a confidence of 0.912, fitted on the calibration images",
        "it then answers 60.0 %, and 98.5 % of these answers are right",
        "on the test images they do in 89.3 %",
        "brightness > 0.62 90.0 % 74.0 % \u2013 97.0 % 30",
        "gaussian noise 30.0 %",
        "An answer takes 4.3 ms 95 % within 5.5 ms; 412 MB of memory",
        "train 20 val 11 calib 12 test 13 classes 3 quarantined 1",
        "git commit 1f0b2d3c",
    ):
        assert words in page.text


def test_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Every picture is inside the file, and no script, style sheet or font is asked for."""
    html, page = _written(run_report(["cat", "dog"]), tmp_path)
    assert page.find("img")
    assert all(image["src"].startswith("data:image/") for image in page.find("img"))
    assert not page.find("script")
    assert not page.find("link")
    assert "url(" not in html
    assert "@import" not in html
    assert any("default-src 'none'" in meta.get("content", "") for meta in page.find("meta"))


def test_escapes_names_and_paths(tmp_path: Path) -> None:
    """Class names and paths with markup, quotes and umlauts are shown as they are, and never become markup."""
    html, page = _written(run_report(AWKWARD), tmp_path)
    assert "<b>scratch" not in html
    assert f"says {AWKWARD[1]}, 98.0 % is {AWKWARD[0]}" in page.text
    assert "a & b/<x>.jpg" in page.text
    assert any(
        cell.get("title") == f"true {AWKWARD[0]}, predicted {AWKWARD[1]}: 3 (30.0\u00a0%)" for cell in page.find("td")
    )


def test_two_classes_get_a_labelled_matrix_and_no_top5(tmp_path: Path) -> None:
    """With few classes the confusion matrix is a labelled table, the class table stands open, and top-5 is left out."""
    html, page = _written(run_report(["good", "bad"]), tmp_path)
    assert [row["title"] for row in page.find("th") if "title" in row] == ["good", "bad", "good", "bad"]
    assert "bad good 3" not in page.text
    assert "good bad 3 30.0 %" in page.text
    assert "Top-5" not in page.text
    assert re.search(r"<details open>\s*<summary>2 classes", html)


def test_two_hundred_classes_stay_readable_and_small(tmp_path: Path) -> None:
    """With 200 classes of noise the matrix is a picture, the class table is folded, and the page stays below 3 MB."""
    html, page = _written(run_report([f"n{number:03}" for number in range(200)], side=64, samples=9), tmp_path)
    assert len(html.encode()) < 3e6
    assert 'class="confusion' not in html
    assert any("Confusion matrix of 200 classes: 1400 of" in image["alt"] for image in page.find("img"))
    assert "n000 n001 3 30.0 %" in page.text
    assert re.search(r"<details>\s*<summary>200 classes", html)
    assert "Sample images of 40 of the 200 classes" in page.text
    assert sum(image["alt"].startswith("image of class") for image in page.find("img")) == 40 * 8 + 2
    assert "Top-5 accuracy 98.7 %" in page.text


def test_headline_tells_a_refusal_and_what_is_odd_about_the_data(tmp_path: Path) -> None:
    """A refused version is marked as such at the top, and the findings of the validation stand there, too."""
    html, page = _written(replace(run_report(["cat", "dog"]), decision="refused"), tmp_path)
    head = html[html.index("<header>") : html.index("<main>")]
    assert '<span class="tag bad">refused</span>' in head
    assert "target: 2 pictures are on both sides of the split." in head
    assert "refused Version 3" in page.text


def test_confused_images_are_a_click_away(tmp_path: Path) -> None:
    """A cell of the matrix, and its line in the list, lead to its images, and these to their files."""
    _, page = _written(run_report(["cat", "dog"]), tmp_path)
    places = [link["href"] for link in page.find("a")]
    assert places.count("#cell-1") == 2
    assert any(one.get("id") == "cell-1" for one in page.find("article"))
    assert places.count("../data/raw/target/a%20%26%20b.png") == 2


def test_bars_start_where_differences_show() -> None:
    """Not at nothing, where all are nearly alike; the shortest bar can still be seen."""
    high, low = bar_scale([0.97, 0.99]), bar_scale([0.02, 0.99])
    assert (high.start, high.words) == (0.9, "from 90\u00a0%")
    assert float(high.width(0.99)) > 2 * float(high.width(0.94)) > 0
    assert (low.start, low.words, low.width(0.5)) == (0.0, "", "50.0")
    assert float(bar_scale([0.9, 1.0]).width(0.9)) > 0


def test_weakest_class_comes_first(tmp_path: Path) -> None:
    """The table per class begins with the lowest F1."""
    html, _ = _written(run_report(["cat", "dog", "emu"]), tmp_path)
    assert re.findall(r'class="name">(\w+)</th>', html) == ["emu", "dog", "cat"]


def test_class_without_test_images_is_shown(tmp_path: Path) -> None:
    """A class that no test image belongs to gives an empty row, in the table as in the picture."""
    report = replace(run_report(["cat", "dog"]), evaluation=evaluation_figures(["cat", "dog"], [[5, 1], [0, 0]]))
    _, page = _written(report, tmp_path)
    assert any(cell.get("title") == "true dog, predicted dog: 0 (0.0\u00a0%)" for cell in page.find("td"))
    assert _heat(np.array([[5, 1], [0, 0]])).startswith("data:image/png")


def test_run_without_mistakes_champion_or_calibration(tmp_path: Path) -> None:
    """A perfect first model without calibration images gets sentences that are true of it."""
    evaluation = evaluation_figures(["cat", "dog"], [[5, 0], [0, 5]]) | {"temperature": 1.0}
    _, page = _written(replace(run_report(["cat", "dog"]), evaluation=evaluation, mistakes=(), champion=None), tmp_path)
    assert "None: every test image was recognised." in page.text
    assert "no champion yet" in page.text
    assert "Most confused" not in page.text
    assert "Dividing the logits" not in page.text


def test_image_of_no_class_is_told_in_words(tmp_path: Path) -> None:
    """The text of an empty set of labels is a mark for files, not for people."""
    report = run_report(["cat", "dog"])
    wrong = replace(report.mistakes[0], true=";", predicted="cat;dog")
    _, page = _written(replace(report, mistakes=(wrong,)), tmp_path)
    assert "says cat;dog" in page.text
    assert "is none of the classes" in page.text


def test_accuracy_that_cannot_be_promised_is_told(tmp_path: Path) -> None:
    """Where no threshold is shown to keep the wanted accuracy, the page says why: too few images, or wrong answers."""
    evaluation = evaluation_figures(["cat", "dog"], [[5, 1], [0, 5]])

    def said(wanted: float, most_shown: float) -> str:
        asked = {**evaluation["abstention"], "threshold": None, "wanted_accuracy": wanted, "most_shown": most_shown}
        report = replace(run_report(["cat", "dog"]), evaluation={**evaluation, "abstention": asked})
        return _written(report, tmp_path)[1].text.replace("\u00a0", " ")

    few = "99.0 % cannot be promised by any confidence: so many calibration images show 97.4 % at most."
    assert few in said(0.99, 0.974)
    enough = said(0.8, 0.912)
    assert "80.0 % cannot be promised by any confidence: on the calibration images not even its surest" in enough
    assert "at most. The model abstains" not in enough


def test_long_lists_are_cut_and_counted(tmp_path: Path) -> None:
    """Of many quarantined images a hundred are listed, and the rest is counted."""
    report = run_report(["cat", "dog"])
    card = replace(report.datasets[0], quarantined=[(f"{number}.jpg", "zero bytes") for number in range(107)])
    _, page = _written(replace(report, datasets=(card,)), tmp_path)
    assert "99.jpg zero bytes … and 7 more; the manifest lists them all." in page.text


def test_small_images_are_enlarged_pixel_by_pixel() -> None:
    """An 8-pixel image keeps its bytes and is marked small; a large one becomes a thumbnail and is not."""
    digit, photo = _picture(png(8), 96), _picture(png(300), 96)
    assert digit["src"].startswith("data:image/png")
    assert digit["small"]
    assert photo["src"].startswith("data:image/webp")
    assert not photo["small"]
    assert len(photo["src"]) < 20_000


def test_heat_map_tells_right_from_wrong() -> None:
    """One pixel per cell: blue on the diagonal, orange beside it, nothing where there are no images."""
    data = base64.b64decode(_heat(np.array([[3, 1], [0, 9]])).split(",")[1])
    with Image.open(BytesIO(data)) as image:
        pixels = np.asarray(image)
    assert pixels.shape == (2, 2, 4)
    red, _, blue = pixels[0, 1, :3].tolist()
    assert red > blue
    assert pixels[0, 0, 2] > pixels[0, 0, 0]
    assert pixels[..., 3].tolist() == [[221, 128], [0, 255]]


def test_curve_skips_what_was_not_measured_or_diverged() -> None:
    """Points without a value or with an infinite one are left out; a long curve is thinned and keeps its last point."""
    nan = float("nan")
    rows: list[dict[str, float | None]] = [
        {"step": 1, "train_loss": 2.0},
        {"step": 2, "train_loss": None},
        {"step": 3, "train_loss": nan},
        {"step": 4},
    ]
    assert _line(Curve(name="x", points=rows), "step", "train_loss") == [(1.0, 2.0)]
    long = Curve(name="x", points=[{"step": step, "train_loss": 1.0} for step in range(1, BIG_NUMBER + 1)])
    line = _line(long, "step", "train_loss")
    assert len(line) == 100
    assert line[-1] == (float(BIG_NUMBER), 1.0)


def test_a_curve_of_steps_without_validation_gives_one_plot(tmp_path: Path) -> None:
    """What was measured decides the plots: a training loss by step is one, and says so to a screen reader."""
    points = [{"step": step, "train_loss": 1 / step} for step in (10, 20)]
    _, page = _written(replace(run_report(["cat", "dog"]), curves=(Curve(name="backbone", points=points),)), tmp_path)
    labels = [plot["aria-label"] for plot in page.find("svg") if " of backbone" in plot.get("aria-label", "")]
    assert labels == ["loss of backbone by step: train from 0.1 to 0.05"]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.871, 0.965], [0.85, 0.9, 0.95, 1.0]),
        ([0.0, 2.3], [0.0, 1.0, 2.0, 3.0]),
        ([1.0], [0.5, 1.0]),
        ([0.0, 0.0], [-0.5, 0.0]),
    ],
)
def test_axis_has_round_ticks_around_the_values(values: list[float], ticks: list[float]) -> None:
    """Ticks are 1, 2 or 5 times a power of ten and enclose the values, also where these are all the same."""
    scale = axis(values, 100, 0)
    assert scale.ticks == ticks
    assert (scale.at(ticks[0]), scale.at(ticks[-1])) == (100, 0)


def test_without_a_wrong_answer_the_axis_of_risk_is_no_negative_one() -> None:
    """Its line lies on the bottom."""
    sure = {"risk_coverage": [{"risk": 0.0}], "abstention": {"accuracy": 1.0}}
    assert (risk_axis(sure).low, risk_axis(sure).high) == (0.0, 0.01)


def test_time_axis_ends_with_the_run() -> None:
    """Epochs have whole ticks, and the axis ends at the last epoch, even where there is only one."""
    assert time_axis([1.0], 0, 90).ticks == [0, 1]
    assert time_axis([1.0, 12.0], 0, 90).ticks == [0, 5, 10]
    assert time_axis([1.0, 12.0], 0, 90).at(12) == 90


def test_durations_read_as_people_say_them() -> None:
    """Seconds below a minute, then minutes, then hours."""
    words = [_duration(seconds).replace("\u00a0", " ") for seconds in (0.04, 59.9, 59.99, 75, 3720)]
    assert words == ["0.0 s", "59.9 s", "1 min 00 s", "1 min 15 s", "1 h 02 min"]
