from __future__ import annotations

import io
from itertools import pairwise
from operator import methodcaller
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from pictures import part, picture
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sightline.data.contents import read_files, read_layout
from sightline.data.duplicates import pairs, search
from sightline.data.duplicates.around import components
from sightline.data.duplicates.crowds import Near
from sightline.data.embedded import write
from sightline.data.files import thumbnails
from sightline.data.files.statistics import SIDE, THUMBNAIL, statistics
from sightline.data.ingest import decide
from sightline.data.manifest import CROWD
from sightline.data.quality import findings
from sightline.params import Dataset, Fractions, Ingest, Validate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATASET = Dataset(images="data/raw/target", roles=Fractions(train=0.6, val=0.1, calib=0.1, test=0.2))


def jpeg(image: Image.Image) -> Image.Image:
    """Compress the image at JPEG quality 50."""
    out = io.BytesIO()
    image.save(out, "JPEG", quality=50)
    return Image.open(out).convert("RGB")


def crop(image: Image.Image, *shares: float) -> Image.Image:
    """Cut these shares off its left, top, right and bottom."""
    left, top, right, bottom = shares
    width, height = image.size
    return image.crop((int(left * width), int(top * height), int((1 - right) * width), int((1 - bottom) * height)))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "half": lambda image: image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC),
    "jpeg": jpeg,
    "crop": lambda image: crop(image, *np.random.default_rng(list(image.tobytes()[:3])).uniform(0, 0.1, 4)),
    "rim": lambda image: crop(image, 0.1, 0.1, 0.1, 0.1),
    "brighter": lambda image: image.point(lambda level: level * 0.8 + 30),
    **{f"turned {turn.name}": methodcaller("transpose", turn) for turn in Image.Transpose},
    "turned and cropped": lambda image: crop(image.transpose(Image.Transpose.ROTATE_90), 0.05, 0, 0.02, 0.03),
    "turned and half": lambda image: COPIES["half"](jpeg(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))),
}


def found(images: list[Image.Image], fresh: list[bool] | None = None) -> list[list[int]]:
    """Pairs of near duplicates among images."""
    seen = searched(images, fresh)
    return sorted([*seen.copies.tolist(), *seen.turned.tolist()])


def searched(images: list[Image.Image], fresh: list[bool] | None = None) -> search.Found:
    """Pairs of near duplicates, and of siblings, among images."""
    raw = b"".join(statistics(image.convert("L"))[THUMBNAIL] for image in images)
    thumbnails = np.frombuffer(raw, dtype=np.uint8).reshape(-1, SIDE, SIDE)
    grey = [image.convert("L") for image in images]
    return search.find(thumbnails.__getitem__, np.array(fresh or [True] * len(images)), grey.__getitem__)


@pytest.mark.parametrize("name", COPIES)
def test_a_changed_copy_is_found_among_others(name: str) -> None:
    """Smaller, compressed, cropped, brighter or turned: found, and nothing else."""
    others = [picture(seed) for seed in range(40)]
    copies = [COPIES[name](image) for image in others[:20]]
    hits = found([*others, *copies])
    assert len(hits) >= 18
    assert all(second == first + 40 for first, second in hits)


def test_only_pairs_with_a_fresh_image_are_looked_for() -> None:
    """What was judged before is not judged again; old and new together make the whole."""
    images = [picture(1), jpeg(picture(1)), picture(2), picture(3), jpeg(picture(2)), picture(4)]
    assert found(images) == [[0, 1], [2, 4]]
    assert found(images, [False, False, False, False, True, True]) == [[2, 4]]
    assert found(images, [True, False, False, False, False, False]) == [[0, 1]]


def test_blank_images_are_no_near_duplicates() -> None:
    """Two even surfaces have nothing by which they could be told to be the same."""
    assert found([Image.new("L", (64, 64), level) for level in (10, 11, 200, 201)]) == []


@pytest.mark.slow
def test_handwritten_digits_do_not_run_together(tmp_path: Path) -> None:
    """Two ones are alike in grey, but no copies: joined, they would sit in one role."""
    write("embedded:digits", tmp_path / "digits")
    rows = marked(tmp_path, tmp_path / "digits")
    sizes = rows["alike"].value_counts()
    assert sizes.max() <= 5
    assert sizes.sum() < 0.1 * len(rows)
    assert rows.groupby("alike")["label"].nunique().max() == 1


def table(folder: Path, images: dict[str, Image.Image], groups: dict[str, str] | None = None) -> pd.DataFrame:
    """Save the images and read them as ingest does; `groups` are given by path."""
    for name, image in images.items():
        path = folder / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path)
    return marked(folder, folder / "raw", groups)


def marked(caches: Path, folder: Path, groups: dict[str, str] | None = None) -> pd.DataFrame:
    """Rows of the images in `folder`, with groups and roles, as ingest decides on them."""
    rows = read_files(read_layout(folder), folder, Ingest(), caches / "cache.parquet")
    near = pairs.find(rows, folder, Ingest(), caches / "near.parquet", thumbnails.beside(caches / "cache.parquet"))
    if groups is not None:
        rows["group"] = rows["path"].map(groups).astype("string")
    return decide(rows, DATASET, None, near)


def test_marking_what_came_later_gives_the_same_as_marking_at_once(tmp_path: Path) -> None:
    """The pairs that are remembered and the new ones make the groups that a first look would have made."""
    images = {f"a/{n}.png": picture(n) for n in range(6)}
    later = {"a/7.png": COPIES["half"](picture(2)), "b/8.png": COPIES["crop"](picture(2)), "b/9.png": picture(9)}
    table(tmp_path / "steps", images)
    steps = table(tmp_path / "steps", later)
    once = table(tmp_path / "once", images | later)
    assert steps["alike"].equals(once["alike"])
    assert steps.loc[steps["alike"].notna(), "path"].tolist() == ["a/2.png", "a/7.png", "b/8.png"]


def test_near_duplicates_join_their_groups(tmp_path: Path) -> None:
    """A copy of an image of one patient binds its own group to that patient's."""
    images = {"a/0.png": picture(0), "a/1.png": picture(1), "a/2.png": jpeg(picture(1)), "a/3.png": picture(3)}
    rows = table(tmp_path, images, dict(zip(images, "pqrr", strict=True)))
    assert rows["group"].tolist() == ["p", "q", "q", "q"]
    assert rows["alike"].notna().tolist() == [False, True, True, False]


def test_a_near_duplicate_of_both_sides_links_nothing(tmp_path: Path) -> None:
    """What looks like an image of train and like one of test leaves, and these two stay apart and unlike."""
    rows = table(tmp_path, {f"a/{n}.png": picture(n) for n in range(3)})
    train, test, new = rows["sha256"]
    rows["role"] = pd.array(["train", "test", pd.NA], dtype="string")
    near = pd.DataFrame({"first": [train, new], "second": [new, test]}, dtype="string")
    grown = decide(rows.drop(columns="shard"), DATASET, rows.iloc[:2], Near(near))
    assert grown["status"].tolist() == ["ok", "ok", "quarantined"]
    assert grown["alike"].tolist() == [train, test, min(train, test)]


def test_parts_in_one_jig_are_no_copies() -> None:
    """Photographs of one kind of part are told from copies of one, however few there are; their likeness is told."""
    for count in (12, 40):
        parts = [part(seed) for seed in range(count)]
        made = ("half", "jpeg", "brighter", "turned ROTATE_90")
        copies = [COPIES[name](image) for name, image in zip(made, parts, strict=False)]
        copies.append(crop(parts[4], 0.02, 0.01, 0, 0.03))
        seen = searched([*parts, *copies])
        assert seen.copies.tolist() == [[number, count + number] for number in (0, 1, 2, 4)]
        assert seen.turned.tolist() == [[3, count + 3]]
        assert len(seen.siblings) > count / 2


def test_copies_of_one_picture_are_no_siblings() -> None:
    """Six copies of each picture, and nothing else: what they share is the picture."""
    images = [COPIES[name](picture(seed)) for seed in range(4) for name in ("half", "jpeg", "brighter", "crop", "rim")]
    seen = searched([*(picture(seed) for seed in range(4)), *images])
    assert len(seen.siblings) == 0
    joined = components(24, seen.copies)
    assert all(len({joined[seed], *joined[4 + 5 * seed : 9 + 5 * seed]}) == 1 for seed in range(4))
    assert len(set(joined)) == 4


@pytest.mark.slow
def test_a_crowd_of_frames_is_told_and_spots_are_nothing() -> None:
    """Frames of one scene cannot be told from parts in one jig; a spot on an even ground tells nothing."""
    scene = picture(5)
    frames = [jpeg(scene.point(lambda level, gain=1 - n / 300: level * gain)) for n in range(30)]
    seen = searched([*frames, picture(6)])
    assert len(seen.copies) < 15
    assert len(np.unique(seen.siblings)) > 20
    spots = [Image.new("L", (32, 32), 40 + n % 150) for n in range(100)]
    for n, image in enumerate(spots):
        image.putpixel((0, 0), n)
    assert found(spots) == []


def test_what_a_turn_makes_another_thing_of_is_no_copy(tmp_path: Path) -> None:
    """A mirrored photograph shares the role of its original, unless it has another label: left is not right."""
    mirrored = picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    rows = table(
        tmp_path, {"a/1.png": picture(1), "a/2.png": picture(2), "a/3.png": jpeg(mirrored), "b/4.png": mirrored}
    )
    alike = rows.set_index("path")["alike"]
    assert alike["a/1.png"] == alike["a/3.png"]
    rows = table(tmp_path / "signs", {"a/1.png": picture(1), "b/4.png": mirrored})
    assert rows["alike"].isna().all()


def test_a_group_that_cannot_be_copies_is_told_and_joins_nothing(tmp_path: Path) -> None:
    """Copies of two labels in number say that the search was wrong; of one label they are copies."""
    images = {f"{'ab'[n % 2]}/{n}.png": picture(n) for n in range(12)}
    rows = table(tmp_path, images)
    digests = dict(zip(rows["path"], rows["sha256"], strict=True))
    torn, whole = ([digests[f"a/{n}.png"] for n in numbers] for numbers in ((0, 2, 4), (6, 8, 10)))
    torn += [digests[f"b/{n}.png"] for n in (1, 3, 5)]
    near = pd.DataFrame([*pairwise(torn), *pairwise(whole)], columns=["first", "second"], dtype="string")
    rows = decide(rows.drop(columns="shard").assign(group=None, role=None, alike=None), DATASET, None, Near(near))
    alike = rows.set_index("sha256")["alike"]
    assert set(alike[torn]) == {CROWD + min(torn)}
    assert set(alike[whole]) == {min(whole)}
    groups = rows.set_index("sha256")["group"]
    assert len(set(groups[torn])) == 6
    assert len(set(groups[whole])) == 1
    told = findings(rows, Validate())
    assert [(one.id, one.cases, len(one.groups[0])) for one in told if one.id == "crowds"] == [("crowds", 1, 6)]


def test_the_same_pixels_under_other_bytes_are_one_picture(tmp_path: Path) -> None:
    """However many a camera wrote of its dark frame, of whatever labels, they stay together; deep ones are not told."""
    folder = tmp_path / "raw"
    for number in range(60):
        info = PngInfo()
        info.add_text("at", str(number))
        place = folder / "ab"[number % 2] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (64, 64), 3).save(place, pnginfo=info)
        Image.fromarray(np.full((64, 64), number, dtype=np.uint16)).save(place.with_name(f"deep {number}.png"))
    for number in range(6):
        picture(number).save(folder / "a" / f"own {number}.png")
    rows = marked(tmp_path, folder)
    dark = rows["path"].str.fullmatch(r"./\d+.png")
    assert len(rows.loc[dark, "group"].unique()) == 1
    assert rows.loc[dark, "alike"].unique().tolist() == [rows.loc[dark, "sha256"].min()]
    assert rows.loc[~dark, "group"].nunique() == 66


def test_what_differs_in_colour_alone_is_not_one_picture(tmp_path: Path) -> None:
    """Lamps of one brightness, red, green and blue, are classes: their grey pixels are the same."""
    lamps = {"red": (200, 48, 40), "green": (20, 139, 48), "blue": (90, 95, 92)}
    for name, colour in lamps.items():
        for number in range(20):
            picture = Image.new("RGB", (64, 64), (120, 120, 120))
            picture.paste(colour, (16, 16, 48, 48))
            info = PngInfo()
            info.add_text("at", str(number))
            place = tmp_path / "raw" / name / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            picture.save(place, pnginfo=info)
    assert len({Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in lamps.values()}) == 1
    rows = marked(tmp_path, tmp_path / "raw")
    assert rows.groupby("label")["group"].nunique().tolist() == [1, 1, 1]
    assert len(rows["group"].unique()) == 3


def test_what_has_nothing_of_its_own_has_no_copies() -> None:
    """In a crowd of one picture at three brightnesses, what is left of each is rounding: by chance it is alike."""
    ramp = np.tile(np.linspace(0, 250, 64), (64, 1))
    seen = searched([Image.fromarray((ramp + number % 3).astype(np.uint8)) for number in range(70)])
    assert len(seen.siblings)
    assert not len(seen.copies)
