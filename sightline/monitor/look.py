"""A look at what was captured since the last one, of the version that answers now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.digests import tree_digest
from sightline.errors import DataError, RegistryError
from sightline.evaluate import reference as references
from sightline.models.bundle import read_card
from sightline.monitor.audit import is_drawn
from sightline.monitor.outcome import Outcome
from sightline.monitor.state import State, place
from sightline.monitor.watched import Watched, moment
from sightline.monitor.window import COLUMNS, Images, times
from sightline.registry.served import served
from sightline.serve.history import look as find
from sightline.serve.history import read
from sightline.serve.record import as_label
from sightline.serve.store import Store
from sightline.tracking.runs import connect
from sightline.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.evaluate.reference import Reference
    from sightline.monitor.outcome import Alarm, Cause
    from sightline.params import Monitor, Params
    from sightline.project import Paths

WIDE = ("probabilities", "features", "statistics")
"""Columns of many numbers, of which an audit wants none."""
KEPT = 1000
"""Looks that a time line shows."""


def look(paths: Paths) -> Outcome:
    """Enter what was captured since the last look; what is found is remembered, whole or not at all.

    A monitor that is killed, or that runs beside another one, counts nothing twice. Raises RegistryError where there
    is no champion, or MLflow or the ledger do not answer.
    """
    found, params = served(paths), paths.params
    digest = tree_digest(found.bundle)
    name, reference, trouble = _reference(paths, found.version, found.bundle, digest)
    now = datetime.now(UTC)
    outcome = Outcome(at=now.isoformat(), version=found.version, digest=digest, reference=name)
    if reference is not None:
        outcome = replace(outcome, task=reference.task)
    store = Store(paths.root, params.capture.folder)
    with State(paths) as state:
        trouble += _find(state, store, params, now)
        if name is not None:
            state.compare(digest, name)
        before = state.entered(digest)
        if reference is not None and name is not None:
            watched = Watched.of(state, digest, name, reference, params.monitor)
            if any(one.digest != digest for one in state.looks(1)):
                # Another version answered meanwhile: the alarm of before is over.
                watched.acknowledge()
            trouble += _enter(state, store, watched)
            outcome = _told(state, watched, outcome)
            watched.keep(state)
        seen, dropped = state.counts(digest)
        trouble += _gaps(params, found.version, seen, dropped)
        rows = state.entered(digest) - before
        outcome = replace(outcome, seen=seen, rows_new=rows, trouble=tuple(trouble))
        state.looked(outcome)
    return outcome


def last(paths: Paths, most: int = 1) -> list[Outcome]:
    """The last looks, oldest first, of whatever version; none where nobody has looked yet."""
    if not place(paths).is_file():
        return []
    with State(paths, reading=True) as state:
        return state.looks(most)


def acknowledge(paths: Paths) -> Alarm | None:
    """End the alarm of the version that answers now, and arm the next; None where there is none.

    Raises RegistryError as `look`.
    """
    with State(paths) as state:
        watched = _present(paths, state)
        alarm = watched.acknowledge() if watched else None
        if watched is not None and alarm is not None:
            watched.keep(state)
    return alarm


def plain_tests(paths: Paths) -> Cause | None:
    """The latest images beside the reference by plain tests, each at this one time; None where there are none.

    Raises RegistryError as `look`.
    """
    with State(paths) as state:
        watched = _present(paths, state)
    return watched.tested() if watched else None


def _present(paths: Paths, state: State) -> Watched | None:
    """The version that answers now, as the last look left it; None where it has no reference."""
    found = served(paths)
    digest = tree_digest(found.bundle)
    name, reference, _ = _reference(paths, found.version, found.bundle, digest)
    if reference is None or name is None:
        return None
    return Watched.of(state, digest, name, reference, paths.params.monitor)


def _reference(paths: Paths, version: str, bundle: Path, digest: str) -> tuple[str | None, Reference | None, list[str]]:
    """Digest and reference of the version, made now where it can be; or why there is none."""
    tracker = connect(paths)
    try:
        held = references.held(tracker, version, digest)
        if held is None:
            references.keep(tracker, version, bundle)
            held = references.held(tracker, version, digest)
    except (DataError, RegistryError, OSError) as error:
        said = f"version {version} has no reference, so that its traffic is compared with nothing: {error}"
        return None, None, [said]
    if held is None:
        return None, None, []
    name, reference = held
    limits = (read_card(bundle).decoding or {}).get("thresholds")
    return name, replace(reference, thresholds=None if limits is None else np.array(limits)), []


def _find(state: State, store: Store, params: Params, now: datetime) -> list[str]:
    """Take note of the captured files that came, and forget those that are gone; what cannot be read."""
    known = state.known()
    found = find(store, known=known)
    state.note(found.files)
    oldest = now - timedelta(days=params.capture.days)
    there = {place.name for day in store.days() for place in store.files(day)}
    gone = [name for name in known - there if name < f"date={oldest.date()}"]
    state.forget(gone, oldest.date().isoformat(), _interval(oldest.timestamp(), params.monitor))
    return [*_vanished(store, known.difference(gone), there), *(_unread(*one) for one in found.damaged.items())]


def _vanished(store: Store, kept: set[str], there: set[str]) -> list[str]:
    """That none of the captured files that were seen before, and are still kept, is there: no answer can be seen."""
    if not kept or kept & there:
        return []
    said = f"of {counted(len(kept), 'captured file')} that the monitor has seen none is in {store.shown} any more"
    remedy = "mount it again, or set capture.folder to where `sightline serve` records"
    return [f"{said}, and what came since may be unseen: {remedy}"]


def _unread(name: str, why: str) -> str:
    return f"{name} cannot be read, and what it holds is not seen: {why}"


def _enter(state: State, store: Store, watched: Watched) -> list[str]:
    """Enter the files that are new, each whole or not at all; those that could not be read."""
    trouble = []
    for name in state.new(watched.digest):
        try:
            images = Images.of(read(store, name, COLUMNS), watched.reference.known)
            watched.check(images)
        except (DataError, ValueError, OSError) as error:
            trouble.append(_unread(name, str(error).removeprefix(f"{name}: ")))
            continue
        _draw(state, images.table, name, watched.asked.audit)
        chosen = _chosen(state, images.table, watched)
        if chosen:
            watched.enter(images.take(chosen), name)
        state.done(name)
    return trouble


def _chosen(state: State, table: pa.Table, watched: Watched) -> list[int]:
    """Rows that enter the bet: the first image of each camera in each interval.

    Where callers name no camera, the first image of each request: a burst of requests cannot be told from traffic.
    """
    places, seconds = table["place"].to_pylist(), watched.asked.interval
    sites, cameras = (pc.fill_null(table[name], "").to_pylist() for name in ("site", "camera"))
    origins = [f"{site}/{camera}" if site or camera else "" for site, camera in zip(sites, cameras, strict=True)]
    if not seconds:
        return list(range(len(table)))
    keys: dict[tuple[str, int], int] = {}
    unnamed = []
    for row, (origin, at) in enumerate(zip(origins, times(table).tolist(), strict=True)):
        if origin:
            keys.setdefault((origin, _interval(at / 1e6, watched.asked)), row)
        elif places[row] == 0:
            unnamed.append(row)
    first = state.first_of(watched.digest, keys)
    return sorted([*unnamed, *(row for row, new in zip(keys.values(), first, strict=True) if new)])


def _interval(seconds: float, asked: Monitor) -> int:
    return int(seconds // asked.interval) if asked.interval else 0


def _draw(state: State, table: pa.Table, name: str, share: float) -> None:
    """Add the images of a file that belong to the audit sample to it."""
    requests, places = table["request"].to_pylist(), table["place"].to_pylist()
    rows = [row for row, one in enumerate(zip(requests, places, strict=True)) if is_drawn(*one, share)]
    part = table.take(pa.array(rows, pa.int64()))
    at = [moment(one) for one in times(part).tolist()]
    state.draw(
        (row["request"], row["place"], when, row["version"], row["digest"], as_label(row), row["sha256"], name)
        for when, row in zip(at, part.drop_columns(WIDE).to_pylist(), strict=True)
    )


def _told(state: State, watched: Watched, outcome: Outcome) -> Outcome:
    """What the bet, the window and the labels say now."""
    share = watched.asked.audit
    audited = {(row["request"], row["place"]) for row in state.audit()}
    return replace(
        outcome,
        entered=watched.bet.entered,
        wealth=watched.wealth,
        threshold=watched.threshold,
        alarm=watched.alarm,
        cause=watched.cause(),
        estimate=watched.estimate(),
        harm=watched.harm(state),
        shifted=watched.shifted(),
        telling=watched.telling(
            lambda request, place: (request, place) not in audited and not is_drawn(request, place, share)
        ),
    )


def _gaps(params: Params, version: str, seen: int, dropped: int) -> list[str]:
    """What was never captured."""
    said = []
    if params.capture.keep == "none":
        said.append("nothing is recorded: capture.keep is none in params.yaml")
    elif not seen:
        said.append(
            f"no answer of version {version} was recorded in {params.capture.folder} yet: `sightline serve` records "
            "them there, a minute after they were given"
        )
    if dropped:
        said.append(f"{dropped:,} answers of version {version} were not recorded: more came than could be written")
    return said
