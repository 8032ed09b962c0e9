"""Tar shards in the convention of WebDataset: files of one name but for the extension are one sample.

The image is the file with an extension of an image; its label is the text of `.cls` or `.txt`, or `label` in `.json`,
which may also give a `group`. A line of classes.txt names the class of that number (from 0). Shards named like a split
(train-0000.tar) give one. Images are read where they lie.
"""

from __future__ import annotations

import json
import os
import re
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sightline.data.sources import entries
from sightline.data.sources.item import SPLITS, Item, files, plain
from sightline.data.sources.label_sets import as_list, of_list
from sightline.data.tars import EndsEarly, Member, members
from sightline.errors import DataError
from sightline.images.reading import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LABELS = frozenset({".cls", ".json", ".txt"})
MAX_LABEL = 1 << 20
"""Larger files are no labels, bytes."""


def fits(folder: Path) -> bool:
    """Whether a .tar file lies at the top of `folder`, and no folder of images: beside such it is something else."""
    packed = any(path.suffix.lower() in {".tar", ".tgz"} or path.name.endswith(".tar.gz") for path in folder.iterdir())
    return packed and not any(next(files(folder, name), None) for name in entries.folders(os.fspath(folder)))


def items(folder: Path) -> Iterator[Item]:
    """The images in all shards at the top of `folder`.

    Raises DataError for compressed shards: their images cannot be read in place.
    """
    packed = [path.name for path in folder.iterdir() if path.name.endswith((".tgz", ".tar.gz"))]
    if packed:
        raise DataError(f"{folder / min(packed)}: a compressed tar cannot be read in place; gunzip it")
    names = _class_names(folder)
    for tar in sorted(folder.glob("*.tar")):
        if reason := entries.why_closed(str(tar), os.path.realpath(folder)):
            yield Item(tar.name, None, reason=reason, closed=True)
            continue
        empty = True
        for item in shard(tar, names):
            empty = False
            yield item
        if empty:
            yield Item(tar.name, None, reason="a tar file without images, or a damaged one", closed=True)


def shard(tar: Path, names: Sequence[str] = ()) -> Iterator[Item]:
    """The images of one shard, and the shard itself where it is cut; `names`: the classes that numbers stand for."""
    split = SPLITS.get(re.split(r"[-_.\d]", tar.name, maxsplit=1)[0].lower())
    seen: set[str] = set()
    cut: list[str] = []

    def whole() -> Iterator[Member]:
        try:
            yield from members(tar)
        except EndsEarly as error:
            cut.append(str(error))

    with tar.open("rb") as handle:
        # By the convention the files of a sample follow one another.
        for _, group in groupby(whole(), key=lambda member: _key(member.name)):
            sample = list(group)
            texts = {_extension(one.name): _text(handle, one) for one in sample if _extension(one.name) in LABELS}
            label, lot, several = _label(texts, names, f"{tar.name}/{sample[0].name}")
            for one in sample:
                if _extension(one.name) in SUFFIXES and one.name not in seen:
                    seen.add(one.name)
                    reason = None if label else "no label"
                    yield Item(f"{tar.name}/{one.name}", label, split, lot, reason, several=several)
    for reason in cut:
        yield Item(tar.name, None, reason=reason, closed=True)


def _key(name: str) -> str:
    """All before the first dot of the last part."""
    path = PurePosixPath(name)
    return str(path.parent / path.name.split(".", maxsplit=1)[0])


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _text(handle: Any, member: Member) -> str:
    if member.size > MAX_LABEL:
        return ""
    handle.seek(member.offset)
    return str(handle.read(member.size).decode("utf-8", "replace")).strip()


def _label(texts: dict[str, str], names: Sequence[str], where: str) -> tuple[str | None, str | None, bool]:
    """Label and group of a sample, and whether the label is the text of a set."""
    fields: Any = {}
    try:
        fields = json.loads(texts.get(".json", "{}"))
    except json.JSONDecodeError:
        return None, None, False
    fields = fields if isinstance(fields, dict) else {}
    given = as_list(texts.get(".cls") or fields.get("label", texts.get(".txt")))
    group = None if fields.get("group") is None else str(fields["group"])
    if isinstance(given, list):
        found = [_named(one, names) for one in given]
        if any(isinstance(one, dict | list) for one in given):
            return None, group, False
        return of_list(found, where), group, True
    return _named(given, names), group, False


def _named(given: Any, names: Sequence[str]) -> str | None:
    """A class by its name, or its number where there are names; None where nothing tells one."""
    if isinstance(given, dict) or given is None or given != given:  # noqa: PLR0124 — a missing number
        return None
    number = str(int(given) if isinstance(given, float) and given.is_integer() else given)
    return plain(names[int(number)] if number.isdecimal() and int(number) < len(names) else number)


def _class_names(folder: Path) -> list[str]:
    table = folder / "classes.txt"
    return table.read_text(encoding="utf-8").splitlines() if entries.is_open(folder, table) else []
