"""The index of the pages about runs: by version and date. Each page carries what the index says of it."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sightline.duration import CLOCKS
from sightline.errors import RegistryError
from sightline.files import write_atomically
from sightline.registry.opening import open_ledger
from sightline.registry.outcome import standings
from sightline.report.about import FACTS, TONES
from sightline.report.rendering import templates
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

INDEX = "index.html"
HEAD = 4096
"""Letters of a page in which its facts stand."""


@dataclass(frozen=True)
class Entry:
    """A page about a run or a decision."""

    file: Path
    version: str
    decision: str
    """At the time of the page."""
    title: str
    accuracy: float | None
    """Of the version on its test release; None on a page of a decision alone."""
    at: str
    """When the page was written, ISO 8601 with the zone."""
    now: str = ""
    """What the ledger says that the version is now; empty where it says nothing."""

    @property
    def when(self) -> str:
        """The same as people write it."""
        return datetime.fromisoformat(self.at).astimezone().strftime("%Y-%m-%d %H:%M")

    @property
    def words(self) -> str:
        """What was decided, and what the version is now where that is something else."""
        return self.decision if self.now in {"", self.decision} else f"{self.decision}, now {self.now}"

    @property
    def tones(self) -> tuple[str, str]:
        """How the decision, and what the version is now, are coloured."""
        return TONES.get(self.decision, ""), TONES.get(self.now, "")


def entries(paths: Paths) -> list[Entry]:
    """The pages about runs and decisions, the newest first; what a clock wrote that was ahead comes last."""
    now = _standings(paths)
    found = [_entry(file, now) for file in paths.reports.glob("*.html") if file.name != INDEX]
    return sorted((one for one in found if one), key=_order, reverse=True)


def _standings(paths: Paths) -> dict[str, str]:
    """Version → what it is now; none where the ledger does not answer: the pages are there all the same."""
    try:
        ledger = open_ledger(paths)
    except (RegistryError, OSError):
        return {}
    try:
        return standings(ledger.history(classifier_of(paths.params.project.name)))
    except RegistryError:
        return {}
    finally:
        ledger.close()


def _order(one: Entry) -> tuple[bool, datetime]:
    # Each says its time by the clock of the place where it was written.
    at = datetime.fromisoformat(one.at)
    return at <= datetime.now(UTC) + CLOCKS, at


def _entry(file: Path, now: dict[str, str]) -> Entry | None:
    with file.open(encoding="utf-8", errors="replace") as handle:
        said = FACTS.search(handle.read(HEAD))
    try:
        told = json.loads(html.unescape(said[1])) if said else None
        return told and Entry(file, **told, now=now.get(told["version"], ""))
    except (ValueError, TypeError, KeyError):
        return None


def write_index(paths: Paths) -> Path:
    """Write `reports/index.html`; its path."""
    runs = entries(paths)
    known = {one.file for one in runs}
    others = sorted(file.name for file in paths.reports.glob("*.html") if file not in known and file.name != INDEX)
    text = templates().get_template("index.html.j2").render(project=paths.params.project.name, runs=runs, others=others)
    write_atomically(paths.reports / INDEX, text)
    return paths.reports / INDEX
