"""The field example: trends of counts that are known, and the whole command on generated leaves."""

from __future__ import annotations

from datetime import date
from pathlib import Path, PurePath
from typing import Any

import browsing
import numpy as np
import pytest
from commands import example
from PIL import Image

from examples.chain import values
from examples.field.page import Shown, page, sentences
from examples.field.trends import Day, Values, days, slope, trends

ROOT = Path(__file__).parents[2]
OURS = ROOT / "examples" / "field" / "params.yaml"
FEW = """run:
  project.preset: fast
  preprocess.size: 24
  pretrain.init: null
  finetune.scratch.steps: 60
  finetune.scratch.epochs: 1
names: '(?P<plot>[^/]+)/(?P<date>\\d{4}-\\d{2}-\\d{2})[^/]*$'
healthy: healthy
least: 5
"""


def row(path: str, label: str, **more: Any) -> dict[str, Any]:
    return {"path": f"/photos/{path}", "label": label, "error": None, "abstain": None, "foreign": None, **more}


def test_photographs_are_counted_by_plot_and_day() -> None:
    """Of several labels each counts; an unsure answer counts as such alone, a name without a date nowhere."""
    answers = [
        row("south/2026-06-02_1.jpg", "healthy"),
        row("north/2026-06-02_1.jpg", "rust"),
        row("north/2026-06-01_1.jpg", "mildew;rust", labels=["rust", "mildew"]),
        row("north/2026-06-01_2.jpg", ";", labels=[]),
        row("north/2026-06-01_3.jpg", "rust", abstain=True),
        row("north/2026-06-01_4.jpg", "rust", error="no image"),
        row("north/2026-06-31_4.jpg", "rust"),
        row("somewhere.jpg", "rust"),
    ]
    plots, strange = days(answers, PurePath("/photos"), values(OURS, Values))
    assert list(plots) == ["north", "south"]
    assert plots["north"] == {
        date(2026, 6, 1): Day(2, 2, {"rust": 1, "mildew": 1}),
        date(2026, 6, 2): Day(1, 0, {"rust": 1}),
    }
    assert strange == ["north/2026-06-31_4.jpg", "somewhere.jpg"]


def test_slope_of_two_days_is_that_of_two_shares() -> None:
    """The trend of two groups is the pooled comparison of two proportions; without spread there is none."""
    pooled = 15 / 50
    wanted = (12 / 30 - 3 / 20) / np.sqrt(pooled * (1 - pooled) * (1 / 30 + 1 / 20))
    assert slope([4, 9], [(3, 20), (12, 30)]) == pytest.approx(wanted)
    assert slope([4, 9], [(0, 20), (0, 30)]) == slope([4], [(3, 20)]) == slope([], []) == 0.0


def test_what_rises_is_told_and_chance_rarely_is() -> None:
    """Of 100 fields without a trend about one in twenty at most is said to have any; a true one is named."""
    rng, said = np.random.default_rng(0), 0

    def field(share: float, last: float) -> dict[date, Day]:
        shares = np.linspace(share, last, 4)
        return {
            date(2026, 6, 1 + 7 * week): Day(30, 0, {"rust": int(rng.binomial(30, one))})
            for week, one in enumerate(shares)
        }

    for _ in range(100):
        said += bool(trends({str(number): field(0.3, 0.3) for number in range(4)}, 5))
    # 12 of 100 come by chance in one case of a hundred.
    assert said <= 12
    plots = {"north": field(0.05, 0.8), "south": field(0.2, 0.2)}
    found = trends(plots, 5)
    assert [(one.plot, one.disease, one.rises) for one in found] == [("north", "rust", True)]
    assert "north: rust rises" in sentences(Shown(plots, found, (), 5))[0]


def test_names_on_the_page_are_escaped() -> None:
    """A folder is called as people like."""
    plots = {"<b>north</b>": {date(2026, 6, 1): Day(6, 0, {"<i>rust</i>": 3}), date(2026, 6, 8): Day(2)}}
    text = page(Shown(plots, (), ("<u>.jpg",), 5), "toy & co")
    assert "<b>north" not in text
    assert "<i>rust" not in text
    assert "<u>.jpg" not in text


def test_params_that_do_not_fit_are_told(tmp_path: Path) -> None:
    """With the file and what is wrong."""
    (tmp_path / "params.yaml").write_text("run: {}\nnames: 'x'\nhealthy: a\nleast: 5\n")
    with pytest.raises(SystemExit, match=r"params.yaml: names 'x' has no groups"):
        values(tmp_path / "params.yaml", Values)
    (tmp_path / "params.yaml").write_text("runs: {}\n")
    with pytest.raises(SystemExit, match="runs"):
        values(tmp_path / "params.yaml", Values)


def leaf(seed: int, disease: str) -> Image.Image:
    """A green square with orange or white spots."""
    rng = np.random.default_rng(seed)
    pixels = np.array([40, 130, 50]) + rng.integers(-30, 31, (24, 24, 3))
    for _ in range(0 if disease == "healthy" else 6):
        top, left = rng.integers(0, 20, 2)
        pixels[top : top + 4, left : left + 4] = (235, 130, 20) if disease == "rust" else (240, 240, 240)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def write(path: Path, seed: int, disease: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    leaf(seed, disease).save(path)


@pytest.mark.slow
def test_from_leaves_to_the_page(tmp_path: Path) -> None:
    """One command makes the project, trains, answers and writes the page; a second one trains nothing."""
    for number in range(180):
        disease = ("healthy", "mildew", "rust")[number % 3]
        write(tmp_path / "leaves" / disease / f"{number}.png", number, disease)
    for week, ill in enumerate((1, 4, 8, 11)):
        for number in range(12):
            name = f"2026-06-{1 + 7 * week:02d}_{number}.png"
            seed = 1_000 + 100 * week + number
            write(tmp_path / "photos" / "north" / name, seed, "rust" if number < ill else "healthy")
            write(tmp_path / "photos" / "south" / name, seed + 5_000, "mildew" if number < 3 else "healthy")
    (tmp_path / "few.yaml").write_text(FEW)
    words = ["project", "photos", "--labelled", "leaves", "--params", "few.yaml"]
    said = example(tmp_path, "examples.field", *words)
    assert "north: rust rises" in said
    assert "south" not in said.partition("page: ")[0].rpartition("north: ")[2]
    text = (tmp_path / "field.html").read_text(encoding="utf-8")
    assert text.count("<section>") == 2
    assert "north: rust rises" in text
    if browsing.CHROMIUM:
        with browsing.browser(tmp_path) as browser:
            browser.open((tmp_path / "field.html").as_uri(), 390)
            assert browser.run("document.documentElement.scrollWidth") <= 390
            assert browser.errors == []
