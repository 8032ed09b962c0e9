"""Answers of people about captured images: into the data set, the verdict on accuracy, and the next test release."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data import manifest
from sightline.data.labels import exchange
from sightline.data.versions import archive
from sightline.evaluate import fixed, release
from sightline.heads.labels import LABELS
from sightline.labelling import adding, sheet
from sightline.monitor import audit
from sightline.serve.history import look
from sightline.serve.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.labelling.sheet import Answer
    from sightline.project import Paths

MOMENT = timedelta(microseconds=1)
"""The finest that captured times tell apart."""


@dataclass(frozen=True)
class Taken:
    """What came of the answers."""

    given: int
    """Answers in the file."""
    changed: int
    """Images whose label is new or another one."""
    added: int
    """Of those, images that the data set did not hold."""
    audited: int
    """Labels that count for the verdict on accuracy: of the audit sample, for the first time."""
    new_classes: tuple[str, ...]
    """Labels that no image had before: perhaps misspelt."""
    version: str
    """DVC digest of the manifest afterwards."""
    release: str | None
    """The test release, where these labels made a new one."""
    left_out: str
    """Why some images did not join the data set; empty where all did."""


def take(paths: Paths, table: Path) -> Taken:
    """Take the answers of `table`, the page's download or an export of Label Studio.

    Raises DataError naming every bad line; then, and where the version cannot be made, nothing has changed.
    """
    answers = sheet.read(table, LABELS[paths.params.task_of("target")])
    rows = manifest.read(paths.manifest("target"))
    held = set(rows["sha256"])
    pictures = _pictures(paths, table, answers)
    whole = {one.sha256: data for one, data in zip(answers, pictures, strict=True) if data and _is_whole(one, data)}
    labels = _labels(table, answers)
    fresh = {digest: data for digest, data in whole.items() if digest not in held}
    files, unable = adding.files(paths, {digest: (labels[digest], data) for digest, data in fresh.items()})
    entries = {digest: label for digest, label in labels.items() if digest in held or (digest in fresh and not unable)}
    before = fixed.names(paths)
    done = exchange.put(paths, "target", rows, entries, table.name, files)
    audited = audit.hand_in(
        paths, [audit.Label(request=one.request, place=one.place, label=one.label) for one in answers]
    )
    made = release.current(paths, paths.params.evaluate.release).name if before else None
    missing = len(labels) - len(entries)
    return Taken(
        given=len(answers),
        changed=done.changed,
        added=len(entries.keys() - held),
        audited=len(audited),
        new_classes=done.new_classes,
        version=archive.current(paths, "target").digest,
        release=None if made in before else made,
        left_out=adding.sentence(missing, unable) if missing else "",
    )


def _labels(table: Path, answers: Sequence[Answer]) -> dict[str, str]:
    """Digest → label; the same image may have been answered twice, but not labelled differently."""
    found: dict[str, str] = {}
    bad = []
    for one in answers:
        said = found.setdefault(one.sha256, one.label)
        if said != one.label:
            bad.append(f"image {one.sha256[:8]} is {said!r} in one line and {one.label!r} in another")
    exchange.refuse(table, bad)
    return found


def _pictures(paths: Paths, table: Path, answers: Sequence[Answer]) -> list[bytes | None]:
    """What was kept of each image. Raises DataError where there was no such answer."""
    if not answers:
        return []
    times = [datetime.fromisoformat(one.at) for one in answers]
    found = look(Store(paths.root, paths.params.capture.folder), min(times), max(times) + MOMENT)
    requests = pa.array(sorted({one.request for one in answers}), pa.string())
    kept: dict[tuple[str, int, str], bytes | None] = {}
    for part in found.tables(("request", "place", "sha256", "picture")):
        for row in part.filter(pc.is_in(part["request"], requests)).to_pylist():
            kept[row["request"], row["place"], row["sha256"]] = row["picture"]
    where = [(one.request, one.place, one.sha256) for one in answers]
    damaged = f" ({len(found.damaged)} files cannot be read)" if found.damaged else ""
    unknown = [
        f"image {one[2][:8]} of request {one[0]} is not among the captured answers{damaged}"
        for one in where
        if one not in kept
    ]
    exchange.refuse(table, unknown)
    return [kept[one] for one in where]


def _is_whole(one: Answer, picture: bytes) -> bool:
    """Whether the picture is the very file that was answered, not a small one."""
    return hashlib.sha256(picture).hexdigest() == one.sha256
