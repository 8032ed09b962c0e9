"""Sets whose images lie inside of files: Parquet, Arrow, NumPy's archives become files of images and a labels.csv."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from sightline import scaffold
from sightline.data.annotations import read, tells_boxes
from sightline.data.sources import arrival, packed, scan, unpacking
from sightline.errors import DataError, ProjectError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CLASSES = ("blue", "green")


def pixels(number: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(number).integers(0, 255, (8, 6, 3)).astype(np.uint8)


def coded(number: int, kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels(number)).save(out, kind)
    return out.getvalue()


def described(label: Any) -> dict[bytes, bytes]:
    """As Hugging Face's library writes into the schema."""
    features = {"image": {"_type": "Image"}, "label": label}
    return {b"huggingface": json.dumps({"info": {"features": features}}).encode()}


CLASS = {"names": list(CLASSES), "_type": "ClassLabel"}


def table(labels: Sequence[Any], *, label: Any = CLASS, first: int = 0, **columns: Sequence[Any]) -> pa.Table:
    images = [{"bytes": coded(first + number), "path": f"{number}.png"} for number in range(len(labels))]
    found = pa.table({"image": images, "label": list(labels), **columns})
    return found.replace_schema_metadata(described(label)) if label else found


def brought(given: Path, target: Path) -> list[dict[str, str]]:
    """The rows of labels.csv; each image is there."""
    arrival.bring(given, target)
    with (target / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert all((target / row["path"]).is_file() for row in rows)
    assert {item.path for item in scan(target)} == {row["path"] for row in rows}
    return rows


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A set as it is downloaded from Hugging Face: two files of each split."""
    folder = tmp_path / "hub"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("a set")
    for place, name in enumerate(("train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001")):
        parquet.write_table(table([0, 1, 1, 0], first=10 * place), folder / "data" / f"{name}.parquet")
    return folder


def test_parquet_of_the_hub_keeps_bytes_names_and_splits(hub: Path, tmp_path: Path) -> None:
    """The files hold the bytes as they were; numbers become the names of the classes, files' names splits."""
    rows = brought(hub, tmp_path / "raw")
    assert [row["label"] for row in rows] == ["blue", "green", "green", "blue"] * 3
    assert [row["split"] for row in rows] == ["train"] * 8 + ["val"] * 4
    assert [row["path"] for row in rows[6:9]] == ["train/000006.png", "train/000007.png", "val/000000.png"]
    assert (tmp_path / "raw" / "train" / "000005.png").read_bytes() == coded(11)


def test_project_around_it_is_made_and_takes_more(hub: Path, tmp_path: Path) -> None:
    """`init` takes folder and file, and leaves nothing behind where it cannot; in their place they cannot stay."""
    scaffold.init(tmp_path / "project", str(hub), None, "toy", lambda _: None)
    assert len(list(scan(tmp_path / "project" / "data" / "raw" / "target"))) == 12
    with pytest.raises(ProjectError, match=r"inside of files: .* leave out --external"):
        scaffold.init(tmp_path / "beside", str(hub), None, "toy", lambda _: None, external=True)
    broken = hub / "data" / "train-00001-of-00002.parquet"
    broken.write_bytes(broken.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"train-00001-of-00002\.parquet cannot be read"):
        scaffold.init(tmp_path / "none", str(hub), None, "toy", lambda _: None)
    assert not (tmp_path / "none").exists()


def test_links_of_the_hubs_cache_are_told(hub: Path, tmp_path: Path) -> None:
    """They leave the folder, and are not followed; a file that is named is read, whatever leads to it."""
    (tmp_path / "snapshot").mkdir()
    for file in (hub / "data").iterdir():
        (tmp_path / "snapshot" / file.name).symlink_to(file)
    with pytest.raises(
        DataError, match=r"train-00000-of-00002\.parquet: link that leaves the folder; .* `cp -RL` first"
    ):
        arrival.bring(tmp_path / "snapshot", tmp_path / "raw")
    link = tmp_path / "snapshot" / "validation-00000-of-00001.parquet"
    assert [row["split"] for row in brought(link, tmp_path / "one")] == ["val"] * 4


def test_folder_of_splits_and_several_sets(hub: Path, tmp_path: Path) -> None:
    """A folder of a split tells it; two sets beside one another are not mixed."""
    for split in ("train", "partial-train", "test"):
        (tmp_path / "auto" / "default" / split).mkdir(parents=True)
    for split in ("train", "test"):
        parquet.write_table(table([0, 1]), tmp_path / "auto" / "default" / split / "0000.parquet")
    assert [row["split"] for row in brought(tmp_path / "auto", tmp_path / "raw")] == ["test"] * 2 + ["train"] * 2
    (tmp_path / "both" / "auto").parent.mkdir()
    (tmp_path / "auto").rename(tmp_path / "both" / "auto")
    hub.rename(tmp_path / "both" / "hub")
    with pytest.raises(DataError, match="several sets beside one another: auto/default/test, hub/data; name one"):
        arrival.bring(tmp_path / "both", tmp_path / "mixed")


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_arrow_files_that_are_saved_to_disk(new: Callable[..., Any], tmp_path: Path) -> None:
    """As `save_to_disk` writes them, beside what its library caches; a file of several batches is read whole."""
    folder = tmp_path / "set" / "train"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{}")
    for name in ("data-00000-of-00001.arrow", "cache-1f.arrow"):
        held = table([0, 1, 1], first=5)
        with new(str(folder / name), held.schema) as sink:
            for batch in held.to_batches(max_chunksize=2):
                sink.write_batch(batch)
    rows = brought(tmp_path / "set", tmp_path / "raw")
    assert [(row["label"], row["split"]) for row in rows] == [("blue", "train"), ("green", "train"), ("green", "train")]


def test_columns_without_a_description(tmp_path: Path) -> None:
    """Bytes alone, a label that is called otherwise, columns of split and group; of three kinds of files."""
    images = [coded(1), coded(2, "JPEG"), b"no image at all", coded(3)]
    columns = {"Photo": images, "species": ["a", "b", None, "a"], "split": ["train", "dev", "test", "test"]}
    parquet.write_table(pa.table({**columns, "group": [1, 1, 2, 2], "note": ["x"] * 4}), tmp_path / "s.parquet")
    rows = brought(tmp_path / "s.parquet", tmp_path / "raw")
    paths = ["train/000000.png", "val/000000.jpg", "test/000000", "test/000001.png"]
    assert [row["path"] for row in rows] == paths
    assert [row["label"] for row in rows] == ["a", "b", "", "a"]
    assert [row["group"] for row in rows] == ["1", "1", "2", "2"]


def test_columns_of_patients_and_others_are_told(tmp_path: Path) -> None:
    """As of any other table: whose images are is the group, and what is not read is named with the remedy."""
    people = {"image": [coded(1), coded(2)], "label": ["a", "b"], "Patient_ID": [7, 7], "is_test": [0, 1]}
    parquet.write_table(pa.table(people), tmp_path / "s.parquet")
    (said,) = arrival.bring(tmp_path / "s.parquet", tmp_path / "raw")
    assert said == (
        "2 images of 1 file read with the column image as image, label as label, patient_id as group, without the "
        "column is_test (one called split says what is train, val or test)"
    )
    assert [item.group for item in scan(tmp_path / "raw")] == ["7", "7"]


def test_several_labels_of_an_image(tmp_path: Path) -> None:
    """Lists of classes, by number or name, are sets; an empty list is a set, and no missing label."""
    held = table([[0, 1], [1], []], label={"feature": CLASS, "_type": "Sequence"})
    parquet.write_table(held, tmp_path / "s.parquet")
    assert [row["labels"] for row in brought(tmp_path / "s.parquet", tmp_path / "raw")] == ["blue;green", "green", ";"]
    assert any(item.several for item in scan(tmp_path / "raw"))
    parquet.write_table(table(["['b', 'a']", "['b']"], label=None), tmp_path / "t.parquet")
    assert [row["labels"] for row in brought(tmp_path / "t.parquet", tmp_path / "texts")] == ["a;b", "b"]


def test_rows_without_image_or_label(tmp_path: Path) -> None:
    """-1 and nothing are no label; rows without an image are counted, and a set of such rows is refused."""
    held = table([0, -1, None])
    empty = held.set_column(
        0,
        "image",
        pa.array([None, {"bytes": coded(1), "path": ""}, {"bytes": None, "path": "a"}], held.schema.field(0).type),
    )
    parquet.write_table(empty.replace_schema_metadata(held.schema.metadata), tmp_path / "s.parquet")
    said = arrival.bring(tmp_path / "s.parquet", tmp_path / "raw")
    assert said[1] == "2 rows without an image left out"
    assert [item.label for item in scan(tmp_path / "raw")] == [None]
    parquet.write_table(empty.slice(2), tmp_path / "none.parquet")
    with pytest.raises(DataError, match="holds no image, but 1 row without one"):
        arrival.bring(tmp_path / "none.parquet", tmp_path / "nothing")


NAMED = {"names": ["platelet", "cell"], "_type": "ClassLabel"}


@pytest.mark.parametrize(
    ("objects", "feature"),
    [
        (
            [{"bbox": [[1, 2, 3, 4], [0, 0, 2, 2]], "category": [1, 0]}, {"bbox": [], "category": []}, None],
            {"category": {"feature": NAMED}},
        ),
        ([[{"bbox": [1, 2, 3, 4], "label": 1}, {"bbox": [0, 0, 2, 2], "label": 0}], [], []], [{"label": NAMED}]),
        (
            [[{"bbox": [1, 2, 3, 4], "label": 1}, {"bbox": [0, 0, 2, 2], "label": 0}], [], []],
            {"feature": {"label": NAMED}},
        ),
        ([{"bbox": [[1, 2, 3, 4], [0, 0, 2, 2]], "category": ["cell", "platelet"]}, None, None], None),
    ],
)
def test_boxes_of_the_hub(objects: list[Any], feature: Any, tmp_path: Path) -> None:
    """Lists of edges and of classes, or a list of pairs, by name or number: boxes, and images without one."""
    images = [{"bytes": coded(number), "path": None} for number in range(3)]
    held = pa.table({"image": images, "image_id": [7, 8, 9], "objects": objects})
    metadata = {b"huggingface": json.dumps({"info": {"features": {"objects": feature}}}).encode()}
    parquet.write_table(held.replace_schema_metadata(metadata), tmp_path / "train.parquet")
    scaffold.init(tmp_path / "project", str(tmp_path / "train.parquet"), None, "toy", lambda _: None)
    raw = tmp_path / "project" / "data" / "raw" / "target"
    assert tells_boxes(raw)
    found = {
        image.path: (image.split, [(one.label, one.x1, one.y1, one.x2, one.y2) for one in boxes])
        for image, boxes in read(raw).each()
    }
    assert found == {
        "train/000000.png": ("train", [("cell", 1, 2, 4, 6), ("platelet", 0, 0, 2, 2)]),
        "train/000001.png": ("train", []),
        "train/000002.png": ("train", []),
    }


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"a": [b"x"], "b": [b"y"], "label": [0]}, "the columns a, b may hold the images"),
        ({"path": ["a.png"], "label": [0]}, "holds no image: none of its columns path, label is of bytes"),
        ({"image": [b"x"], "weight": [0.5]}, "none of the columns weight is the label; call the one that is label"),
        ({"image": [b"x"]}, "none of the columns (there is no other) is the label"),
        (
            {"image": [b"x"], "objects": [{"bbox": [[1.0] * 4], "label": [1, 2]}]},
            "row 1: 1 boxes, and 2 classes of them",
        ),
        ({"image": [b"x"], "label": [0.5]}, "row 1: 0.5 is the name or the number of no class"),
        ({"image": [b"x"], "label": [{"a": 1}]}, "row 1: its label is neither a name nor a list of names"),
        ({"image": [b"x"], "label": [["a;b"]]}, "row 1: the label 'a;b' holds a ';'"),
        ({"image": [b"x"], "label": ["a"], "split": ["extra"]}, "row 1: split 'extra' is none of train, val, test"),
    ],
)
def test_tables_that_cannot_be_meant(columns: dict[str, list[Any]], said: str, tmp_path: Path) -> None:
    """Each is refused in a sentence that names the file and the column or row."""
    parquet.write_table(pa.table(columns), tmp_path / "s.parquet")
    with pytest.raises(DataError) as told:
        arrival.bring(tmp_path / "s.parquet", tmp_path / "raw")
    assert f"{tmp_path / 's.parquet'}" in str(told.value)
    assert said in str(told.value)


def test_columns_of_one_name_and_labels_of_bytes(tmp_path: Path) -> None:
    """Two columns of a name are refused; a name that is stored as bytes is read as text."""
    twice = pa.Table.from_arrays([pa.array([coded(1)])] * 2 + [pa.array(["a"])], names=["image", "image", "label"])
    parquet.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(DataError, match="has several columns of the name image"):
        arrival.bring(tmp_path / "twice.parquet", tmp_path / "none")
    held = pa.table({"image": [coded(1), coded(2)], "label": ["größe".encode(), b"b"]})
    parquet.write_table(held, tmp_path / "s.parquet")
    assert [row["label"] for row in brought(tmp_path / "s.parquet", tmp_path / "raw")] == ["größe", "b"]


def test_classes_that_are_described_wrongly(tmp_path: Path) -> None:
    """A number beyond the names is refused; descriptions that are none are passed over."""
    parquet.write_table(table([0, 2]), tmp_path / "s.parquet")
    with pytest.raises(DataError, match="row 2: there is no class 2 among 2"):
        arrival.bring(tmp_path / "s.parquet", tmp_path / "raw")
    two = table([0, 1], coarse=[1, 0]).rename_columns(["image", "fine", "coarse"])
    features = {"fine": CLASS, "coarse": CLASS}
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    parquet.write_table(two.replace_schema_metadata(metadata), tmp_path / "two.parquet")
    with pytest.raises(DataError, match="the columns fine, coarse may be the labels"):
        arrival.bring(tmp_path / "two.parquet", tmp_path / "raw two")
    for number, text in enumerate(
        (b"{", b"[]", b'{"info": {"features": [1]}}', b'{"info": {"features": {"label": 3}}}')
    ):
        parquet.write_table(table([0, 1]).replace_schema_metadata({b"huggingface": text}), tmp_path / "odd.parquet")
        assert [row["label"] for row in brought(tmp_path / "odd.parquet", tmp_path / f"odd {number}")] == ["0", "1"]


def medical(file: Path, **arrays: Any) -> Path:
    np.savez_compressed(file, **arrays)
    return file


def test_arrays_as_medmnist_has_them(tmp_path: Path) -> None:
    """A pair for each split; the pixels are those of the array, numbers are classes."""
    images = np.stack([pixels(number) for number in range(6)])
    labels = np.array([[0], [1], [0], [1], [1], [0]], np.uint8)
    parts = {"train": slice(0, 3), "val": slice(3, 4), "test": slice(4, 6)}
    held = {
        f"{split}_{what}": all_[part]
        for split, part in parts.items()
        for what, all_ in (("images", images), ("labels", labels))
    }
    rows = brought(medical(tmp_path / "s.npz", **held), tmp_path / "raw")
    assert [(row["split"], row["label"]) for row in rows] == [
        *(("train", "0"), ("train", "1"), ("train", "0"), ("val", "1"), ("test", "1"), ("test", "0")),
    ]
    with Image.open(tmp_path / "raw" / "test" / "000001.png") as image:
        assert np.array_equal(np.asarray(image), images[5])


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        (np.arange(2 * 7 * 5, dtype=np.uint8).reshape(2, 7, 5), "L"),
        (np.arange(2 * 7 * 5, dtype=np.uint8).reshape(2, 7, 5, 1), "L"),
        (np.arange(2 * 3 * 7 * 5, dtype=np.uint8).reshape(2, 3, 7, 5), "RGB"),
        (np.asfortranarray(np.arange(2 * 3 * 7 * 5, dtype=np.uint8).reshape(2, 7, 5, 3)), "RGB"),
        (np.arange(2 * 7 * 5, dtype=">u2").reshape(2, 7, 5) * 900, "I;16"),
        (np.arange(2 * 7 * 5).reshape(2, 7, 5) % 3 == 0, "L"),
        (np.arange(2 * 7 * 5 * 4, dtype=np.uint8).reshape(2, 7, 5, 4), "RGBA"),
    ],
)
def test_arrays_of_each_form(given: np.ndarray[Any, Any], mode: str, tmp_path: Path) -> None:
    """Grey and colour, channels first or last, 16 bits of either order of bytes, and black and white."""
    file = medical(tmp_path / "s.npz", X=given, y=np.array(["a", "b"]))
    rows = brought(file, tmp_path / "raw")
    assert [row["label"] for row in rows] == ["a", "b"]
    wanted = given.astype(np.uint8) * 255 if given.dtype == bool else given
    wanted = np.moveaxis(wanted, 1, -1) if mode == "RGB" and given.shape[1] == 3 else wanted
    with Image.open(tmp_path / "raw" / rows[1]["path"]) as image:
        assert image.mode == mode
        assert np.array_equal(np.asarray(image), wanted[1].squeeze())


def test_rows_of_zeros_and_ones(tmp_path: Path) -> None:
    """One 1 in each row is a class, of names that the file holds; other numbers of ones are sets."""
    images = np.zeros((3, 4, 4), np.uint8)
    names = np.array(["cyst", "mass", "scar"])
    file = medical(tmp_path / "one.npz", images=images, labels=np.eye(3, dtype=np.int64), class_names=names)
    assert [row["label"] for row in brought(file, tmp_path / "one")] == ["cyst", "mass", "scar"]
    file = medical(tmp_path / "set.npz", images=images, labels=np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0]]))
    assert [row["labels"] for row in brought(file, tmp_path / "set")][:2] == ["0;1", "2"]


IMAGES = np.zeros((3, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": IMAGES}, "no array of as many rows is the labels of images (3 images)"),
        ({"images": IMAGES, "labels": np.arange(2)}, "no array of as many rows is the labels"),
        ({"images": IMAGES, "a": np.arange(3), "b": np.arange(3)}, "a, b may all be the labels of images"),
        ({"images": IMAGES / 2, "labels": np.arange(3)}, "pixels of the type float64 are not read: save them as uint8"),
        ({"images": np.zeros((3, 9, 9, 9), np.uint8), "labels": np.arange(3)}, "3×9×9×9 are not images"),
        ({"images": np.zeros((3, 0, 9), np.uint8), "labels": np.arange(3)}, "3×0×9 are not images"),
        ({"data": np.arange(12).reshape(3, 4), "target": np.arange(3)}, "holds no images × height × width"),
        ({"images": IMAGES, "labels": np.full((3, 2), 7)}, "2 numbers for each image that are not 0 and 1"),
        ({"images": IMAGES, "labels": np.arange(3) / 2}, "row 1: 0.5 is the name or the number of no class"),
        ({"images": IMAGES, "labels": np.eye(3), "names": np.array(["a", "b"])}, "3 columns of 0 and 1, and 2 names"),
    ],
)
def test_arrays_that_cannot_be_meant(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Each is refused in a sentence that names the file and the array."""
    with pytest.raises(DataError) as told:
        arrival.bring(medical(tmp_path / "s.npz", **arrays), tmp_path / "raw")
    assert f"{tmp_path / 's.npz'}" in str(told.value)
    assert said in str(told.value)


class Evil:
    """What runs when Python loads it."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._place,)


def test_no_pickled_object_is_loaded(tmp_path: Path) -> None:
    """Arrays of Python's objects may execute code: refused, whatever array of the file they are."""
    evil = np.array([Evil(tmp_path / "ran"), 0, 1], dtype=object)
    for name in ("labels", "more"):
        medical(tmp_path / "s.npz", **{"images": IMAGES, "labels": np.arange(3), name: evil})
        with pytest.raises(DataError, match=f"{name}.npy holds Python's own objects, which are not loaded"):
            arrival.bring(tmp_path / "s.npz", tmp_path / f"raw {name}")
        assert not (tmp_path / "ran").exists()


def test_header_that_tells_more_than_there_is(tmp_path: Path) -> None:
    """Nothing is set aside for numbers that the file does not hold."""
    with zipfile.ZipFile(tmp_path / "s.npz", "w") as archive:
        for name, shape in (("images", (10**13, 4, 4)), ("labels", (10**13,))):
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
                file.write(bytes(64))
    with pytest.raises(DataError, match=r"s\.npz cannot be read: images\.npy ends early"):
        arrival.bring(tmp_path / "s.npz", tmp_path / "raw")


@pytest.mark.parametrize("ending", ["parquet", "arrow", "npz"])
def test_damaged_files_end_in_a_sentence(ending: str, tmp_path: Path) -> None:
    """Empty, cut at many places, bytes flipped: the file is named, or what could be read is brought."""
    whole = tmp_path / f"whole.{ending}"
    if ending == "npz":
        medical(whole, images=np.stack([pixels(number) for number in range(3)]), labels=np.arange(3))
    elif ending == "parquet":
        parquet.write_table(table([0, 1, 1]), whole)
    else:
        held = table([0, 1, 1])
        with pa.ipc.new_stream(str(whole), held.schema) as sink:
            sink.write_table(held)
    data, file = whole.read_bytes(), tmp_path / f"s.{ending}"
    rng = np.random.default_rng(0)
    damaged = [data[:end] for end in (0, 1, 8, *range(20, len(data), len(data) // 20))]
    places = rng.integers(0, len(data), 60)
    damaged += [data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :] for place in places]
    told = 0
    for number, one in enumerate(damaged):
        file.write_bytes(one)
        try:
            arrival.bring(file, tmp_path / f"raw {number}")
        except DataError as error:
            told += 1
            assert str(file) in str(error)  # noqa: PT017 — either ending is right
    assert told >= 20


def test_file_that_swells_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that a dictionary repeats a thousand times is a bomb: what is written is counted."""
    big = coded(1) + bytes(200_000)
    parquet.write_table(pa.table({"image": [big] * 2_000, "label": ["a"] * 2_000}), tmp_path / "s.parquet")
    assert (tmp_path / "s.parquet").stat().st_size < 20_000
    monkeypatch.setattr(unpacking, "SMALL", 10 << 20)
    with pytest.raises(DataError, match="swells to more than 200 times its size"):
        arrival.bring(tmp_path / "s.parquet", tmp_path / "raw")
    assert sum(one.stat().st_size for one in (tmp_path / "raw").rglob("*.png")) <= 10 << 20


def test_images_beside_such_files_are_the_set(tmp_path: Path) -> None:
    """A table of Parquet among images of classes is no set, nor an archive that is called otherwise."""
    for name in CLASSES:
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "1.png").write_bytes(coded(1))
    parquet.write_table(table([0, 1]), tmp_path / "set" / "facts.parquet")
    assert not packed.is_packed(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.write(tmp_path / "set" / "facts.parquet", "facts.parquet")
    assert not packed.is_packed(tmp_path / "s.zip")
