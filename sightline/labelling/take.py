"""Answers of people about captured images: into the data set, the verdict on accuracy, and the next test release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from sightline.data import manifest
from sightline.data.labels import change, exchange
from sightline.data.versions import archive
from sightline.errors import DataError
from sightline.evaluate import fixed, release
from sightline.heads.labels import LABELS
from sightline.labelling import adding, drawn, pictures, sheet
from sightline.labelling.drawn import Drawn
from sightline.monitor import audit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from sightline.heads.labels import Labels
    from sightline.labelling.sheet import Answer
    from sightline.project import Paths

ABOUT = timedelta(days=1)
"""Within it lies a time that a spreadsheet cut to minutes, or wrote in another zone."""


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
    said: tuple[str, ...] = ()
    """What else a person should know of the answers."""


def take(paths: Paths, table: Path) -> Taken:
    """Take the answers of `table`: a page's download, an export of Label Studio, or another tool's boxes.

    Raises DataError naming every bad line; then, and where the version cannot be made, nothing has changed.
    """
    task = LABELS[paths.params.task_of("target")]
    rows = manifest.read(paths.manifest("target"))
    held = set(rows["sha256"])
    given = drawn.read(paths, table) if task.are_boxes else _labelled(paths, table, task, rows)
    answers = given.answers
    if not answers:
        raise DataError(
            f"{table} holds no answer: nobody labelled an image, or all were skipped. Label on the page before its "
            "download, submit the annotations in Label Studio before the export, or fill in lines of the table"
        )
    whole = {
        one.sha256: data
        for one, data in zip(answers, given.pictures, strict=True)
        if data is not None and pictures.is_whole(one.sha256, data)
    }
    labels = _labels(table, answers, task)
    fresh = {digest: data for digest, data in whole.items() if digest not in held}
    files, unable = adding.files(paths, {digest: (labels[digest], data) for digest, data in fresh.items()})
    entries = {digest: label for digest, label in labels.items() if digest in held or (digest in fresh and not unable)}
    before = fixed.names(paths)
    done = exchange.put(paths, "target", rows, entries, table.name, files)
    audited = audit.hand_in(
        paths, [audit.Label(request=one.request, place=one.place, label=one.label) for one in answers]
    )
    made, unmade = _next_release(paths) if before else (None, ())
    fresh_release = None if made in before else made
    if fresh_release and done.changed:
        change.note_release(paths, "target", fresh_release)
    missing = len(labels) - len(entries)
    return Taken(
        given=len(answers),
        changed=done.changed,
        added=len(entries.keys() - held),
        audited=len(audited),
        new_classes=done.new_classes,
        version=archive.current(paths, "target").digest,
        release=fresh_release,
        left_out=adding.sentence(missing, unable) if missing else "",
        said=(*given.said, *unmade),
    )


def _next_release(paths: Paths) -> tuple[str | None, tuple[str, ...]]:
    """The test release of now, made where enough images came; or why there is none, for the labels are taken."""
    try:
        return release.current(paths, paths.params.evaluate.release).name, ()
    except DataError as error:
        return None, (f"the labels are taken, but no test release has them: {error}",)


def _labelled(paths: Paths, table: Path, task: Labels, rows: pd.DataFrame) -> Drawn:
    answers = sheet.read(table, task, set(task.each(rows["label"])))
    return Drawn(tuple(answers), tuple(_kept(paths, table, answers)), ())


def _labels(table: Path, answers: Sequence[Answer], task: Labels) -> dict[str, str]:
    """Digest → label; the same image may have been answered twice, but not labelled differently."""
    found: dict[str, str] = {}
    bad = []
    for one in answers:
        said = found.setdefault(one.sha256, one.label)
        if said != one.label:
            first, second = task.shown(said), task.shown(one.label)
            bad.append(f"image {one.sha256[:8]} is {first!r} in one line and {second!r} in another")
    exchange.refuse(table, bad)
    return found


def _kept(paths: Paths, table: Path, answers: Sequence[Answer]) -> list[bytes | None]:
    """What was kept of each image. Raises DataError where there was no such answer."""
    kept, damaged = _found(paths, answers, timedelta(0))
    where = [(one.request, one.place, one.sha256) for one in answers]
    if shifted := [one for one, key in zip(answers, where, strict=True) if key not in kept]:
        more, damaged = _found(paths, shifted, ABOUT)
        kept |= more
    unknown = [
        f"image {one[2][:8]} of request {one[0]} is not among the captured answers{damaged}"
        for one in where
        if one not in kept
    ]
    exchange.refuse(table, unknown)
    return [kept[one] for one in where]


def _found(
    paths: Paths, answers: Sequence[Answer], about: timedelta
) -> tuple[dict[tuple[str, int, str], bytes | None], str]:
    """Request, place and digest → what was kept of each image, at most `about` before or after their times.

    Beside them a word about captured files that cannot be read.
    """
    requests = pa.array(sorted({one.request for one in answers}), pa.string())
    times = [datetime.fromisoformat(one.at) for one in answers]
    span = [min(times) - about, max(times) + about] if times else []
    rows, damaged = pictures.captured(paths, span, "request", requests)
    return {(row["request"], row["place"], row["sha256"]): row["picture"] for row in rows}, damaged
