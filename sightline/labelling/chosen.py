"""The images that people are asked to label: the audit sample, or those whose labels would teach most."""

from __future__ import annotations

import heapq
import posixpath
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data import manifest
from sightline.errors import DataError
from sightline.heads.known import of
from sightline.heads.labels import LABELS
from sightline.labelling.pictures import is_whole
from sightline.monitor.audit import is_drawn, sample
from sightline.monitor.look import last
from sightline.registry.opening import open_ledger
from sightline.serve.history import look, read
from sightline.serve.record import as_label
from sightline.serve.store import Store
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sightline.heads.protocol import Head
    from sightline.project import Paths
    from sightline.serve.history import File, Found

AUDIT = "audit"
REASONS = {
    "disagree": "two models disagree",
    "foreign": "it is unlike the images that were learned",
    "shifted": "it is unlike the traffic before",
    "unsure": "the model was unsure",
}
"""Why an image is asked for, and the same in words: a challenger answered otherwise; it is unlike the images of
training; the monitor lists it as least like its reference; the answer was hardly likelier than another one. They take
turns."""
SPARE = 4
"""Times as many are looked at as are asked for: some have no picture, or one of their camera and minute is there."""
ANSWERED = ("request", "place", "label", "boxes", "width", "height")
COLUMNS = (*ANSWERED, "at", "probabilities", "foreign_score", "foreign", "sha256", "camera")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """An image to be labelled."""

    request: str
    place: int
    at: str
    """When it was answered, ISO 8601 in UTC."""
    sha256: str
    """Of the image file that was answered."""
    why: str
    """`audit`, or one of REASONS."""
    answer: str
    """As a label."""
    probability: float | None
    """Of the answer; None for the audit sample, whose labels nobody may be led to."""
    file: str
    """Captured file that holds it."""
    camera: str | None = None
    score: float = 0.0
    """Among those that are asked for the same reason."""
    picture: bytes | None = None
    """What was kept of the image."""


@dataclass(frozen=True)
class Choice:
    """What is asked, and what could not be."""

    images: tuple[Chosen, ...]
    left: int
    """More that could be asked."""
    bare: int
    """Those of which no picture was kept, or none that boxes can be drawn on."""
    trouble: tuple[str, ...] = ()
    """Files that could not be read, and why."""


def audit(paths: Paths, most: int) -> Choice:
    """The oldest of the audit sample that have no label yet, `most` of them."""
    waiting = [one for one in sample(paths) if one.label is None]
    asked = [
        Chosen(
            **{key: getattr(one, key) for key in ("request", "place", "at", "sha256", "answer", "file")},
            why=AUDIT,
            probability=None,
        )
        for one in waiting
    ]  # fmt: skip
    return _with_pictures(paths, asked, most, {})


def for_champion(paths: Paths, most: int) -> Choice:
    """Images of the champion's traffic whose labels would teach most, those that the monitor lists among them."""
    ledger = open_ledger(paths)
    try:
        version = ledger.champion(classifier_of(paths.params.project.name))
    finally:
        ledger.close()
    listed = [one for outcome in last(paths) for one in (*outcome.shifted, *outcome.telling)]
    shifted = {(one.request, one.place): one.score for one in listed}
    return queue(paths, most, version, shifted, paths.params.monitor.audit)


def queue(
    paths: Paths, most: int, version: str | None, shifted: Mapping[tuple[str, int], float], share: float
) -> Choice:
    """Those of `version` whose labels would teach most, `most` of them; the audit sample, a `share`, is left alone.

    `shifted`: how much an image, by request and place, stands out of the monitor's reference. Images that the data set
    holds already, and a second one of the same bytes or of the same camera and minute, are not asked for.
    """
    store = Store(paths.root, paths.params.capture.folder)
    known, head = set(manifest.read(paths.manifest("target"))["sha256"]), of(paths.params.task_of("target"))
    best: dict[str, list[Chosen]] = {why: [] for why in REASONS}
    found = look(store)
    files = [one for one in found.files if one.first and version in {None, one.about.version}]
    for day, of_day in groupby(
        sorted(files, key=lambda one: one.place.name), lambda one: posixpath.dirname(one.place.name)
    ):
        del day
        for one in _candidates(found, list(of_day), shifted, head):
            if one.sha256 not in known and not is_drawn(one.request, one.place, share):
                best[one.why].append(one)
        best = {why: heapq.nlargest(SPARE * most, ones, key=lambda one: one.score) for why, ones in best.items()}
    return _with_pictures(paths, _in_turns(best), most, found.damaged)


def _candidates(
    found: Found, files: Sequence[File], shifted: Mapping[tuple[str, int], float], head: Head
) -> Iterator[Chosen]:
    """A day's images, once for each reason to ask for them."""
    shadows = [read(found.store, one.place.name, ANSWERED) for one in files if one.about.role == "shadow"]
    others = {(row["request"], row["place"]): as_label(row) for table in shadows for row in table.to_pylist()}
    for file in files:
        if file.about.role == "shadow":
            continue
        table = read(found.store, file.place.name, COLUMNS)
        if not len(table):
            continue
        probabilities = pc.list_flatten(table["probabilities"]).to_numpy().reshape(len(table), -1)
        sure, margin = head.confidence(probabilities), head.lead(probabilities)
        rows = zip(table.drop_columns("probabilities").to_pylist(), sure, margin, strict=True)
        for row, probability, lead in rows:
            where, answer = (row["request"], row["place"]), as_label(row)
            one = Chosen(
                **{key: row[key] for key in ("request", "place", "sha256", "camera")},
                at=row["at"].isoformat(),
                why="unsure",
                answer=answer,
                probability=float(probability),
                file=file.place.name,
                score=-_lead(row, float(lead)),
            )
            yield one
            if where in shifted:
                yield replace(one, why="shifted", score=shifted[where])
            if row["foreign"]:
                yield replace(one, why="foreign", score=row["foreign_score"])
            other = others.get(where, answer)
            if other != answer and (apart := 1 - head.agreement(answer, other)) > 0:
                yield replace(one, why="disagree", score=apart * float(probability))


def _lead(row: Mapping[str, Any], lead: float) -> float:
    """That of the answer; where it has boxes, of each class's surest one, that of the least sure one."""
    each: list[float] = [abs(2 * box["probability"] - 1) for box in row["boxes"] or ()]
    return min([lead, *each])


def _in_turns(best: Mapping[str, Sequence[Chosen]]) -> list[Chosen]:
    """The best of each reason, in turns; of one camera and minute, and of the same bytes, only the first."""
    lines = [iter(best[why]) for why in REASONS]
    chosen: list[Chosen] = []
    seen: set[object] = set()
    while lines:
        for line in list(lines):
            one = next((one for one in line if not _marks(one) & seen), None)
            if one is None:
                lines.remove(line)
            else:
                seen |= _marks(one)
                chosen.append(one)
    return chosen


def _marks(one: Chosen) -> set[object]:
    return {one.sha256, *([(one.camera, one.at[:16])] if one.camera else [])}


def _with_pictures(paths: Paths, wanted: Sequence[Chosen], most: int, damaged: Mapping[str, str]) -> Choice:
    """The first `most` of which a picture was kept, in their order."""
    store = Store(paths.root, paths.params.capture.folder)
    boxed = LABELS[paths.params.task_of("target")].are_boxes
    trouble, shown = dict(damaged), []
    looked = wanted[: SPARE * most]
    for name in sorted({one.file for one in looked}):
        of_file = [one for one in looked if one.file == name]
        try:
            pictures = _pictures(store, name, {one.request for one in of_file})
        except DataError as error:
            trouble[name] = str(error)
        else:
            shown += [replace(one, picture=pictures.get((one.request, one.place))) for one in of_file]
    place = {(one.request, one.place): number for number, one in enumerate(looked)}
    having = [one for one in shown if (is_whole(one.sha256, one.picture) if boxed else one.picture is not None)]
    bare, other = len(shown) - len(having), len(wanted) - len(looked)
    having.sort(key=lambda one: place[one.request, one.place])
    if boxed:
        # Nobody draws the same boxes twice: each picture is asked for once at a time.
        having = list({one.sha256: one for one in reversed(having)}.values())[::-1]
    told = tuple(f"{name} cannot be read, and counts nowhere: {why}" for name, why in trouble.items())
    return Choice(tuple(having[:most]), other + max(0, len(having) - most), bare, told)


def _pictures(store: Store, name: str, requests: Collection[str]) -> dict[tuple[str, int], bytes]:
    table = read(store, name, ("request", "place", "picture"))
    table = table.filter(pc.is_in(table["request"], pa.array(sorted(requests), pa.string())))
    rows = table.to_pylist()
    return {(row["request"], row["place"]): row["picture"] for row in rows if row["picture"] is not None}
