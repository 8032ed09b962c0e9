"""What the backbone must not have seen."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import enter, make_images, make_project
from PIL import Image

from sightline.data import manifest
from sightline.data.versions import archive, history
from sightline.registry import leaks
from sightline.report.leaks import write_leaks

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def of_role(paths: Paths, role: str) -> list[str]:
    rows = manifest.read(paths.manifest("target"))
    return sorted(rows.loc[rows["role"] == role, "path"])


def found(paths: Paths) -> list[leaks.Leak]:
    version = archive.current(paths, "source")
    return leaks.leaks(paths, version.digest, version.raw)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A project with another source than its target, both ingested."""
    source = make_images(tmp_path / "source", per_class=8, first=5000)
    made = make_project(tmp_path / "toy project", make_images(tmp_path / "target", per_class=20), source)
    paths = enter(made, monkeypatch)
    for use in ("source", "target"):
        history.ingest(paths, use)
    return paths


def test_other_pictures_are_no_leak(paths: Paths) -> None:
    """A source of other pictures is clean."""
    assert found(paths) == []


def test_copies_and_near_copies_of_held_out_images_are_found(paths: Paths) -> None:
    """A test image, a calibration image compressed anew and a validation image in the source are named by path.

    A training image there is no leak.
    """
    test, calib, val, train = (of_role(paths, role)[0] for role in ("test", "calib", "val", "train"))
    raw, other = paths.raw("target"), paths.raw("source")
    for number, path in enumerate((test, val, train)):
        shutil.copyfile(raw / path, other / "red" / f"copy{number}.png")
    with Image.open(raw / calib) as image:
        image.save(other / "red" / "again.jpg", quality=95)
    history.ingest(paths, "source")
    seen = found(paths)
    assert [(leak.role, leak.target) for leak in seen] == [("test", test), ("calib", calib), ("val", val)]
    assert seen[0].source == "red/copy0.png"
    assert "1 test, 1 calib, 1 val images of the target" in leaks.sentence(seen)
    page = write_leaks(paths, seen).read_text(encoding="utf-8")
    assert page.count("<img") == 6
    assert test in page


def test_thumbnails_that_this_machine_lacks_are_made(paths: Paths) -> None:
    """Where the data came from elsewhere, without what ingesting leaves behind, the pictures are looked at anew."""
    shutil.copyfile(paths.raw("target") / of_role(paths, "test")[0], paths.raw("source") / "red" / "copy.png")
    history.ingest(paths, "source")
    for file in paths.cache("source").parent.glob("source*"):
        file.unlink()
    assert len(found(paths)) == 1


def test_version_from_scratch_has_no_backbone() -> None:
    """What was trained without a backbone cannot know the source; a version that does not say is asked."""
    tags = {"data.source": "abc.dir", "training": '[{"stage": "scratch"}]'}
    assert leaks.learned_source(tags) is None
    assert leaks.learned_source({**tags, "training": '[{"stage": "pretrain"}, {"stage": "transfer"}]'}) == "abc.dir"
    assert leaks.learned_source({"data.source": "abc.dir"}) == "abc.dir"
