from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED
from pictures import picture
from PIL import Image

from sightline.data.labels.label_errors import Suspect, find_label_errors, finding, suspects
from sightline.data.labels.texture import texture

NAMES = np.array(["bolt", "nut", "screw"], dtype=object)


def clouds(each: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Features of three classes that lie apart, and their labels."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), each)
    return np.eye(8)[truth] * 6 + rng.normal(size=(len(truth), 8)), NAMES[truth]


def alone(labels: np.ndarray) -> np.ndarray:
    """Each image in a group of its own."""
    return np.array([f"g{n}" for n in range(len(labels))], dtype=object)


def test_swapped_labels_are_found_with_what_they_should_be() -> None:
    """The wrong ones, the right label for each, and hardly any other."""
    features, labels = clouds()
    given = labels.copy()
    flipped = {0: "nut", 9: "screw", 70: "screw", 79: "bolt", 130: "bolt", 139: "nut"}
    given[list(flipped)] = list(flipped.values())
    found = suspects(features, given, alone(labels))
    assert len({one.position for one in found} & set(flipped)) >= 5
    assert len(found) <= 7
    assert all(one.likely == labels[one.position] and one.given == given[one.position] for one in found)
    assert [one.doubt for one in found] == sorted((one.doubt for one in found), reverse=True)


def test_copies_do_not_vouch_for_one_another() -> None:
    """Four copies with one wrong label, held out together, are all found; apart, they would confirm each other."""
    features, labels = clouds()
    given, groups = labels.copy(), alone(labels)
    features[:4], given[:4], groups[:4] = features[0] + 1, "nut", "g0"
    assert {0, 1, 2, 3} <= {one.position for one in suspects(features, given, groups)}


def test_classes_that_look_alike_are_no_errors() -> None:
    """Where the features tell classes apart in one image of two, right labels are left alone."""
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(12), 25)
    features = np.eye(12)[truth] * 2 + rng.normal(size=(len(truth), 12))
    labels = np.array([f"class {number}" for number in truth], dtype=object)
    assert len(suspects(features, labels, alone(labels))) <= 0.01 * len(labels)


def test_one_class_taken_for_another_is_found() -> None:
    """Errors of habit, which a classifier half learns: nearly all of them, and hardly any other."""
    features, labels = clouds(150)
    given = labels.copy()
    given[:24] = "nut"
    found = {one.position for one in suspects(features, given, alone(labels))}
    assert len(found & set(range(24))) >= 22
    assert len(found) <= 27


def test_small_and_single_classes_are_not_judged() -> None:
    """Too little is known of them."""
    features, labels = clouds()
    given = labels.copy()
    given[:4] = "washer"
    assert all(one.position > 3 for one in suspects(features, given, alone(labels)))
    assert suspects(features, np.full(len(labels), "nut", dtype=object), alone(labels)) == []


def test_the_finding_names_the_commonest_confusions() -> None:
    """Given and likely labels, and the most doubtful images first."""
    rows = pd.DataFrame({"path": ["a.png", "b.png", "c.png"]})
    told = finding(rows, [Suspect(2, "nut", "bolt", 0.9), Suspect(0, "nut", "bolt", 0.5)])
    assert told is not None
    assert "2 labels of 3 are probably wrong, given → likely: nut → bolt (2)" in told.sentence
    assert told.groups == (("c.png",), ("a.png",))
    assert [one.words for one in told.labels] == ["nut, likely bolt"] * 2
    assert finding(rows, []) is None


def test_image_with_two_wrong_labels_is_shown_once() -> None:
    """The finding counts images; each label of one is told."""
    rows = pd.DataFrame({"path": ["a.png"]})
    told = finding(rows, [Suspect(0, "no car", "car", 0.9), Suspect(0, "tree", "no tree", 0.5)])
    assert told is not None
    assert (told.cases, told.groups) == (1, (("a.png",),))
    assert [one.words for one in told.labels] == ["no car, likely car", "tree, likely no tree"]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_texture_is_one_vector_for_images_of_every_kind(mode: str) -> None:
    """Finite numbers, as many for one pixel as for a photograph; even surfaces too."""
    sizes = {texture(image.convert(mode)).shape for image in (picture(), Image.new("RGB", (1, 1)), picture(side=300))}
    assert sizes == {(324,)}
    assert np.isfinite(texture(Image.new(mode, (40, 40)))).all()


def test_flipped_labels_of_real_surfaces_are_found() -> None:
    """Three kinds of steel, told by texture alone."""
    folder = SHARED / "target_steel_neu"
    if not folder.is_dir():
        pytest.skip("the real images are not here")
    import tarfile

    features, labels = [], []
    with tarfile.open(folder / "target_steel_neu.tar") as tar:
        for member in tar:
            kind, _, name = member.name.rpartition("/")
            if name.endswith(("1.jpg", "6.jpg")) and kind.endswith(("crazing", "inclusion", "patches")):
                handle = tar.extractfile(member)
                assert handle is not None
                features.append(texture(Image.open(handle)))
                labels.append(kind.rpartition("/")[2])
    given = np.array(labels, dtype=object)
    flipped = np.arange(3, len(given), 20)
    given[flipped] = np.roll(np.unique(given), 1)[np.unique(given, return_inverse=True)[1][flipped]]
    found = {one.position for one in suspects(np.stack(features), given, alone(given))}
    assert len(found & set(flipped.tolist())) >= 0.8 * len(flipped)
    assert len(found & set(flipped.tolist())) >= 0.7 * len(found)


def test_wrong_label_of_several_is_found_by_its_name() -> None:
    """Labels that were left out or added are found, most of them; what the features do not show is not guessed at."""
    rng = np.random.default_rng(0)
    there = rng.random((300, 3)) < 0.4
    # The third class cannot be seen at all.
    features = np.concatenate([there[:, :2] * 6.0, np.zeros((300, 3))], axis=1) + rng.normal(0, 1, (300, 5))
    given = there.copy()
    given[:6, 0], given[6:12, 1] = ~there[:6, 0], ~there[6:12, 1]
    labels = [";".join(name for name, inside in zip("abc", row, strict=True) if inside) or ";" for row in given]
    values = {"path": [f"{row}.png" for row in range(300)], "sha256": list(map(str, range(300))), "label": labels}
    rows = pd.DataFrame({**values, "group": None}).astype("string")
    found = find_label_errors(rows, features, "multilabel")
    assert found is not None
    shown, wrong = {path for group in found.groups for path in group}, {f"{row}.png" for row in range(12)}
    assert len(shown & wrong) >= 8
    assert len(shown - wrong) <= 2
    assert "no c" not in found.sentence
