"""Every page that people open, in a real browser: as wide as a phone and as a desk."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import browsing
import pytest
import traffic
from answering import served
from conftest import make_images
from figures import run_report
from typer.testing import CliRunner

from flows.cli.app import app
from flows.watch import watch
from sightline.config import write_value
from sightline.data.adding import add
from sightline.data.versions import history
from sightline.project import Paths
from sightline.registry.blessing import REQUIRED, Blessing, Bound, decide
from sightline.registry.differences import Difference
from sightline.registry.judge import Judgement
from sightline.registry.outcome import Outcome
from sightline.report.gate import write_gate_report
from sightline.report.index import write_index
from sightline.report.page import write_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browsing import Browser

LONG = "a_class_whose_name_no_line_of_a_phone_can_hold_number_"
"""Part of a name without any blank."""
TALLEST = 15_000
"""Pixels of a page on a phone: more than that nobody reads."""
RUNNER = CliRunner()


def _call(*words: str | Path) -> None:
    done = RUNNER.invoke(app, list(map(str, words)))
    assert done.exit_code == 0, (done.output, done.exception)


def _gate_page(paths: Paths) -> Path:
    """As it is shown to who decides."""
    bound = Bound(data="d", code="c", weights="w", release="r")
    found = [
        Blessing(
            name=name,
            verdict="insufficient" if name == "overall" else "passed",
            sentence=f"{name} tells of {LONG}1 and of others",
            figures={"accuracy": 0.93, "slices": [{"name": LONG, "p": 0.01}]},
            digests=bound,
        )
        for name in REQUIRED
    ]
    one = Difference(
        path=next(paths.raw("target").rglob("*.png")).relative_to(paths.raw("target")).as_posix(),
        label=f"{LONG}1",
        gained=True,
        candidate=f"{LONG}1",
        candidate_probability=0.9,
        champion=f"{LONG}2",
        champion_probability=0.7,
    )
    decision = decide(found, bound)
    judged = Judgement(version="2", champion="1", release="r1", bound=bound, decision=decision, differences=(one,))
    outcome = Outcome("2", "1", decision.verdict, decision.sentence, decision.blessings, judgement=judged)
    return write_gate_report(paths, outcome, "decide-version-2")


@pytest.fixture(scope="module")
def pages(trained: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Name → address, each with something to tell."""
    write_value(trained.root, "capture.keep", "images")
    paths = Paths(trained.root)
    traffic.capture(paths, traffic.toys(0, 30), "one", camera="left")
    watch(paths)
    queue = tmp_path_factory.mktemp("labelling") / "queue"
    _call("data", "label", "export", queue, "--queue")
    first = history.read(paths, "target")[-1].version
    add(paths, "target", make_images(tmp_path_factory.mktemp("more") / "more", per_class=2, first=700))
    _call("data", "diff", first)
    _call("lineage")
    names = [f"{LONG}{number}" for number in range(12)]
    files = {
        "report": next(file for file in paths.reports.glob("*.html") if b"sightline-run" in file.read_bytes()),
        "long names": write_page(run_report(names), paths.reports / "long.html"),
        "decision": _gate_page(paths),
        "lineage": paths.reports / "lineage-toy-classifier-1.html",
        "changes": next(paths.reports.glob("data-target-*.html")),
        "monitor": paths.reports / "monitor.html",
        "validation": paths.docs_page("target"),
        "quality": paths.quality("target"),
        "labelling": queue / "index.html",
        "index": write_index(paths),
    }
    with ExitStack() as stack:
        yield {name: file.as_uri() for name, file in files.items()} | {"drop": stack.enter_context(served())}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One for all tests of this file."""
    with browsing.browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


NAMES = (
    "report",
    "long names",
    "decision",
    "lineage",
    "changes",
    "monitor",
    "validation",
    "quality",
    "labelling",
    "index",
    "drop",
)
OVER = """JSON.stringify([...document.querySelectorAll('body *')].filter((one) =>
one.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((one) => one.outerHTML.slice(0, 80)))"""


@browsing.needed
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", NAMES)
def test_fits_the_window_without_an_error(browser: Browser, pages: dict[str, str], name: str, width: int) -> None:
    """Nothing is wider than the window, the page is no endless strip, and the console stays silent."""
    browser.errors.clear()
    browser.open(pages[name], width)
    assert browser.run("document.body.innerText.trim().length") > 20
    if browser.run("document.documentElement.scrollWidth") > width:
        pytest.fail(browser.run(OVER))
    assert browser.run("document.documentElement.scrollHeight") < TALLEST
    assert browser.errors == []


HARD = """JSON.stringify([
[...document.querySelectorAll('svg text')].filter((one) => {
    const height = one.getBoundingClientRect().height; return height && height < 10; }).length,
[...document.querySelectorAll('nav a, summary, button')].filter((one) => {
    const height = one.getBoundingClientRect().height; return height && height < 24; }).length,
[...document.querySelectorAll('section')].filter((one) => one.scrollWidth > one.clientWidth + 1).length])"""


@browsing.needed
@pytest.mark.parametrize("name", [name for name in NAMES if name != "lineage"])
def test_a_phone_shows_it_whole(browser: Browser, pages: dict[str, str], name: str) -> None:
    """The words of plots can be read, links be hit, and nothing be pushed aside to read on; lineage's graph is wide."""
    browser.open(pages[name], 390)
    small_words, small_targets, cut = json.loads(browser.run(HARD))
    assert (small_words, small_targets, cut) == (0, 0, 0)


@browsing.needed
@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_dead(browser: Browser, pages: dict[str, str], name: str) -> None:
    """Each leads to a file that is there, relative to its page, or to a place in the page."""
    browser.open(pages[name], 1280)
    here = browser.run("location.href").partition("#")[0]
    found = browser.run("JSON.stringify([...document.links].map((one) => [one.getAttribute('href'), one.href]))")
    for written, whole in json.loads(found):
        place, _, inside = whole.partition("#")
        if place == here:
            assert not inside or browser.run(f"!!document.getElementById({json.dumps(unquote(inside))})"), written
        elif whole.startswith("file:"):
            assert not written.startswith(("file:", "/")), written
            if name != "long names":  # whose images were never there
                assert Path(unquote(urlsplit(place).path)).is_file(), written
