"""What answering left behind: forms of versions, captured answers, and what the monitor holds them against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.errors import ConfigError, Damaged
from sightline.monitor import state
from sightline.serve.history import look, read
from sightline.serve.record import COLUMNS
from sightline.serve.store import Store
from sightline.tracking import databases
from sightline.verify.finding import Finding, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

REMEDY = "there is no other copy: put it back from a backup, or move it away"
DIGEST = re.compile(r"[0-9a-f]{64}")


def findings(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Copies that are named by their digest, then the answers, of which there is one copy alone."""
    copies = {
        "serving form": ("forms", "it is gone; `sightline serve` makes another when it starts"),
        "reference": ("references", "it is gone, and comes back out of MLflow when it is needed"),
    }
    for what, (folder, gone) in copies.items():
        for place in sorted((paths.mlflow / folder).glob("*")):
            if DIGEST.fullmatch(place.stem) is None:
                continue
            trouble = None if file_digest(place) == place.stem else "it is not what its name says"

            def remove(place: Path = place, gone: str = gone) -> str:
                place.unlink()
                return gone

            yield settled(what, place.name[:12], trouble, remove, fix=fix)
    yield from _captured(paths, fix=fix)
    remembered = state.place(paths)
    if remembered.is_file():
        # The labels of the audit and the alarms that were spent are nowhere else: no fix throws them away.
        trouble = databases.damage(remembered, state.TABLE)
        said = trouble and f"{trouble}; {REMEDY}, and the watch begins anew"
        yield settled("what the monitor remembers", remembered.name, said, None, fix=fix)


def _captured(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    folder = paths.params.capture.folder
    try:
        store = Store(paths.root, folder)
        found = look(store)
    except (ConfigError, OSError) as error:
        yield settled("captured answers", folder, str(error), None, fix=fix)
        return
    troubles: dict[str, str | None] = dict(found.damaged)
    for file in found.files:
        name = file.place.name
        try:
            read(store, name, COLUMNS)
            troubles[name] = None
        except Damaged as error:
            troubles[name] = str(error)
    for name, why in sorted(troubles.items()):
        said = why and f"{why}; {REMEDY}"
        yield settled("captured answers", name, said, None, fix=fix)
