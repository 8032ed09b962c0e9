"""Folders, tables and archives as people bring them: what is read of each, what is said, what is refused and how."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from sightline.data.files.facts import Limits, read_facts
from sightline.data.sources import arrival, scan, tables, unpacking
from sightline.data.sources.entries import entries
from sightline.data.sources.overlooked import overlooked
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def picture(name: str, kind: str = "PNG", **how: Any) -> bytes:
    """A small picture, another one for each name."""
    rng = np.random.default_rng(list(name.encode("utf-8", "surrogateescape")))
    out = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(out, kind, **how)
    return out.getvalue()


JPEG = picture("jpeg", "JPEG")
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
PAGE = b"<!DOCTYPE html>\n<html><body>404</body></html>"


def packed(files: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def zipped(*names: str) -> bytes:
    return packed({name: picture(name) for name in names})


def locked(archive: bytes) -> bytes:
    """The zip of one file, with the flag that says that it needs a password."""
    local, central = archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8
    data = bytearray(archive)
    data[local], data[central] = data[local] | 1, data[central] | 1
    return bytes(data)


def packed_tar(files: dict[str, bytes], mode: Any = "w", extra: list[tarfile.TarInfo] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in extra or []:
            archive.addfile(info)
    return out.getvalue()


def tarred(*names: str, mode: Any = "w", extra: list[tarfile.TarInfo] | None = None) -> bytes:
    return packed_tar({name: picture(name) for name in names}, mode, extra)


def member(name: str, kind: bytes, to: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@dataclass(frozen=True)
class Case:
    """What somebody brings, and what is right."""

    images: list[str] = field(default_factory=list)
    files: dict[str, bytes | str] = field(default_factory=dict)
    """Others than plain images, by path."""
    links: dict[str, str] = field(default_factory=dict)
    given: str = ""
    """What `--images` names: in the folder, or the folder itself."""
    right: str = ""
    """Classes with their numbers of images, `split/class` where there are splits; `?`: no label, `!`: unusable."""
    said: tuple[str, ...] = ()
    """Words that must be said."""
    copied: str = ""
    """The same of the copy, where that differs."""
    refused: str = ""
    """Regular expression of the error, if it must be one."""


TWO = ["cat/1.png", "cat/2.png", "dog/3.png", "dog/4.png"]
BOTH = "cat 2, dog 2"
SPLIT = "test/cat 1, test/dog 1, train/cat 1, train/dog 1"
FLAT = ["1.png", "2.png", "3.png", "4.png"]
ROWS = "1.png,cat\n2.png,cat\n3.png,dog\n4.png,dog\n"


def split(train: str, test: str, before: str = "", behind: str = "") -> list[str]:
    """Two splits, two classes."""
    return [f"{before}{part}/{behind}{name}/{part}.png" for part in (train, test) for name in ("cat", "dog")]


CLASSES = {
    "a folder for each class": Case(TWO, right=BOTH),
    "classes deep below": Case(["cat/2020/may/1.png", "cat/2021/2.png", "dog/a/b/c/3.png", "dog/4.png"], right=BOTH),
    "a folder around everything": Case([f"data/set/{one}" for one in TWO], right=BOTH),
    "a folder around splits": Case(split("train", "test", "archive/data/"), right=SPLIT),
    "splits": Case(split("train", "test"), right=SPLIT),
    "splits in capitals": Case(split("TRAIN", "Test"), right=SPLIT),
    "Training and Testing": Case(split("Training", "Testing"), right=SPLIT),
    "training_set and test_set": Case(split("training_set", "test_set"), right=SPLIT),
    "train2017 and val2017": Case(
        split("train2017", "val2017"), right="train/cat 1, train/dog 1, val/cat 1, val/dog 1"
    ),
    "each split in one of its name": Case(split("seg_train/seg_train", "seg_test/seg_test"), right=SPLIT),
    "a folder images in each split": Case(split("train", "test", behind="images/"), right=SPLIT),
    "images and labels, each with splits": Case(
        split("train", "test", "images/"), {"labels/train/1.txt": "0 0 0 1 1"}, right=SPLIT, said=("1 .txt",)
    ),
    "test without labels": Case(
        [*split("train", "val"), "test/1.png", "test/2.png"],
        right="? 2, train/cat 1, train/dog 1, val/cat 1, val/dog 1",
        said=("2 without a label",),
    ),
    "unlabelled beside the classes": Case([*TWO, "_unlabeled/9.png"], right="? 1, cat 2, dog 2"),
    "flat splits": Case(["train/1.png", "test/2.png"], refused="look like splits .* labels.csv"),
    "flat train_images and test_images": Case(
        ["train_images/1.png", "test_images/2.png"], refused="look like splits .* labels.csv"
    ),
    "flat images in each split": Case(
        ["train/images/1.png", "test/images/2.png"], refused="look like splits .* labels.csv"
    ),
    "splits of unknown names": Case(split("part1", "part2"), refused="which of the two are the classes"),
    "classes that are called like a split": Case(
        ["train/1.png", "train/2.png", "bus/3.png", "bus/4.png"], right="bus 2, train 2"
    ),
    "a class beside splits": Case([*split("train", "val"), "new/owl/1.png"], refused="new stands beside them"),
    "one class": Case(["cat/1.png", "cat/2.png"], right="cat 2", said=("one class",)),
    "no class folders": Case(FLAT, refused=r"4 images and none has a label; sort them into .*/CLASS/"),
    "images beside the classes": Case([*TWO, "cover.png"], right="? 1, cat 2, dog 2"),
    "an empty folder": Case(refused="no images in class folders"),
    "folders without images": Case(
        files={"cat/a.txt": "x", "dog/b.txt": "x"}, refused=r"2 other files not read: 2 .txt"
    ),
    "a class without images": Case(TWO, {"owl/notes.txt": "x"}, right=BOTH, said=("1 .txt",)),
    "blanks and signs in names": Case(
        ["big cat/a b.png", "big cat/(1) [x]#.png", "o'dog/%20.png", 'o\'dog/"q".png'], right="big cat 2, o'dog 2"
    ),
    "names in any script": Case(
        ["Katze ß/ä.png", "Katze ß/ö.png", "猫/犬.png", "🐶/🐕.png"], right="Katze ß 2, 猫 1, 🐶 1"
    ),
    "one name in two forms": Case(
        ["caf\u00e9/1.png", "cafe\u0301/2.png", "dog/3.png", "dog/4.png"], right="caf\u00e9 2, dog 2"
    ),
    "numbers as classes, names in a list": Case(
        ["0/1.png", "0/2.png", "10/3.png", "10/4.png"],
        {"classes.txt": "cat\ndog\n"},
        right="0 2, 10 2",
        said=("1 .txt",),
    ),
    "negative and broken numbers as classes": Case(["-1/1.png", "0.5/2.png"], right="-1 1, 0.5 1"),
    "classes in two letter cases": Case(
        ["Cat/1.png", "cat/2.png"], right="Cat 1, cat 1", said=("differ in letter case alone",)
    ),
    "what systems leave behind": Case(
        TWO,
        {
            "Thumbs.db": "x",
            "cat/Thumbs.db": "x",
            "desktop.ini": "x",
            ".DS_Store": "x",
            "cat/.DS_Store": "x",
            "cat/._1.png": "x",
            "__MACOSX/cat/._1.png": "x",
            "__MACOSX/cat/1.png": picture("m"),
            ".ipynb_checkpoints/1-checkpoint.png": picture("c"),
            "cat/.ipynb_checkpoints/1.png": picture("c"),
            "cat/@eaDir/1.png/THUMB_M.jpg": picture("t"),
            "$RECYCLE.BIN/1.png": picture("r"),
            ".git/config": "x",
            ".git/objects/aa/1": "x",
        },
        right=BOTH,
    ),
    "endings in any letter case": Case(["cat/1.PNG", "cat/2.Jpeg", "dog/3.JPG", "dog/4.TIF"], right=BOTH),
    "odd endings of images": Case(
        ["cat/1.jpg?w=200", "cat/2.jpg_large", "cat/3.jpg.1", "dog/4", "dog/5.JPG~", "dog/6.webp!d"],
        right="cat 3, dog 3",
    ),
    "other files beside the images": Case(
        TWO,
        {
            "cat/1.xml": "<a/>",
            "cat/2.xml": "<a/>",
            "dog/3.json": "{}",
            "README": "x",
            "dog/LICENSE": "x",
            "a.npz": b"\0",
        },
        right=BOTH,
        said=("6 other files not read", "2 .xml", "1 .json"),
    ),
    "what is no image": Case(
        TWO,
        {
            "cat/lfs.jpg": LFS,
            "cat/page.jpg": PAGE,
            "dog/empty.png": b"",
            "dog/text.png": "hello",
            "dog/zero.jpg": b"\0" * 99,
        },
        right="! 5, cat 2, dog 2",
        said=("of 6 files that were looked at 2 are no images: cat/lfs.jpg is a pointer of Git LFS",),
    ),
    "one file that is no image": Case(
        TWO,
        {"cat/lfs.jpg": LFS},
        right="! 1, cat 2, dog 2",
        said=("of 5 files that were looked at 1 is no image: cat/lfs.jpg is a pointer of Git LFS",),
    ),
    "a clone without its images": Case(
        files={f"{name}/1.jpg": LFS for name in ("cat", "dog")},
        refused="cat/1.jpg is a pointer of Git LFS.*git lfs pull",
    ),
    "formats that are not read": Case(
        TWO, {"cat/1.psd": b"8BPS", "dog/2.svg": "<svg/>", "dog/3.CR2": b"II*\0"}, right="! 3, cat 2, dog 2"
    ),
    "AVIF": Case(TWO, {"cat/9.avif": picture("a", "AVIF"), "dog/9.jpg": picture("b", "AVIF")}, right="cat 3, dog 3"),
    "JPEGs without their end": Case(
        TWO,
        {"cat/9.jpg": JPEG[:-2], "dog/9.jpg": JPEG[:-1], "dog/half.jpg": JPEG[: len(JPEG) // 2]},
        right="! 1, cat 3, dog 3",
    ),
    "masks beside the images": Case(
        [*TWO, "cat/1_mask.png", "cat/2 (1).png", "cat/2 (1)_mask.png", "cat/2 (1)_mask_1.png", "dog/face_mask.png"],
        right="cat 3, dog 3",
        said=("3 masks of other images",),
    ),
    "masks in a folder beside images": Case(
        [f"{name}/{part}/{number}.png" for name in ("cat", "dog") for part in ("images", "masks") for number in (1, 2)],
        right=BOTH,
        said=("4 masks",),
    ),
    "a folder of masks beside that of images": Case(
        [f"{part}/{one}" for part in ("images", "masks") for one in TWO], right=BOTH, said=("4 masks",)
    ),
    "masks in a folder of their split": Case(
        [
            *split("train", "test"),
            *(f"{part}_masks/{one}/1.png" for part in ("train", "test") for one in ("cat", "dog")),
        ],
        right=SPLIT,
        said=("4 masks",),
    ),
    "ground truth beside the splits": Case(
        [*split("train", "test"), "ground_truth/dog/000.png"], right=SPLIT, said=("1 masks",)
    ),
    "annotations without an ending": Case(
        [f"Images/{one}" for one in TWO], {f"Annotation/{one[:-4]}": "<a/>" for one in TWO}, right=BOTH
    ),
    "one folder that names no class": Case(["images/1.png", "images/2.png"], refused="2 images and none has a label"),
    "archives beside the classes": Case(
        TWO,
        {"more.zip": zipped("x/1.png"), "old.tar": tarred("x/1.png"), "b.tar.gz": gzip.compress(b"x")},
        right=BOTH,
        said=("nothing is read of b.tar.gz, more.zip, old.tar: unpack",),
    ),
    "archives alone": Case(
        files={"cat.zip": zipped("1.png"), "dog.zip": zipped("2.png")},
        refused="nothing is read of cat.zip, dog.zip: unpack",
    ),
    "links to files of the folder": Case(
        TWO, links={"cat/5.png": "../cat/1.png", "dog/5.png": "3.png"}, right="cat 3, dog 3"
    ),
    "links to class folders": Case(
        ["cat/1.png", "cat/2.png", "cat/more/3.png"],
        links={"dog": "cat/more", "owl": "cat"},
        right="cat 3, dog 1, owl 3",
    ),
    "links to files of a store": Case(
        [f"store/{number}.png" for number in range(5)],
        links={
            f"{name}/{number}.png": f"../store/{number}.png" for name, number in (("cat", 0), ("cat", 1), ("dog", 2))
        },
        right="cat 2, dog 1",
    ),
    "links to folders of a store, for splits": Case(
        [f"store/{part}-{name}/{part}.png" for part in ("train", "test") for name in ("cat", "dog")],
        links={f"{part}/{name}": f"../store/{part}-{name}" for part in ("train", "test") for name in ("cat", "dog")},
        right=SPLIT,
    ),
    "links to a hidden store": Case(
        [".blobs/1", ".blobs/2"], links={"cat/1.png": "../.blobs/1", "dog/2.png": "../.blobs/2"}, right="cat 1, dog 1"
    ),
    "links that leave": Case(
        TWO,
        links={"owl": "/usr", "cat/5.png": "/etc/hostname"},
        right="! 2, cat 2, dog 2",
        copied=BOTH,
        said=("left out", "cp -RL"),
    ),
    "links in a circle": Case(
        TWO,
        links={"cat/up": "..", "dog/self": "self", "dog/here": "."},
        right="! 3, cat 2, dog 2",
        copied=BOTH,
        said=("left out",),
    ),
    "a project among the images": Case([*TWO, "p/data/raw/target/cat/1.png"], {"p/.dvc/config": "x"}, right=BOTH),
}

TABLES = {
    "labels.csv": Case(FLAT, {"labels.csv": f"path,label\n{ROWS}"}, right=BOTH),
    "with a byte-order mark and Windows line ends": Case(
        FLAT, {"labels.csv": f"\ufeffpath,label\n{ROWS}".replace("\n", "\r\n")}, right=BOTH
    ),
    "semicolons": Case(
        FLAT,
        {"labels.csv": f"path,label\n{ROWS}".replace(",", ";")},
        right=BOTH,
        said=("labels.csv is read cells parted by semicolons",),
    ),
    "tabs": Case(FLAT, {"t.tsv": f"path,label\n{ROWS}".replace(",", "\t")}, given="t.tsv", right=BOTH, said=("tabs",)),
    "bars": Case(FLAT, {"labels.csv": f"path,label\n{ROWS}".replace(",", "|")}, right=BOTH, said=("bars",)),
    "what Excel is told": Case(FLAT, {"labels.csv": f"sep=;\npath,label\n{ROWS}".replace(",", ";")}, right=BOTH),
    "UTF-16": Case(FLAT, {"labels.csv": f"path,label\n{ROWS}".encode("utf-16")}, right=BOTH, said=("UTF-16",)),
    "UTF-16 without its mark": Case(FLAT, {"labels.csv": f"path,label\n{ROWS}".encode("utf-16-le")}, right=BOTH),
    "Western Windows": Case(
        FLAT,
        {"labels.csv": f"path,label\n{ROWS}".replace("dog", "Köter").encode("cp1252")},
        right="Köter 2, cat 2",
        said=("cp1252",),
    ),
    "other names of columns": Case(
        FLAT, {"labels.csv": f"File_Name , CLASS\n{ROWS}"}, right=BOTH, said=("file_name as path, class as label",)
    ),
    "more columns, and quoted line ends": Case(
        FLAT,
        {"labels.csv": 'path,note,label\n1.png,"two\nlines",cat\n2.png,,cat\n3.png,"a, b",dog\n4.png,"""",dog\n'},
        right=BOTH,
    ),
    "a comma in a label, quoted": Case(
        FLAT,
        {"labels.csv": 'path,label\n1.png,"cat, big"\n2.png,"cat, big"\n3.png,dog\n4.png,dog\n'},
        right="cat, big 2, dog 2",
    ),
    "a comma in a label, unquoted": Case(
        FLAT, {"labels.csv": "path,label\n1.png,cat, big\n"}, refused=r"labels.csv, line 2: 3 cells.*between quotes"
    ),
    "empty rows and cells, as Excel leaves them": Case(
        FLAT, {"labels.csv": f"path,label,,\n{ROWS}".replace("cat\n", "cat,,\n") + ",,,\n,,,\n\n"}, right=BOTH
    ),
    "Windows' slashes": Case(TWO, {"labels.csv": "path,label\ncat\\1.png,a\n.\\dog\\3.png,b\n"}, right="a 1, b 1"),
    "paths of a Windows machine": Case(
        TWO,
        {"labels.csv": "path,label\nC:\\Users\\me\\set\\cat\\1.png,a\nC:\\Users\\me\\set\\dog\\3.png,b\n"},
        right="a 1, b 1",
        said=("C:/Users/me/set/ dropped from the paths",),
    ),
    "paths from the root of another machine": Case(
        TWO,
        {"labels.csv": "path,label\n/kaggle/input/set/cat/1.png,a\n/kaggle/input/set/dog/3.png,b\n"},
        right="a 1, b 1",
    ),
    "paths from the folder above": Case(
        TWO, {"labels.csv": "path,label\nset/cat/1.png,a\nset/dog/3.png,b\nset/dog/9.png,b\n"}, right="! 1, a 1, b 1"
    ),
    "paths upwards": Case(
        TWO, {"labels.csv": "path,label\n../../x.png,a\n"}, refused=r"line 2: .*path that leaves the folder"
    ),
    "other letter case and accents": Case(
        ["a/\u00e9.png", "b/X.PNG"],
        {"labels.csv": f"path,label\na/{unicodedata.normalize('NFD', 'é')}.png,cat\nB/x.png,dog\n"},
        right="cat 1, dog 1",
        said=("letter case",),
    ),
    "the same row twice": Case(
        FLAT, {"labels.csv": f"path,label\n{ROWS}{ROWS}"}, right=BOTH, said=("4 rows that say the same again left out",)
    ),
    "two labels of one image": Case(
        FLAT,
        {"labels.csv": f"path,label\n{ROWS}./1.png,dog\n"},
        refused=r"line 6: 1.png is listed twice, as 'cat' on line 2 and as 'dog' here",
    ),
    "some files missing": Case(
        FLAT[:3], {"labels.csv": f"path,label\n{ROWS}"}, right="! 1, cat 2, dog 1", said=("there is no such file",)
    ),
    "all files missing": Case(
        ["x/9.png"],
        {"labels.csv": f"path,label\n{ROWS}"},
        refused=r"lists no image that is there; line 2: 1.png \(there is no such file\)",
    ),
    "no row": Case(FLAT, {"labels.csv": "path,label\n"}, refused="lists no image"),
    "an empty file": Case(FLAT, {"labels.csv": ""}, refused="it must name a column path and a column label"),
    "unknown columns": Case(
        FLAT, {"labels.csv": "photo,what\n1.png,cat\n"}, refused=r"first line is \['photo', 'what'\]; it must name"
    ),
    "two columns that may be the label": Case(
        FLAT,
        {"labels.csv": "path,class,category\n1.png,cat,pet\n"},
        refused="must name a column path and a column label",
    ),
    "no names of columns": Case(FLAT, {"labels.csv": ROWS}, right=BOTH, said=("no line names them",)),
    "a list with blanks": Case(FLAT, {"list.txt": ROWS.replace(",", " ")}, given="list.txt", right=BOTH),
    "splits in a column": Case(
        ["1.png", "2.png", "3.png", "4.png"],
        {"labels.csv": "path,label,split\n1.png,cat,Train\n2.png,dog,train\n3.png,cat,test\n4.png,dog,test_set\n"},
        right=SPLIT,
    ),
    "an unknown split": Case(
        FLAT,
        {"labels.csv": "path,label,split\n1.png,cat,holdout\n"},
        refused="line 2: split 'holdout' is none of train",
    ),
    "labels without a value": Case(
        FLAT, {"labels.csv": f"path,label\n{ROWS}".replace("4.png,dog", "4.png,")}, right="? 1, cat 2, dog 1"
    ),
    "numbers as labels": Case(
        FLAT, {"labels.csv": "image_id,target\n1.png,0\n2.png,0\n3.png,1\n4.png,1\n"}, right="0 2, 1 2"
    ),
    "JSON lines": Case(
        FLAT,
        {"labels.jsonl": '{"file_name": "1.png", "label": ["cat"]}\n{"file_name": "2.png", "label": 7}\n'},
        right="7 1, cat 1",
    ),
    "JSON with a label that is no text": Case(
        FLAT, {"labels.jsonl": '{"path": "1.png", "label": ["cat;dog", "rat"]}\n'}, refused="line 1: .* rename it"
    ),
    "broken JSON": Case(FLAT, {"labels.jsonl": '{"path": "1.png"'}, refused="cannot be read"),
    "Hugging Face's metadata.csv": Case(FLAT, {"metadata.csv": f"file_name,label\n{ROWS}"}, right=BOTH),
    "metadata.csv in each split": Case(
        [f"{part}/{number}.png" for part in ("train", "test") for number in (1, 2)],
        {f"{part}/metadata.csv": "file_name,label\n1.png,cat\n2.png,dog\n" for part in ("train", "test")},
        right=SPLIT,
    ),
    "metadata.csv that tells something else": Case(TWO, {"metadata.csv": "file_name,width\ncat/1.png,8\n"}, right=BOTH),
    "Kaggle: ids without an ending": Case(
        ["train/0001.jpg", "train/0002.jpg", "test/0001.jpg", "test/0003.jpg"],
        {
            "train.csv": "id,label\n0001,cat\n0002,dog\n",
            "sample_submission.csv": "id,label\n0001,cat\n",
            "test.csv": "id\n0001\n",
        },
        given="train.csv",
        right="cat 1, dog 1",
        said=("by name", "id as path"),
    ),
    "Kaggle: the folder": Case(
        ["train_images/a1.jpg", "train_images/a2.jpg", "test_images/b1.jpg"],
        {
            "train.csv": "image_id,label\na1.jpg,cat\na2.jpg,dog\n",
            "sample_submission.csv": "image_id,label\nb1.jpg,cat\n",
            "map.json": "{}",
        },
        right="cat 1, dog 1",
    ),
    "a table for each split": Case(
        [f"images/{number}.png" for number in range(4)],
        {
            "train.csv": "path,label\nimages/0.png,cat\nimages/1.png,dog\n",
            "test.csv": "path,label\nimages/2.png,cat\nimages/3.png,dog\n",
        },
        right=SPLIT,
    ),
    "a table in the folder around everything": Case(
        [f"data/set/{one}" for one in FLAT],
        {"data/set/labels.csv": f"path,label\n{ROWS}", "README.md": "x"},
        right=BOTH,
    ),
    "a table of any name in each split": Case(
        [f"{part}/{number}.png" for part in ("train", "test") for number in (1, 2)],
        {f"{part}/_classes.csv": "filename,class\n1.png,cat\n2.png,dog\n" for part in ("train", "test")},
        right=SPLIT,
    ),
    "JSON of paths and labels": Case(
        FLAT,
        {"t.json": '{"1.png": "cat", "2.png": "cat", "3.png": "dog", "4.png": 5}'},
        given="t.json",
        right="5 1, cat 2, dog 1",
    ),
    "a JSON list": Case(FLAT, {"t.json": '[{"image": "1.png", "label": "cat"}]'}, given="t.json", right="cat 1"),
    "COCO": Case(FLAT, {"t.json": '{"images": [], "annotations": []}'}, given="t.json", refused="in the form of COCO"),
    "Kaggle's traffic signs": Case(
        ["Train/0/1.png", "Train/1/2.png", "Test/9.png", "Meta/0.png"],
        {"Train.csv": "Width,ClassId,Path\n8,0,Train/0/1.png\n", "Test.csv": "Width,ClassId,Path\n8,0,Test/9.png\n"},
        right="? 2, train/0 1, train/1 1",
    ),
    "several tables": Case(
        FLAT,
        {"a.csv": f"path,label\n{ROWS}", "b.csv": f"path,label\n{ROWS}"},
        refused=r"several tables .*: a.csv, b.csv; name one",
    ),
    "a table of another name beside classes": Case(
        TWO, {"notes.csv": "path,label\ncat/1.png,x\n"}, right=BOTH, said=("1 .csv",)
    ),
    "a name that several files have": Case(
        ["a/1.png", "b/1.png", "c/2.png"],
        {"labels.csv": "path,label\n1.png,cat\n2.png,dog\n"},
        right="! 1, dog 1",
        said=("2 files may be meant",),
    ),
    "images beside the table that it does not list": Case(
        FLAT, {"labels.csv": "path,label\n1.png,cat\n3.png,dog\n"}, right="cat 1, dog 1", said=("2 .png",)
    ),
    "addresses": Case(
        FLAT, {"labels.csv": "path,label\nhttps://x.org/9.png,cat\n"}, refused="an address, not a file: download"
    ),
    "an Excel workbook": Case(
        FLAT,
        {"labels.xlsx": zipped("xl/workbook.xml")},
        given="labels.xlsx",
        refused="a spreadsheet: save it as CSV",
    ),
    "a Parquet file": Case(FLAT, {"t.csv": b"PAR1\0\0"}, given="t.csv", refused="Parquet file: save it as CSV"),
    "an image": Case(FLAT, given="1.png", refused="a binary file; name a folder of images"),
}

ARCHIVES = {
    "zip": Case(files={"set.zip": zipped(*TWO)}, given="set.zip", right=BOTH),
    "zip of Windows' slashes": Case(
        files={"set.zip": zipped("cat\\1.png", "dog\\2.png")}, given="set.zip", right="cat 1, dog 1"
    ),
    "zip of a Mac": Case(
        files={"set.zip": zipped(*[f"set/{one}" for one in TWO], "__MACOSX/set/cat/._1.png", "set/.DS_Store")},
        given="set.zip",
        right=BOTH,
    ),
    "zip with splits": Case(files={"set.ZIP": zipped(*split("train", "test", "a/"))}, given="set.ZIP", right=SPLIT),
    "tar": Case(files={"set.tar": tarred(*TWO)}, given="set.tar", right=BOTH),
    "tar.gz": Case(files={"set.tar.gz": tarred(*TWO, mode="w:gz")}, given="set.tar.gz", right=BOTH),
    "tgz": Case(files={"set.tgz": tarred(*TWO, mode="w:gz")}, given="set.tgz", right=BOTH),
    "tar.xz": Case(files={"set.tar.xz": tarred(*TWO, mode="w:xz")}, given="set.tar.xz", right=BOTH),
    "zip with paths that leave": Case(
        files={"set.zip": zipped(*TWO, "../../evil.png", "/evil.png", "C:/evil.png", "cat/../../evil.png")},
        given="set.zip",
        right=BOTH,
        said=("path that leaves the folder",),
    ),
    "tar with links and devices": Case(
        files={
            "set.tar": tarred(
                *TWO,
                extra=[
                    member("cat/link.png", tarfile.SYMTYPE, "/etc/passwd"),
                    member("owl", tarfile.SYMTYPE, "/usr"),
                    member("cat/hard.png", tarfile.LNKTYPE, "cat/1.png"),
                    member("cat/null.png", tarfile.CHRTYPE),
                    member("cat/pipe.png", tarfile.FIFOTYPE),
                ],
            )
        },
        given="set.tar",
        right=BOTH,
        said=("a link or device in an archive",),
    ),
    "tar through a link": Case(
        files={"set.tar": tarred(*TWO, extra=[member("out", tarfile.SYMTYPE, "/usr")])}, given="set.tar", right=BOTH
    ),
    "a damaged zip": Case(
        files={"set.zip": zipped(*TWO)[:-40]}, given="set.zip", refused="cannot be unpacked: .*unpack it yourself"
    ),
    "a damaged tar.gz": Case(
        files={"set.tar.gz": tarred(*TWO, mode="w:gz")[:200]}, given="set.tar.gz", refused="cannot be unpacked"
    ),
    "a damaged tar": Case(files={"set.tar": tarred(*TWO)[:2400]}, given="set.tar", refused="cannot be unpacked"),
    "a tar that is cut in a header": Case(
        files={"set.tar": tarred(*TWO)[:1800]}, given="set.tar", refused="set.tar cannot be unpacked: a header is cut"
    ),
    "a zip that is none": Case(files={"set.zip": PAGE}, given="set.zip", refused="cannot be unpacked"),
    "an empty zip": Case(files={"set.zip": zipped()}, given="set.zip", refused="holds no file"),
    "a zip of archives": Case(
        files={"set.zip": packed({"cat.zip": zipped("1.png"), "dog.zip": zipped("2.png")})},
        given="set.zip",
        refused="nothing is read of cat.zip, dog.zip",
    ),
    "a zip without classes": Case(
        files={"set.zip": zipped("1.png", "2.png")}, given="set.zip", refused="none has a label"
    ),
    "a zip with a table": Case(
        files={
            "set.zip": packed(
                {"labels.csv": f"path;label\n{ROWS}".replace(",", ";").encode(), **{one: picture(one) for one in FLAT}}
            )
        },
        given="set.zip",
        right=BOTH,
        said=("semicolons",),
    ),
    "a zip with a password": Case(
        files={"set.zip": locked(zipped("cat/1.png"))}, given="set.zip", refused="locked by a password"
    ),
    "names without a word on their alphabet": Case(
        files={"set.zip": zipped("größe/1.png").replace("größe".encode(), b"gr\xc3\xb6\xc3\x9fe")},
        given="set.zip",
        right="größe 1",
    ),
    "tar shards": Case(
        files={"set.tar": packed_tar({"1.png": picture("1"), "1.cls": b"cat", "2.png": picture("2"), "2.cls": b"dog"})},
        given="set.tar",
        right="cat 1, dog 1",
    ),
}

CASES = {
    f"{kind}: {name}": case
    for kind, cases in (("classes", CLASSES), ("table", TABLES), ("archive", ARCHIVES))
    for name, case in cases.items()
}


def lay(case: Case, folder: Path) -> Path:
    """Put the files of a case into `folder`; what `--images` names."""
    folder.mkdir()
    for path in case.images:
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(path))
    for path, data in case.files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data.encode() if isinstance(data, str) else data)
    for path, to in case.links.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(to)
    return folder / case.given


def said(given: Path, place: Path) -> str:
    """What `init` says of the images while it brings them to `place`."""
    return "\n".join([*arrival.bring(given, place), *arrival.described(place)])


def outcome(folder: Path) -> str:
    """Classes with their numbers of images, read as ingesting does."""
    found: Counter[str] = Counter()
    for item in scan(folder):
        facts = {"reason": item.reason} if item.closed else read_facts(os.fspath(folder), item.path, Limits())
        usable = f"{item.split}/{item.label}" if item.split else item.label or "?"
        found["!" if item.closed or facts["reason"] else "?" if item.label is None else usable] += 1
    return ", ".join(f"{name} {number}" for name, number in sorted(found.items()))


def test_there_are_cases_enough() -> None:
    """As many as people were seen to bring."""
    assert len(CASES) >= 100


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.refused])
def test_what_people_bring(tmp_path: Path, name: str) -> None:
    """What is read is right, what must be said is, and every file is an image, unusable or counted among the others."""
    case = CASES[name]
    given, place = lay(case, tmp_path / "set"), tmp_path / "raw"
    words = said(given, place)
    assert outcome(place) == (case.copied or case.right)
    assert [one for one in case.said if one not in words] == []
    files = [one for one in entries(os.fspath(place)) if not one.is_folder]
    known = {item.path for item in scan(place)}
    read = {path if (place / path).exists() else f"{path.partition('.tar/')[0]}.tar" for path in known}
    read = {path for path in read if (place / path).exists()}
    assert len(read) + len(tables.tables(place)) + overlooked(place, known)[0].total() == len(files)
    assert all((place / one.path).stat().st_mode & 0o200 for one in files)
    if given == tmp_path / "set":
        assert outcome(given) == case.right


def test_links_in_a_folder_that_dvc_keeps(tmp_path: Path) -> None:
    """Elsewhere those to folders would be gone, and those to files be files: nothing is made of them here, either."""
    links = {"dog": "cat", "owl/9.png": "../store/9.png"}
    case = Case(["cat/1.png", "cat/2.png", "store/9.png"], links=links)
    given = lay(case, tmp_path / "set")
    assert outcome(given) == "cat 2, dog 2, owl 1"
    (tmp_path / "set.dvc").touch()
    assert outcome(given) == "! 1, cat 2, owl 1, store 1"


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.refused])
def test_what_cannot_be_meant(tmp_path: Path, name: str) -> None:
    """It is refused before a project is made, in words that name it and the remedy."""
    case = CASES[name]
    given, place = lay(case, tmp_path / "set"), tmp_path / "raw"
    with pytest.raises(DataError, match=case.refused):
        said(given, place)


@pytest.mark.parametrize("mode", ["zip", "tar.gz"])
def test_bomb_is_refused(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What swells to hundreds of times its size is not written to the disk, and nothing is left of it."""
    monkeypatch.setattr(unpacking, "SMALL", 1 << 20)
    zeros = {"cat/1.png": bytes(8 << 20)}
    bomb = tmp_path / f"set.{mode}"
    bomb.write_bytes(packed(zeros, zipfile.ZIP_DEFLATED) if mode == "zip" else packed_tar(zeros, "w:gz"))
    with pytest.raises(DataError, match="swells to more than 200 times its size"):
        arrival.bring(bomb, tmp_path / "raw")
    assert list(tmp_path.iterdir()) == [bomb]
