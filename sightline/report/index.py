"""The index of the pages about runs: by version and date. Each page carries what the index says of it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sightline.files import write_atomically
from sightline.report.rendering import templates

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

INDEX = "index.html"
FACTS = re.compile(r'<meta name="sightline-run" content="([^"]*)">')
HEAD = 4096
"""Letters of a page in which its facts stand."""
TONES = {"promoted": "good", "unchanged": "good", "refused": "bad", "set back": "bad"}
"""Decision → how it is coloured."""


@dataclass(frozen=True)
class Entry:
    """A page about a run or a decision."""

    file: Path
    version: str
    decision: str
    title: str
    accuracy: float | None
    """Of the version on its test release; None on a page of a decision alone."""
    at: str
    """When the page was written, ISO 8601 with the zone."""

    @property
    def when(self) -> str:
        """The same as people write it."""
        return datetime.fromisoformat(self.at).astimezone().strftime("%Y-%m-%d %H:%M")

    @property
    def tone(self) -> str:
        """How its decision is coloured."""
        return TONES.get(self.decision, "")


def facts(version: str, decision: str, title: str, accuracy: float | None) -> str:
    """What a page says of itself to the index, as JSON."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    return json.dumps({"version": version, "decision": decision, "title": title, "accuracy": accuracy, "at": now})


def entries(paths: Paths) -> list[Entry]:
    """The pages about runs and decisions, the newest first."""
    found = [_entry(file) for file in paths.reports.glob("*.html") if file.name != INDEX]
    # Each says its time by the clock of the place where it was written.
    return sorted((one for one in found if one), key=lambda one: datetime.fromisoformat(one.at), reverse=True)


def _entry(file: Path) -> Entry | None:
    with file.open(encoding="utf-8", errors="replace") as handle:
        said = FACTS.search(handle.read(HEAD))
    try:
        return Entry(file, **json.loads(html.unescape(said[1]))) if said else None
    except (ValueError, TypeError):
        return None


def write_index(paths: Paths) -> Path:
    """Write `reports/index.html`; its path."""
    runs = entries(paths)
    known = {one.file for one in runs}
    others = sorted(file.name for file in paths.reports.glob("*.html") if file not in known and file.name != INDEX)
    text = templates().get_template("index.html.j2").render(project=paths.params.project.name, runs=runs, others=others)
    write_atomically(paths.reports / INDEX, text)
    return paths.reports / INDEX
