"""Images on their way into a project, from a folder, a table or an archive; and what is said of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sightline.data.sources import copying, overlooked, packed, scan, tables, unpacking
from sightline.errors import DataError
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.images import dicom, kinds
from sightline.images.reading import WITHOUT_HEIF, has_heif
from sightline.words import counted, tally, visible, with_verb

if TYPE_CHECKING:
    from pathlib import Path

LOOKED_AT = 3
"""First files of each class by which it is told whether they are images."""
FEWEST = 2
"""Classes from which on there is something to tell apart."""


def bring(given: Path, target: Path) -> list[str]:
    """Bring the images into the new folder `target`, and say what is worth saying.

    They lie in a folder, beside a table, in an archive, or inside of files. Raises DataError where there is nothing of
    the kind.
    """
    if packed.is_packed(given):
        return packed.write(given, target)
    if unpacking.is_archive(given):
        return unpacking.unpack(given, target)
    if given.is_dir():
        left = copying.copy_folder(given, target)
        number, unseen = overlooked.hidden(given)
        said = [f"{counted(number, 'other file')} not read: {overlooked.HIDDEN}"] if number else []
        return ([copying.sentence(left)] if left else []) + said + unseen
    left, said = copying.copy_table(given, target)
    read = [f"{given.name} is read {_listing(said)}"] if said else []
    return read + ([copying.sentence(left)] if left else [])


def described(folder: Path, task: str = CLASSIFY, given: Path | None = None) -> list[str]:
    """How many images of which classes lie in a folder, how its tables are read, and what is not read.

    `given`: what they were brought from, which errors name. Raises DataError where no image has a label.
    """
    known, texts, masked = set[str](), Counter[str](), Counter[str]()
    looked: dict[str, list[str]] = {}
    for item in scan(folder):
        known.add(item.path)
        if not item.closed and len(few := looked.setdefault(item.label or "", [])) < LOOKED_AT:
            few.append(item.path)
        if not item.closed:
            texts[item.label or ""] += 1
        else:
            masked[item.reason or ""] += 1
    waiting = texts.pop("", 0)
    if not texts:
        raise DataError(_unlabelled(given or folder, waiting, masked))
    doubts = _begin_otherwise(folder, given or folder, [path for few in looked.values() for path in few])
    without = f"; {waiting:,} without a label are left out (`sightline data label export`)" if waiting else ""
    labels: Counter[str] = Counter()
    for text, count in texts.items():
        labels.update(dict.fromkeys(LABELS[task].names(text), count))
    said = [f"{counted(texts.total(), 'image')} of {tally(labels)}, in {folder}{without}"]
    if given is None or not given.is_file() or unpacking.is_archive(given):
        # What a table lists, and could not be brought, was told by name.
        said += [f"{counted(number, 'file')} left out: {reason}" for reason, number in masked.most_common(NAMED)]
    for table, _ in tables.tables(folder):
        said += [f"{table.name} is read {_listing(how)}" for how in [tables.listed(table)[1]] if how]
    said += overlooked.sentences(folder, known)
    return said + doubts + _doubts(labels)


NAMED = 5
"""Reasons that are told."""


def _begin_otherwise(folder: Path, given: Path, paths: list[str]) -> list[str]:
    """That files which are called like images are none, by the first few of each class.

    Raises DataError where all of them are none: nothing would be left to learn from.
    """
    wrong = [(path, what) for path in paths if (what := _what(folder / path))]
    if not wrong:
        return []
    named = f"{visible(wrong[0][0])} is {wrong[0][1]}"
    if len(wrong) == len(paths):
        raise DataError(f"{given}: none of {counted(len(paths), 'file')} that were looked at is an image: {named}")
    are = with_verb(len(wrong), "is", "are")
    return [f"of {counted(len(paths), 'file')} that were looked at {are} no image{'s' * (len(wrong) > 1)}: {named}"]


def _what(file: Path) -> str | None:
    """What a file is that is not read; None for an image, and for what cannot be looked at here."""
    try:
        with file.open("rb") as handle:
            start = handle.read(kinds.LOOKED_AT)
    except OSError:
        return None
    if not start:
        return "empty"
    if kinds.is_heif(start) and not has_heif():
        return WITHOUT_HEIF
    if kinds.is_dicom(start) and not dicom.is_at_hand():
        return dicom.WITHOUT
    return None if kinds.is_image(start) else kinds.named(start) or "of no kind that is read"


def _listing(said: list[str]) -> str:
    return visible("; ".join(said))


def _doubts(labels: Counter[str]) -> list[str]:
    """What is odd about the names of classes."""
    said = []
    if len(labels) < FEWEST:
        said.append("all images are of one class: there is nothing to tell apart until those of another come")
    folded: dict[str, list[str]] = {}
    for label in sorted(labels):
        folded.setdefault(label.casefold(), []).append(label)
    said += [
        f"the classes {' and '.join(map(visible, names))} differ in letter case alone: rename one if they are the same"
        for names in folded.values()
        if len(names) > 1 and len(names[0]) > 1
    ]
    return said


def _unlabelled(given: Path, waiting: int, closed: Counter[str]) -> str:
    reasons = (
        f" ({', '.join(f'{number:,} {reason}' for reason, number in closed.most_common(NAMED))})" if closed else ""
    )
    table = next(filter(tables.names_images, sorted(given.glob("*.json"))[:LOOKED_AT]), None)
    if table:
        return f"{given}: a folder of images is not read by {table.name}: name that file, --images …/{table.name}"
    place = f"{given.name}/CLASS/" if given.is_dir() else "CLASS/"
    above = f"; or name the folder above, where {given.name} is one class of several" if given.is_dir() else ""
    return (
        f"{given}: {counted(waiting, 'image')} and none has a label{reasons}; sort them into {place}, or say what each "
        f"shows in a labels.csv (path,label) beside them{above}"
    )
