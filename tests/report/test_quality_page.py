from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from pictures import picture

from sightline.data.quality import Finding
from sightline.report.quality import write_page

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


def test_nothing_odd_is_said(tmp_path: Path) -> None:
    """An empty page would leave people in doubt."""
    assert "Nothing odd was found." in page(tmp_path)
