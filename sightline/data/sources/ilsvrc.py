"""The layout of the ImageNet challenge: train/WNID/…, and val/ flat with a file that says what each image shows.

Understood for val: LOC_val_solution.csv (Kaggle), val_annotations.txt (Tiny ImageNet), val.txt (Caffe: class numbers in
the order of the WordNet ids), and ILSVRC2012_validation_ground_truth.txt with the development kit's meta.mat. A
mapping file gives the classes their names. test/ has no labels in this layout and is passed over, unless foldered.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from sightline.data.sources.entries import is_open
from sightline.data.sources.item import SPLITS, Found, Item, files, plain
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

WNID = re.compile(r"n\d{8}")
BASES = (".", "ILSVRC/Data/CLS-LOC", "Data/CLS-LOC")
MAPPINGS = ("LOC_synset_mapping.txt", "synset_words.txt", "words.txt")
GROUND_TRUTH = "ILSVRC2012_validation_ground_truth.txt"
ANSWERS = ("LOC_val_solution.csv", "val_annotations.txt", "val.txt", GROUND_TRUTH)


def fits(folder: Path) -> bool:
    """Whether train/ holds folders named by WordNet ids, and val/ is flat or a mapping file is there."""
    base = _base(folder)
    return base is not None and bool(_find(folder, base, MAPPINGS) or _is_flat(base / "val"))


def items(folder: Path) -> Iterator[Item]:
    """The images of train and val, with the names of their classes.

    Raises DataError where val/ is flat and nothing says what its images show.
    """
    base = _base(folder) or folder
    names = _names(_find(folder, base, MAPPINGS))
    answers = _answers(folder, base) if _is_flat(base / "val") else {}
    for split in ("train", "val", "test"):
        if split == "test" and _is_flat(base / split):
            continue
        for found in files(folder, (base / split).relative_to(folder).as_posix()):
            yield _item(found, split, answers, names)


def _item(found: Found, split: str, answers: dict[str, str], names: dict[str, str]) -> Item:
    path = PurePosixPath(found.path)
    wnid = next((part for part in path.parts if WNID.fullmatch(part)), None) or answers.get(path.stem)
    reason = found.reason or (None if wnid else "no label: no class folder, and no file says what it shows")
    return Item(found.path, names.get(wnid, wnid) if wnid else None, SPLITS[split], None, reason, bool(found.reason))


def _base(folder: Path) -> Path | None:
    for base in (folder / name for name in BASES):
        train = base / "train"
        if train.is_dir() and any(WNID.fullmatch(inner.name) for inner in train.iterdir()):
            return base
    return None


def _is_flat(folder: Path) -> bool:
    return folder.is_dir() and not any(WNID.fullmatch(inner.name) for inner in folder.iterdir())


def _find(folder: Path, base: Path, names: tuple[str, ...]) -> Path | None:
    places = [folder, base, base / "val", *sorted(folder.glob("*/data"))]
    return next((place / name for name in names for place in places if is_open(folder, place / name)), None)


def _names(mapping: Path | None) -> dict[str, str]:
    """WordNet id → first of its names; where two ids share it (crane the bird, crane the machine), with the id."""
    if mapping is None:
        return {}
    pairs = (line.split(maxsplit=1) for line in mapping.read_text(encoding="utf-8").splitlines() if line.strip())
    first = {pair[0]: plain(pair[-1].split(",")[0]) or pair[0] for pair in pairs}
    often = Counter(first.values())
    return {wnid: name if often[name] == 1 else f"{name} ({wnid})" for wnid, name in first.items()}


def _answers(folder: Path, base: Path) -> dict[str, str]:
    """Stem of each image of val → WordNet id.

    Raises DataError where there is no file that says so.
    """
    table = _find(folder, base, ANSWERS)
    if table is None:
        raise DataError(
            f"{base / 'val'}: its images lie in no class folders, and none of {', '.join(ANSWERS)} in {folder} says "
            "what they show; put one there, or sort the images into val/WNID/"
        )
    if table.name == GROUND_TRUTH:
        return _from_devkit(table, base)
    rows = [
        re.split(r"[,\s]+", line.strip()) for line in table.read_text(encoding="utf-8").splitlines() if line.strip()
    ]
    order = sorted(inner.name for inner in (base / "train").iterdir() if WNID.fullmatch(inner.name))
    numbered = ((PurePosixPath(row[0]).stem, row[1]) for row in rows if len(row) > 1 and row[0] != "ImageId")
    return {stem: order[int(answer)] if answer.isdecimal() else answer for stem, answer in numbered}


def _from_devkit(table: Path, base: Path) -> dict[str, str]:
    """Line n of the table is the number, in meta.mat, of the class of the n-th image of val."""
    from scipy.io import loadmat

    meta = table.with_name("meta.mat")
    if not is_open(table.parent, meta):
        raise DataError(f"{meta} is missing: it says which class the numbers in {table.name} stand for")
    synsets = loadmat(meta, squeeze_me=True)["synsets"]
    wnids = {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"], strict=True)}
    stems = sorted(PurePosixPath(found.path).stem for found in files(base / "val"))
    numbers = table.read_text(encoding="utf-8").split()
    if len(numbers) != len(stems):
        raise DataError(
            f"{table} has {len(numbers)} lines, but {base / 'val'} has {len(stems)} images; they must match"
        )
    return {stem: wnids[int(number)] for stem, number in zip(stems, numbers, strict=True)}
