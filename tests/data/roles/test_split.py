from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import ingest
from sightline.data.duplicates.crowds import Near
from sightline.data.manifest import COLUMNS, HELD_BACK, OK, QUARANTINED
from sightline.data.roles import split, spread
from sightline.params import Dataset, Fractions

FOUR = Fractions(train=0.6, val=0.1, calib=0.1, test=0.2)
DATASET = Dataset(images="data/raw/target", roles=FOUR)
LEARNING = Dataset(images="data/raw/target", roles=Fractions(train=0.999, val=0.001))


def table(*images: tuple[Any, ...]) -> pd.DataFrame:
    """Rows as reading gives them, of (path, content[, group[, split]])."""
    rows = pd.DataFrame(
        [(*image, *[None] * (4 - len(image))) for image in images], columns=["path", "sha256", "group", "split"]
    )
    return rows.assign(label="cat", status=OK, reason=None).reindex(columns=list(COLUMNS)).astype(COLUMNS)


def decided(*images: tuple[Any, ...], previous: pd.DataFrame | None = None) -> pd.DataFrame:
    """The manifest of these images."""
    return ingest.decide(table(*images), DATASET, previous)


def roles(rows: pd.DataFrame) -> dict[str, str]:
    """Path → role of the usable images."""
    usable = rows[rows["status"] == OK]
    return dict(zip(usable["path"], usable["role"], strict=True))


def bridges(rows: pd.DataFrame) -> dict[str, str]:
    """Path → reason of the quarantined images."""
    left_out = rows[rows["status"] == QUARANTINED]
    return dict(zip(left_out["path"], left_out["reason"], strict=True))


def names_of(role: str, count: int = 1, **how: Any) -> list[str]:
    """Names of groups that the draw puts into `role`."""
    drawn = (f"lot {number}" for number in range(10_000))
    fit = (name for name in drawn if split.role_of(name, how.get("split"), how.get("given", set()), FOUR) == role)
    return [next(fit) for _ in range(count)]


def test_shares_come_out_as_asked() -> None:
    """Of 4,000 groups each role has its share, within two points."""
    rows = decided(*[(f"{number}.png", f"{number:064x}") for number in range(4000)])
    shares = rows["role"].value_counts(normalize=True)
    assert np.allclose([shares[role] for role in ("train", "val", "calib", "test")], [0.6, 0.1, 0.1, 0.2], atol=0.02)


def test_no_class_goes_without_a_role() -> None:
    """Whatever its groups hash to, a class that has images enough has two in each role; its groups stay whole."""
    images = [(f"{number:02}.png", f"{number:064x}", f"lot {number // 2}") for number in range(400)]
    rows = table(*images)
    rows["label"] = pd.Series([f"kind {number // 10}" for number in range(400)], dtype="string")
    found = ingest.decide(rows, DATASET, None)
    counts = found.groupby(["label", "role"]).size()
    assert len(counts) == 40 * 4
    assert counts.min() >= 2
    assert whole(found)
    drawn = {group: split.role_of(group, None, set(), FOUR) for group in found["group"]}
    assert (found["role"] == found["group"].map(drawn)).mean() > 0.6


@pytest.mark.parametrize("count", [4, 5, 6, 7])
def test_small_class_has_an_image_in_each_role(count: int) -> None:
    """Too few for two everywhere, as many as there are roles or more: one at least, whatever they hash to."""
    rows = table(*[(f"{number:03}.png", f"{number:064x}") for number in range(40 * count)])
    rows["label"] = pd.Series([f"kind {number // count}" for number in range(40 * count)], dtype="string")
    counts = ingest.decide(rows, DATASET, None).groupby(["label", "role"]).size()
    assert len(counts) == 40 * 4


def test_class_of_fewer_images_than_roles_stays_as_drawn() -> None:
    """It cannot be everywhere, and learns most from where the hash puts it."""
    rows = table(*[(f"{number:03}.png", f"{number:064x}") for number in range(120)])
    rows["label"] = pd.Series([f"kind {number // 3}" for number in range(120)], dtype="string")
    found = ingest.decide(rows, DATASET, None)
    assert found["role"].tolist() == [split.role_of(group, None, set(), FOUR) for group in found["group"]]


def test_given_splits_are_not_spread() -> None:
    """An image of the origin's test set stays there, though its class then has none elsewhere."""
    images = [(f"{number}", f"{number:064x}", None, "test" if number < 9 else "train") for number in range(12)]
    found = roles(decided(*images))
    assert [found[str(number)] for number in range(9)] == ["test"] * 9


def test_a_given_group_and_identical_files_stay_together() -> None:
    """A chain of shared groups and shared bytes is one group, named by the smallest name in it."""
    rows = decided(("1", "aa", "lot b"), ("2", "bb", "lot b"), ("3", "bb", "lot a"), ("4", "cc", "lot a"), ("5", "dd"))
    assert rows["group"].tolist() == ["lot a"] * 4 + ["sha256:dd"]
    assert len(set(rows["role"].iloc[:4])) == 1


def test_near_duplicates_join_groups() -> None:
    """A pair of rows that look alike is one group."""
    rows = split.assign_roles(table(("1", "aa"), ("2", "bb"), ("3", "cc")), FOUR, None, np.array([[0, 2]]))
    assert rows["group"].tolist() == ["sha256:aa", "sha256:bb", "sha256:aa"]


def test_an_image_that_joins_two_sides_is_a_bridge() -> None:
    """The new image is quarantined, the old ones keep their sides, and later ones of either group are welcome."""
    (train,), (test,) = names_of("train"), names_of("test")
    first = decided(("1", "aa", train), ("2", "bb", test))
    assert roles(first) == {"1": "train", "2": "test"}
    # The bytes of image 1, in the group of image 2.
    grown = [("1", "aa", train), ("2", "bb", test), ("3", "aa", test)]
    second = decided(*grown, previous=first)
    assert roles(second) == roles(first)
    assert bridges(second)["3"].startswith("bridge: it would join images of two sides")
    third = decided(*grown, ("4", "dd", test), ("5", "ee", train), previous=second)
    assert roles(third) == {"1": "train", "2": "test", "4": "test", "5": "train"}
    assert set(bridges(third)) == {"3"}


def test_a_near_duplicate_of_both_sides_is_a_bridge() -> None:
    """What looks like an image of train and like one of test belongs to neither."""
    (train,), (test,) = names_of("train"), names_of("test")
    first = decided(("1", "aa", train), ("2", "bb", test))
    rows = table(("1", "aa", train), ("2", "bb", test), ("3", "cc"))
    second = split.assign_roles(rows, FOUR, first, np.array([[0, 2], [1, 2]]))
    assert set(bridges(second)) == {"3"}
    assert pd.isna(second["role"].iloc[2])


def left_out(rows: pd.DataFrame) -> dict[str, str]:
    """Path → reason of the images that are held back."""
    rows = rows[rows["status"] == HELD_BACK]
    return dict(zip(rows["path"], rows["reason"], strict=True))


def test_a_given_test_set_stays_whole() -> None:
    """What shows the same as a test image is no part of training or validation, and the other way round."""
    images = [
        ("a/1", "aa", None, "train"),  # the bytes of a test image
        ("a/2", "bb", None, "train"),  # a near copy of one
        ("a/3", "cc", None, "train"),  # a near copy of what is left out, and of nothing in the test
        ("a/4", "dd", None, "val"),  # a near copy of a test image
        ("a/5", "ee", "lot", "train"),  # of the lot of a validation image
        ("b/1", "aa", None, "test"),
        ("b/2", "ff", None, "test"),
        ("b/3", "gg", "lot", "val"),
    ]
    near = pd.DataFrame([("bb", "ff"), ("bb", "cc"), ("dd", "aa")], columns=["first", "second"], dtype="string")
    rows = ingest.decide(table(*images), DATASET, None, Near(near))
    assert left_out(rows) == {
        "a/1": "left out of training: a copy of b/1 (test)",
        "a/2": "left out of training: a near copy of b/2 (test)",
        "a/4": "left out of validation: a near copy of b/1 (test)",
        "a/5": "left out of training: of the group of b/3 (validation)",
    }
    assert roles(rows) == {"a/3": "train", "b/1": "test", "b/2": "test", "b/3": roles(rows)["b/3"]}
    assert bridges(rows) == {}
    # Shown beside what they resemble.
    alike = rows.set_index("path")["alike"]
    assert alike["a/2"] == alike["b/2"] != alike["a/3"]
    pd.testing.assert_frame_equal(ingest.decide(table(*images), DATASET, rows, Near(near)), rows)


def test_a_test_image_that_comes_later_takes_its_copy_out_of_training() -> None:
    """Where the origin gives the splits; once it is gone, the copy trains again."""
    image, later = ("a/1", "aa", None, "train"), ("b/1", "bb", None, "test")
    near = pd.DataFrame([("aa", "bb")], columns=["first", "second"], dtype="string")
    first = ingest.decide(table(image), LEARNING, None, Near(near))
    second = ingest.decide(table(image, later), LEARNING, first, Near(near))
    assert left_out(second) == {"a/1": "left out of training: a near copy of b/1 (test)"}
    assert roles(second) == {"b/1": "test"}
    third = ingest.decide(table(image), LEARNING, second, Near(near))
    assert roles(third) == {"a/1": "train"}


def test_copies_that_are_found_out_later_leave_training() -> None:
    """Two images that have roles and turn out to show the same: the one that is tested with stays."""
    (train,), (test,) = names_of("train"), names_of("test")
    images = [("1", "aa", train), ("2", "bb", test)]
    first = decided(*images)
    near = pd.DataFrame([("aa", "bb")], columns=["first", "second"], dtype="string")
    second = ingest.decide(table(*images), DATASET, first, Near(near))
    assert left_out(second) == {"1": "left out of training: a near copy of 2 (test)"}
    pd.testing.assert_frame_equal(ingest.decide(table(*images), DATASET, second, Near(near)), second)


def test_given_splits_are_kept() -> None:
    """Test stays test; calib is cut from val, and train gives up only what no split provides."""
    images = [
        (f"{part}/{number}", f"{part}{number}", None, part)
        for part in ("train", "val", "test")
        for number in range(300)
    ]
    rows = decided(*images)
    came = Counter(zip(rows["split"], rows["role"], strict=True))
    assert set(came) == {("train", "train"), ("val", "val"), ("val", "calib"), ("test", "test")}
    only = decided(*[image for image in images if image[3] == "train"])
    assert set(only["role"]) == {"train", "val", "calib", "test"}


def test_a_group_given_later_does_not_move_its_images() -> None:
    """Images of two sides that turn out to be one group keep their roles; a new member of it is a bridge."""
    (train,), (test,) = names_of("train"), names_of("test")
    first = decided(("1", "aa", train), ("2", "bb", test))
    second = decided(("1", "aa", "track"), ("2", "bb", "track"), ("3", "cc", "track"), previous=first)
    assert roles(second) == {"1": "train", "2": "test"}
    assert set(bridges(second)) == {"3"}


def test_a_role_outlives_the_quarantine() -> None:
    """An image that was contradictory for a while comes back on its side, wherever its hash would put it."""
    (test,) = names_of("test")
    (train,) = names_of("train")
    first = decided(("1", "aa", train), ("2", "bb", train))
    rows = table(("1", "aa", test), ("2", "bb", train), ("3", "aa", test))
    rows.loc[2, "label"] = "dog"
    torn = ingest.decide(rows, DATASET, first)
    assert set(bridges(torn)) == {"1", "3"}
    assert roles(decided(("1", "aa", test), ("2", "bb", train), previous=torn)) == {"1": "train", "2": "train"}


def test_a_moved_file_keeps_its_role() -> None:
    """Digest, not path, is what an image is known by."""
    (group,) = names_of("test")
    first = decided(("1", "aa", group))
    assert roles(decided(("moved", "aa", "new lot 1"), previous=first)) == {"moved": "test"}


def test_held_back_images_are_the_same_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first by digest stay."""
    monkeypatch.setattr(spread, "FEWEST", 0)
    dataset = Dataset(images="data/raw/target", roles=Fractions(train=0.999, val=0.001), train_per_class=2)
    images = [(str(number), f"{number * 7919 % 101:02x}") for number in range(20)]
    rows = ingest.decide(table(*images), dataset, None)
    shuffled = ingest.decide(table(*images[::-1]), dataset, None)
    kept = rows.loc[rows["status"] == OK, "sha256"]
    assert sorted(kept) == sorted(rows.loc[rows["role"] == "train", "sha256"])[:2]
    assert sorted(shuffled.loc[shuffled["status"] == OK, "sha256"]) == sorted(kept)


def test_new_images_fill_the_last_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten new images change the last shard of a role and add others; all earlier shards keep their rows."""
    monkeypatch.setattr(split, "SHARD_ROWS", 4)
    monkeypatch.setattr(spread, "FEWEST", 0)
    names = names_of("train", 13)
    images = [(f"{number:02}", f"d{number}", name) for number, name in enumerate(names)]
    first = decided(*images[1:7])
    assert first["shard"].tolist() == [0, 0, 0, 0, 1, 1]
    second = decided(*images, previous=first)
    before = second[second["path"].isin(first["path"])]
    assert before["shard"].tolist() == first["shard"].tolist()
    assert second["shard"].value_counts().to_dict() == {0: 4, 1: 4, 2: 4, 3: 1}


IMAGES = st.lists(
    st.tuples(
        st.integers(0, 9),  # content
        st.one_of(st.none(), st.integers(0, 4)),  # group
        st.sampled_from([None, None, "train", "val", "test"]),
    ),
    min_size=1,
    max_size=24,
)


def named(images: list[tuple[int, int | None, str | None]]) -> list[tuple[Any, ...]]:
    """Images of which each has a path of its own."""
    return [
        (f"{number:02}", f"{content:064x}", None if group is None else f"lot {group}", part)
        for number, (content, group, part) in enumerate(images)
    ]


def whole(rows: pd.DataFrame) -> bool:
    """Whether no group, no content and no given group of the usable images has two roles."""
    usable = rows[rows["status"] == OK]
    return all(usable.groupby(key)["role"].nunique().max() == 1 for key in ("group", "sha256") if len(usable))


PROPERTY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


@pytest.mark.slow
@PROPERTY
@given(images=IMAGES, data=st.data())
def test_no_image_changes_its_role_while_the_set_grows(images: list[Any], data: st.DataObject) -> None:
    """Whatever comes in whatever order: roles once given stay, and no group ever stands on two sides.

    An image of a given split may be left out for one that comes later and is tested with, and comes back as it was.
    """
    order = data.draw(st.permutations(named(images)))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order)), max_size=4)) | {len(order)})
    manifest, known = None, dict[str, str]()
    for cut in cuts:
        manifest = decided(*order[:cut], previous=manifest)
        now, out = roles(manifest), left_out(manifest)
        assert {path: role for path, role in known.items() if path not in out}.items() <= now.items()
        assert all(role == known.get(path, role) for path, role in now.items())
        assert whole(manifest)
        known |= now


@pytest.mark.slow
@PROPERTY
@given(images=IMAGES, data=st.data())
def test_the_order_of_the_files_decides_nothing(images: list[Any], data: st.DataObject) -> None:
    """From scratch the same files give the same manifest, in whatever order they are found."""
    rows = named(images)
    shuffled = data.draw(st.permutations(rows))
    pd.testing.assert_frame_equal(decided(*rows), decided(*shuffled))


@pytest.mark.slow
@PROPERTY
@given(images=IMAGES)
def test_an_unchanged_set_gives_an_unchanged_manifest(images: list[Any]) -> None:
    """Deciding again, with the manifest at hand, changes nothing."""
    first = decided(*named(images))
    pd.testing.assert_frame_equal(decided(*named(images), previous=first), first)
