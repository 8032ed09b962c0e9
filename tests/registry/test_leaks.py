"""What the backbone must not have seen."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from conftest import copy_project, enter, make_images, make_project
from PIL import Image

from sightline.data import manifest
from sightline.data.versions import archive, history
from sightline.digests import file_digest
from sightline.errors import DataError
from sightline.models.shipped import FRACTALS, exact
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build
from sightline.registry import leaks
from sightline.registry.backbones import pinned
from sightline.registry.learned import INIT, Learned, Past, past, past_of
from sightline.report.leaks import write_leaks
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def of_role(paths: Paths, role: str) -> list[str]:
    rows = manifest.read(paths.manifest("target"))
    return sorted(rows.loc[rows["role"] == role, "path"])


def found(paths: Paths) -> list[leaks.Leak]:
    version = archive.current(paths, "source")
    return leaks.leaks(paths, Past((Learned("source", version.digest, version.raw),)))[0]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project with another source than its target, both ingested; to be copied, not changed."""
    home = tmp_path_factory.mktemp("leaks")
    source = make_images(home / "source", per_class=8, first=5000)
    with pytest.MonkeyPatch.context() as patch:
        project = make_project(home / "toy project", make_images(home / "target", per_class=20), source)
        paths = enter(project, patch)
        for use in ("source", "target"):
            history.ingest(paths, use)
    return paths


@pytest.fixture
def paths(made: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it, entered."""
    return copy_project(made, tmp_path / "toy project", monkeypatch)


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


def test_version_from_scratch_has_no_backbone(paths: Paths) -> None:
    """What was trained without a backbone cannot know the source; a version that does not say is asked."""
    tracker, line = connect(paths), '[{"stage": "pretrain"}, {"stage": "transfer"}]'
    tags = {"data.source": "abc.dir", "data.target": "def.dir", "training": '[{"stage": "scratch"}]'}
    assert past_of(tracker, tags) == Past()
    source = Past((Learned("source", "abc.dir", None),))
    assert past_of(tracker, {**tags, "training": line}) == source
    assert past_of(tracker, {"data.source": "abc.dir"}) == source


def register(paths: Paths, number: int, tags: dict[str, str]) -> str:
    """A registered backbone with those tags, as `pretrain.init` names it."""
    folder = paths.root / f"weights{number}"
    folder.mkdir()
    save_weights(build("cnn", 3, 16), folder)
    tracker = connect(paths)
    weights = {"weights": file_digest(folder / WEIGHTS)}
    version = tracker.register_backbone(tracker.start("toy", {}), folder, {**tags, **weights})
    return f"registry:{tracker.backbone_model}/{version}"


def test_what_weights_began_with_is_followed(paths: Paths) -> None:
    """Source and target of every version on the way are found, also behind a file; what nobody says of is named."""
    first = register(paths, 1, {"data.source": "one.dir", "raw.source": "raw.dir", INIT: "ResNet18_Weights.DEFAULT"})
    second = register(paths, 2, {"data.source": "two.dir", "data.target": "three.dir", INIT: first})
    names = [init.removeprefix("registry:") for init in (first, second)]
    found = past_of(connect(paths), {"data.source": "one.dir", "data.target": "now.dir", INIT: second})
    assert [(one.use, one.digest, one.of) for one in found.data] == [
        ("source", "one.dir", ""),
        ("source", "two.dir", names[1]),
        ("target", "three.dir", names[1]),
    ]
    assert found.doubt == "what ResNet18_Weights.DEFAULT learned from is not known"
    assert pinned(paths, "weights2/weights.safetensors") == second
    (paths.root / "other.pt").write_bytes(b"weights")
    assert past(connect(paths), (), pinned(paths, "other.pt")) == Past((), ("other.pt",))


def test_shipped_backbone_saw_no_photograph(paths: Paths) -> None:
    """Of weights that come with this package it is known what they learned from: of no image that anyone took."""
    assert past(connect(paths), (), exact(FRACTALS, "cnn")) == Past()
    assert past_of(connect(paths), {"data.target": "now.dir", INIT: FRACTALS}).doubt == ""


@pytest.mark.slow
def test_registered_weights_that_saw_the_target_are_found(paths: Paths) -> None:
    """A backbone of an earlier source is asked for that source, after the folder has gone; it is told whose it was."""
    test = of_role(paths, "test")[0]
    shutil.copyfile(paths.raw("target") / test, paths.raw("source") / "red" / "copy.png")
    history.ingest(paths, "source")
    version = archive.current(paths, "source")
    init = register(paths, 1, {"data.source": version.digest, "raw.source": str(version.raw)})
    (paths.raw("source") / "red" / "copy.png").unlink()
    history.ingest(paths, "source")
    assert found(paths) == []
    seen, known = leaks.leaks(paths, past(connect(paths), (), init))
    assert not known.unknown
    assert [(leak.target, leak.source) for leak in seen] == [(test, "red/copy.png")]
    assert f"{test} = toy-backbone/1 source red/copy.png" in leaks.sentence(seen)
    assert write_leaks(paths, seen).read_text(encoding="utf-8").count("<img") == 2


def test_classifier_taught_its_own_training_images(paths: Paths) -> None:
    """A warm start from a classifier is clean while roles stay; with a test image that it was trained on it is not."""
    version = archive.current(paths, "target")
    init = register(paths, 1, {"data.target": version.digest, "raw.target": str(version.raw)})
    began = past(connect(paths), (), init)
    assert leaks.leaks(paths, began)[0] == []
    rows = manifest.read(paths.manifest("target"))
    taught = of_role(paths, "train")[0]
    rows.loc[rows["path"] == taught, "role"] = "test"
    rows.to_parquet(paths.manifest("target"))
    assert [(leak.target, leak.source, leak.role) for leak in leaks.leaks(paths, began)[0]] == [
        (taught, taught, "test")
    ]


def test_data_of_another_project_may_be_out_of_reach(paths: Paths) -> None:
    """Of a version that another project registered it is told that nobody knows; of one's own it blocks."""
    gone = Learned("source", "0123456789abcdef0123456789abcdef.dir", None, "other-backbone/1")
    seen, known = leaks.leaks(paths, Past((gone,)))
    assert seen == []
    assert known == Past((), ("other-backbone/1",))
    with pytest.raises(DataError, match="0123456789abcdef"):
        leaks.leaks(paths, Past((replace(gone, of="toy-backbone/9"),)))
