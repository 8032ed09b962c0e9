"""Answers recorded for tests, as a server records them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from answering import version
from conftest import COLOURS, draw

from sightline.monitor.audit import is_drawn
from sightline.monitor.state import State
from sightline.serve.batcher import Answered
from sightline.serve.capture import Capture, Origin
from sightline.serve.history import look
from sightline.serve.record import as_label
from sightline.serve.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths
    from sightline.serve.batcher import Version
    from sightline.serve.record import Role

COLUMNS = ("request", "place", "at", "label", "sha256", "boxes", "width", "height")
FIRST = 500_000
"""Seeds of images that no data set holds."""


def picture(number: int) -> bytes:
    """A toy that a data set of toys does not hold; its true class goes by `number`."""
    out = BytesIO()
    draw(FIRST + number, list(COLOURS.values())[number % 3]).save(out, "PNG")
    return out.getvalue()


def truth(number: int) -> str:
    """Its class."""
    return list(COLOURS)[number % 3]


def record(paths: Paths, count: int, *, role: Role = "champion", seed: int = 0, first: int = 0) -> None:
    """Answers of a random network to so many toys, request by request: image `number` in the request of that name."""
    note(paths, version("1", seed), [picture(number) for number in range(first, first + count)], role, first)


def note(paths: Paths, one: Version, files: Sequence[bytes], role: Role = "champion", first: int = 0) -> None:
    """Answers of the version to these files, a request each, named by numbers."""
    policy = paths.params.capture
    answers, described = one.predictor.described(files, np.stack([one.predictor.decode(data) for data in files]))
    capture = Capture(Store(paths.root, policy.folder), policy)
    for number, (answer, numbers, data) in enumerate(zip(answers, described, files, strict=True), start=first):
        capture.note(Origin(f"{number}", 0), Answered(answer, one, numbers), data, role)
    capture.close()


def draw_audit(paths: Paths) -> list[str]:
    """Draw the audit sample of what is recorded, as a look of the monitor does; its requests."""
    found, drawn = look(Store(paths.root, paths.params.capture.folder)), []
    rows = [(one, row) for one in found.files for row in _rows(found.store, one.place.name)]
    for file, row in rows:
        if file.about.role == "champion" and is_drawn(row["request"], row["place"], paths.params.monitor.audit):
            about = (row["at"].isoformat(), file.about.version, file.about.digest, as_label(row), row["sha256"])
            drawn.append((row["request"], row["place"], *about, file.place.name))
    with State(paths) as state:
        state.draw(drawn)
    return [one[0] for one in drawn]


def _rows(store: Store, name: str) -> list[dict[str, Any]]:
    from sightline.serve.history import read

    rows: list[dict[str, Any]] = read(store, name, COLUMNS).to_pylist()
    return rows
