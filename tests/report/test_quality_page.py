from __future__ import annotations

import base64
import io
import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pictures import picture
from PIL import Image

from sightline.config import write_value
from sightline.data.quality import Finding
from sightline.data.quality.finding import WrongBox, WrongLabel
from sightline.project import Paths
from sightline.report.quality import DRAWN, FOUND, write_page, write_quality

if TYPE_CHECKING:
    from pathlib import Path


def page(folder: Path, *found: Finding) -> str:
    """Write a page about three files, the last of which is no image."""
    for name in ("one.png", "<two>.png"):
        picture().save(folder / name)
    (folder / "three.png").write_bytes(b"not an image")
    rows = pd.DataFrame({"path": ["one.png", "<two>.png", "three.png"], "label": ["cat", None, "dog"]})
    rows["role"], rows["status"] = ["train", None, None], ["ok", "ok", "quarantined"]
    target = write_page(found, rows, folder, folder / "docs" / "quality.html", "pets")
    return target.read_text(encoding="utf-8")


def test_a_finding_stands_with_its_images(tmp_path: Path) -> None:
    """Sentence, thumbnails, labels and roles; a file that cannot be decoded by its name alone."""
    finding = Finding("blank", "Blank images", "3 images: even.", 30, (("one.png", "<two>.png"), ("three.png",)))
    text = page(tmp_path, finding)
    assert "3 images: even." in text
    assert text.count('<img src="data:image/webp;base64,') == 2
    assert text.count("not shown") == 1
    assert "The first 2 of 30." in text
    assert "3 files · 2 ok · 1 quarantined" in text


def test_names_of_files_are_escaped_and_nothing_is_loaded(tmp_path: Path) -> None:
    """A file name is no HTML, and the page needs neither network nor scripts."""
    text = page(tmp_path, Finding("dark", "Dark", "Dark.", 1, (("<two>.png",),)))
    assert "&lt;two&gt;.png" in text
    assert "<two>" not in text
    assert "http://" not in text
    assert "<script" not in text


def test_boxes_are_drawn_on_their_image(tmp_path: Path) -> None:
    """The drawn box and the found one, each in its colour, where they lie; and what is wrong in words."""
    Image.new("RGB", (900, 600), "white").save(tmp_path / "wide.png")
    rows = pd.DataFrame({"path": ["wide.png"], "label": ["900x600"], "role": ["train"], "status": ["ok"]})
    edges = ((90.0, 90.0, 300.0, 300.0), (450.0, 300.0, 810.0, 540.0))
    box = WrongBox(
        path="wide.png", kind="class", given="cat", likely="<dog>", drawn=edges[0], found=edges[1], doubt=0.8
    )
    finding = Finding("boxes", "Boxes", "1 likely error.", 1, (("wide.png",),), (box,))
    text = write_page([finding], rows, tmp_path, tmp_path / "page.html", "pets").read_text(encoding="utf-8")
    assert "cat, likely &lt;dog&gt;" in text
    (data,) = re.findall(r'<img src="data:image/webp;base64,([^"]+)"', text)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")).astype(int)
    scale = pixels.shape[1] / 900
    for corners, colour in zip(edges, (DRAWN, FOUND), strict=True):
        # WebP blurs colours: nearer to that of the box than to white.
        inside = np.abs(pixels - colour).sum(2) < np.abs(pixels - 255).sum(2)
        inside &= np.abs(pixels - colour).sum(2) < 200
        rows_of, columns = np.nonzero(inside)
        found = (columns.min(), rows_of.min(), columns.max(), rows_of.max())
        assert np.allclose(np.array(found), np.array(corners) * scale, atol=4)


def test_likely_label_stands_under_its_image(tmp_path: Path) -> None:
    """Who looks at the picture reads which label it has and which it should have, escaped; others have theirs alone."""
    label = WrongLabel(path="one.png", given="cat", likely="<dog>", doubt=0.8)
    wrong = Finding("labels", "Labels", "1 label.", 1, (("one.png",),), labels=(label,))
    text = page(tmp_path, wrong, Finding("dark", "Dark", "Dark.", 1, (("three.png",),)))
    assert '<b class="said">cat, likely &lt;dog&gt;</b>' in text
    assert "<b>cat</b>" not in text
    assert "<b>dog</b>" in text


def test_nothing_odd_is_said(tmp_path: Path) -> None:
    """An empty page would leave people in doubt."""
    assert "Nothing odd was found." in page(tmp_path)


def test_boxes_are_told_by_their_classes(toy: Paths) -> None:
    """How many of each class an image has, not where; what is no label of boxes stands there as it is."""
    write_value(toy.root, "project.task", "detect")
    paths = Paths(toy.root)
    for name in ("one.png", "two.png"):
        picture().save(paths.raw("target") / name)
    rows = pd.DataFrame({"path": ["one.png", "two.png"], "label": ["640x480;1 2 30 40 RBC;5 5 9 9 RBC", "no boxes"]})
    rows = rows.assign(role="train", status="ok")
    finding = Finding("dark", "Dark", "Dark.", 2, (("one.png", "two.png"),))
    html = write_quality(paths, "target", rows, [finding]).read_text(encoding="utf-8")
    assert "640x480" not in html
    assert "2 RBC" in html
    assert "no boxes" in html
