"""The inspection example: verdicts of defects that are known, and the whole command on generated plates."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path, PurePath
from typing import Any

import browsing
import numpy as np
import pytest
from commands import example
from PIL import Image

from examples.chain import values
from examples.inspection.page import Report, draw, page, sentences, table
from examples.inspection.parts import FAILED, LOOK, PASSED, Allowed, Values, days

OURS = Path(__file__).parents[2] / "examples" / "inspection" / "params.yaml"
FEW = """run:
  project.preset: null
  preprocess.size: 64
  pretrain.init: null
  gate.min_accuracy: 0.1
  pretrain.recipe: {epochs: 1}
  finetune.recipe: {epochs: 1}
  finetune.scratch:
    {epochs: 1, batch_size: 8, optimiser: adamw, learning_rate: 0.004, zoom: 0.7, crop: 0.0, steps: 150}
names: '(?P<date>\\d{4}-\\d{2}-\\d{2})/(?P<part>[^/_.]+)[^/]*$'
mm_per_pixel: 0.5
allowed:
  scratch: {longest_mm: 12.0, most: 2}
"""


def box(label: str, *edges: float) -> dict[str, Any]:
    return {"label": label, "probability": 0.9, **dict(zip(("x1", "y1", "x2", "y2"), edges, strict=True))}


def row(path: str, *boxes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"path": f"/photos/{path}", "boxes": list(boxes), "error": None, "abstain": None, "foreign": None, **more}


SHORT, LONG = box("scratch", 0, 0, 15, 4), box("scratch", 10, 10, 14, 40)
ANSWERS = [
    row("2026-06-02/A1_top.jpg", SHORT),
    row("2026-06-02/A1_side.jpg"),
    row("2026-06-01/A1_top.jpg", SHORT, LONG),
    row("2026-06-01/B2.jpg", SHORT, SHORT),
    row("2026-06-01/B2_side.jpg", SHORT, SHORT),
    row("2026-06-01/C3.jpg", box("hole", 0, 0, 3, 3)),
    row("2026-06-01/D4.jpg", SHORT, abstain=True),
    row("2026-06-01/E5.jpg", LONG, abstain=True),
    row("2026-06-01/F6.jpg", error="no image", boxes=None),
    row("2026-06-31/G7.jpg"),
    row("somewhere.jpg"),
]


def test_parts_pass_by_all_their_photographs() -> None:
    """Too long, too many on all photographs together, or of a class that none may have; doubt passes nothing."""
    asked = values(OURS, Values)
    found, strange = days(ANSWERS, PurePath("/photos"), asked)
    assert list(found) == [date(2026, 6, 1), date(2026, 6, 2)]
    verdicts = {name: part.verdict(asked.allowed) for name, part in found[date(2026, 6, 1)].items()}
    assert verdicts == {"A1": FAILED, "B2": FAILED, "C3": FAILED, "D4": LOOK, "E5": FAILED, "F6": LOOK}
    assert found[date(2026, 6, 2)]["A1"].verdict(asked.allowed) == PASSED
    assert found[date(2026, 6, 1)]["A1"].faults(asked.allowed) == ["scratch of 3.0 mm, 2 mm are allowed"]
    assert found[date(2026, 6, 1)]["B2"].faults(asked.allowed) == ["4 scratch, 3 are allowed"]
    assert found[date(2026, 6, 1)]["C3"].faults(asked.allowed) == ["1 hole, 0.3 mm long at most, and none is allowed"]
    assert strange == ["2026-06-31/G7.jpg", "somewhere.jpg"]


def test_sizes_are_lengths_of_the_box() -> None:
    """By the scale, whichever way the defect lies."""
    found, _ = days(ANSWERS, PurePath("/photos"), values(OURS, Values))
    defects = found[date(2026, 6, 1)]["A1"].defects
    assert [one.longest_mm for one in defects] == pytest.approx([1.5, 3.0])
    assert [one.shortest_mm for one in defects] == pytest.approx([0.4, 0.4])


def test_report_of_each_day(tmp_path: Path) -> None:
    """The latest day first, with the share that fails and its interval; names are escaped, pictures outlined."""
    allowed = {"scratch": Allowed(longest_mm=2.0, most=3)}
    (tmp_path / "2026-06-01").mkdir()
    Image.new("RGB", (60, 60), "grey").save(tmp_path / "2026-06-01" / "<b>.png")
    answers = [row("2026-06-01/<b>.png", LONG), row("2026-06-01/gone.png", LONG), row("2026-06-02/A1.png")]
    found, _ = days(answers, PurePath("/photos"), values(OURS, Values))
    pictures = draw(found, allowed, tmp_path, tmp_path / "out" / "pictures")
    assert list(pictures) == ["2026-06-01/<b>.png"]
    with Image.open(tmp_path / "out" / pictures["2026-06-01/<b>.png"]) as read:
        red, green, _ = np.asarray(read.convert("RGB"))[20, 10].astype(int)
    assert red > green + 30
    report = Report(found, allowed, ("<u>.jpg",), pictures)
    said = sentences(report)
    assert said[0].startswith("2026-06-02: 0 of 1 parts failed")
    assert said[1] == (
        "2026-06-01: 2 of 2 parts failed (34 to 100 % with 95 % confidence), 0 passed, a person has to look at 0"
    )
    text = page(report, "toy & co")
    assert "<b>" not in text
    assert "<u>" not in text
    table(report, tmp_path / "parts.csv")
    with (tmp_path / "parts.csv").open(encoding="utf-8", newline="") as file:
        (first, *_) = list(csv.DictReader(file))
    assert (first["part"], first["verdict"], first["longest_mm"]) == ("<b>", "failed", "3.00")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("run: {}\nnames: x\nmm_per_pixel: 1\nallowed: {}\n", "names 'x' has no groups"),
        ("run: {}\nnames: '(?P<date>.)(?P<part>.)'\nmm_per_pixel: 0\nallowed: {}\n", "mm_per_pixel is 0"),
        ("run: {}\nnames: '(?P<date>.)(?P<part>.)'\nmm_per_pixel: 1\nallowed: {a: {most: 1}}\n", "longest_mm"),
    ],
)
def test_params_that_do_not_fit_are_told(tmp_path: Path, text: str, why: str) -> None:
    """With the file and what is wrong."""
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(SystemExit, match=rf"params.yaml: .*{why}"):
        values(tmp_path / "params.yaml", Values)


def plate(seed: int, *, defects: int) -> tuple[Image.Image, list[tuple[str, int, int, int, int]]]:
    """A grey plate of 64 pixels with dark scratches and bright holes, and where they are."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 120, (64, 64, 3)).astype(np.uint8)
    boxes = []
    for place in range(defects):
        kind = ("scratch", "hole")[int(rng.integers(2))]
        width, height = (int(rng.integers(18, 24)), 12) if kind == "scratch" else (14, 14)
        left, top = int(rng.integers(2, 62 - width)), int(rng.integers(2, 16)) + 32 * place
        pixels[top : top + height, left : left + width] = 10 if kind == "scratch" else 250
        boxes.append((kind, left, top, width, height))
    return Image.fromarray(pixels), boxes


def annotated(folder: Path, count: int) -> None:
    """Plates with a COCO JSON."""
    folder.mkdir()
    names = ("hole", "scratch")
    told: dict[str, Any] = {"images": [], "annotations": []}
    told["categories"] = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    for seed in range(count):
        image, boxes = plate(seed, defects=seed % 3)
        image.save(folder / f"{seed}.png")
        told["images"].append({"id": seed, "file_name": f"{seed}.png", "width": 64, "height": 64})
        for kind, *where in boxes:
            number = len(told["annotations"]) + 1
            one = {"id": number, "image_id": seed, "category_id": names.index(kind) + 1, "bbox": where, "iscrowd": 0}
            told["annotations"].append({**one, "area": where[2] * where[3]})
    (folder / "coco.json").write_text(json.dumps(told))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_plates_to_the_report(tmp_path: Path) -> None:
    """One command makes the project from boxes, trains, answers and writes page, table and pictures."""
    annotated(tmp_path / "plates", 150)
    painted = {}
    for number in range(12):
        image, boxes = plate(1_000 + number, defects=number % 3)
        folder = tmp_path / "photos" / f"2026-06-{1 + number % 2:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"P{number}.png")
        painted[f"P{number}"] = boxes
    (tmp_path / "few.yaml").write_text(FEW)
    words = ["project", "photos", "--labelled", "plates", "--params", "few.yaml"]
    said = example(tmp_path, "examples.inspection", *words)
    assert "2026-06-02: " in said
    with (tmp_path / "inspection" / "parts.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["part"]: row for row in csv.DictReader(file)}
    assert len(rows) == 12
    # A hole fails a part, and nothing else here does.
    right = [
        (rows[name]["verdict"] == FAILED) == any(kind == "hole" for kind, *_ in boxes)
        for name, boxes in painted.items()
    ]
    assert sum(right) >= 9
    assert sum(int(row["defects"]) for row in rows.values()) >= 6
    text = (tmp_path / "inspection" / "index.html").read_text(encoding="utf-8")
    assert text.count("<section>") == 2
    assert list((tmp_path / "inspection" / "pictures").glob("*.jpg"))
    if browsing.CHROMIUM:
        with browsing.browser(tmp_path) as browser:
            browser.open((tmp_path / "inspection" / "index.html").as_uri(), 390)
            assert browser.run("document.documentElement.scrollWidth") <= 390
            assert browser.errors == []
