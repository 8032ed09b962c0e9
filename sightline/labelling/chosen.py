"""The images that people are asked to label: the audit sample, or those whose labels would teach most."""

from __future__ import annotations

import heapq
import posixpath
from dataclasses import dataclass, replace
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from sightline.data import manifest
from sightline.data.adding import place
from sightline.errors import Damaged, DataError
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
    from sightline.serve.history import File

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
    """Those of which no picture was kept, or no whole one where that is needed: by the queue, and to draw boxes."""
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
    # A small picture does for the verdict; but no edge can be drawn exactly on one.
    return _with_pictures(paths, asked, most, {}, whole=LABELS[paths.params.task_of("target")].are_boxes)


def for_champion(paths: Paths, most: int) -> Choice:
    """Images of the champion's traffic whose labels would teach most, those that the monitor lists among them.

    Raises DataError where the raw folder takes none: nothing would learn from such labels.
    """
    _, unable = place(paths, "target")
    if unable:
        raise DataError(f"labels of the queue would teach nothing: no captured image joins the data set: {unable}")
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
    holds already, of which no whole picture was kept, and a second one of the same bytes or of the same camera and
    minute, are not asked for.
    """
    store = Store(paths.root, paths.params.capture.folder)
    known, head = set(manifest.read(paths.manifest("target"))["sha256"]), of(paths.params.task_of("target"))
    audited = {(one.request, one.place) for one in sample(paths)}  # under whatever shares there were
    best: dict[str, list[Chosen]] = {why: [] for why in REASONS}
    found, bare = look(store), 0
    trouble = dict(found.damaged)
    files = [one for one in found.files if one.first and version in {None, one.about.version}]
    for _, of_day in groupby(
        sorted(files, key=lambda one: one.place.name), lambda one: posixpath.dirname(one.place.name)
    ):
        together = list(of_day)
        others = _unheard(store, [one for one in together if one.about.role == "shadow"], trouble)
        for file in together:
            if file.about.role == "shadow":
                continue
            try:
                offered = [
                    one
                    for one in _candidates(store, file, shifted, others, head)
                    if one.sha256 not in known
                    and (one.request, one.place) not in audited
                    and not is_drawn(one.request, one.place, share)
                ]
                bare += _enter(store, best, offered, SPARE * most)
            except Damaged as error:
                trouble[file.place.name] = str(error)
    return _with_pictures(paths, _in_turns(best), most, trouble, whole=True, bare=bare)


def _unheard(store: Store, shadows: Sequence[File], trouble: dict[str, str]) -> dict[tuple[str, int], str]:
    """What a challenger answered that nobody heard, by request and place; files that cannot be read are `trouble`."""
    found: dict[tuple[str, int], str] = {}
    for file in shadows:
        try:
            rows = read(store, file.place.name, ANSWERED).to_pylist()
        except Damaged as error:
            trouble[file.place.name] = str(error)
        else:
            found |= {(row["request"], row["place"]): as_label(row) for row in rows}
    return found


def _candidates(
    store: Store,
    file: File,
    shifted: Mapping[tuple[str, int], float],
    others: Mapping[tuple[str, int], str],
    head: Head,
) -> Iterator[Chosen]:
    """A file's images, once for each reason to ask for them; raises Damaged."""
    table = read(store, file.place.name, COLUMNS)
    if not len(table):
        return
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


def _enter(store: Store, best: dict[str, list[Chosen]], offered: Sequence[Chosen], room: int) -> int:
    """Put those of one file of which a whole picture was kept among the `room` best of each reason.

    How many have none: only pictures of images are looked at that would be among these. Raises Damaged.
    """
    least = {why: ones[-1].score if len(ones) == room else -inf for why, ones in best.items()}
    better = [one for one in offered if one.score > least[one.why]]
    if not better:
        return 0
    pictures = _pictures(store, better[0].file, {one.request for one in better})
    asked = {(one.request, one.place): one.sha256 for one in better}
    whole = {where for where, digest in asked.items() if is_whole(digest, pictures.get(where))}
    for why, ones in best.items():
        came = [one for one in better if one.why == why and (one.request, one.place) in whole]
        best[why] = heapq.nlargest(room, [*ones, *came], key=lambda one: one.score)
    return len(asked) - len(whole)


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


def _with_pictures(
    paths: Paths, wanted: Sequence[Chosen], most: int, trouble: dict[str, str], *, whole: bool, bare: int = 0
) -> Choice:
    """The first `most` of which a picture was kept, a `whole` one where that is asked, in their order."""
    store = Store(paths.root, paths.params.capture.folder)
    boxed = LABELS[paths.params.task_of("target")].are_boxes
    having: dict[object, Chosen] = {}
    looked = 0
    # In parts: where the first have no picture the next are looked at, without all pictures in memory at once.
    while looked < len(wanted) and len(having) < most:
        part = wanted[looked : looked + SPARE * most]
        looked += len(part)
        for one in _shown(store, part, trouble):
            if not (is_whole(one.sha256, one.picture) if whole else one.picture is not None):
                bare += 1
                continue
            # Nobody draws the same boxes twice: each picture is asked for once at a time.
            having.setdefault(one.sha256 if boxed else (one.request, one.place), one)
    told = tuple(
        f"{name} cannot be read, and counts nowhere: {why.removeprefix(f'{name}: ')}" for name, why in trouble.items()
    )
    left = len(wanted) - looked + max(0, len(having) - most)
    return Choice(tuple(having.values())[:most], left, bare, told)


def _shown(store: Store, part: Sequence[Chosen], trouble: dict[str, str]) -> list[Chosen]:
    """These with what was kept of each, in their order; without those whose files cannot be read, and are `trouble`."""
    found: dict[tuple[str, int], Chosen] = {}
    for name in sorted({one.file for one in part}):
        of_file = [one for one in part if one.file == name]
        try:
            pictures = _pictures(store, name, {one.request for one in of_file})
        except Damaged as error:
            trouble[name] = str(error)
        else:
            found |= {
                (one.request, one.place): replace(one, picture=pictures.get((one.request, one.place)))
                for one in of_file
            }
    return [found[one.request, one.place] for one in part if (one.request, one.place) in found]


def _pictures(store: Store, name: str, requests: Collection[str]) -> dict[tuple[str, int], bytes]:
    table = read(store, name, ("request", "place", "picture"))
    table = table.filter(pc.is_in(table["request"], pa.array(sorted(requests), pa.string())))
    rows = table.to_pylist()
    return {(row["request"], row["place"]): row["picture"] for row in rows if row["picture"] is not None}
