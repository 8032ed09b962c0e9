"""The page about where a version came from: one HTML file with the graph drawn inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.files import write_atomically
from sightline.lineage.trace import COMPARED
from sightline.names import plain
from sightline.report.rendering import templates
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths

WIDTH, HEIGHT, GAP_X, GAP_Y, EDGE = 186, 84, 46, 42, 8
"""Of a box and of the space between boxes, in pixels, and of the space around all."""
SHORT = 12
"""Digits of a digest in a box; the tables below show all."""
LONGEST = 24
"""Letters of a line in a box."""
UNKNOWN = "not known"
ONLY_COMPARED = "compared with only"
SECTIONS = (
    "weights",
    "run",
    "plan",
    "training",
    "backbone",
    "data",
    "code",
    "git",
    "prefect",
    "evaluation",
    "gate",
    "ledger",
    "reproduced",
)


@dataclass(frozen=True)
class Box:
    """A node of the graph."""

    name: str
    title: str
    lines: tuple[str, ...]
    column: int
    row: int
    section: str
    """The table below that tells all of it."""

    @property
    def left(self) -> int:
        """Pixels."""
        return EDGE + self.column * (WIDTH + GAP_X)

    @property
    def top(self) -> int:
        """Pixels."""
        return EDGE + self.row * (HEIGHT + GAP_Y)

    @property
    def known(self) -> bool:
        """Whether there is anything to tell."""
        return self.lines != (UNKNOWN,)


@dataclass(frozen=True)
class Arrow:
    """An edge of the graph."""

    path: str
    """In the language of SVG."""
    loose: bool
    """Compared with only."""


ARROWS = (
    *((f"raw {use}", f"manifest {use}") for use in ("source", "target")),
    *((f"manifest {use}", f"verdict {use}") for use in ("source", "target")),
    ("verdict source", "backbone"),
    ("verdict target", "run"),
    ("backbone", "run"),
    ("commit", "plan"),
    ("plan", "run"),
    ("code", "run"),
    ("prefect", "run"),
    ("run", "weights"),
    ("weights", "evaluation"),
    ("weights", "gate"),
    ("evaluation", "gate"),
    ("gate", "ledger"),
    ("weights", "reproduced"),
)


def write_lineage(paths: Paths, found: Mapping[str, Any], place: Path | None = None) -> Path:
    """Write what `sightline.lineage.trace` found as a page at `place`, by default below `reports/`; its path."""
    place = place or paths.reports / f"lineage-{plain(found['model'])}-{plain(found['version'])}.html"
    drawn = boxes(found)
    html = (
        templates()
        .get_template("lineage.html.j2")
        .render(
            found=found,
            boxes=list(drawn.values()),
            arrows=arrows(drawn),
            width=2 * EDGE + 6 * WIDTH + 5 * GAP_X,
            height=2 * EDGE + 4 * HEIGHT + 3 * GAP_Y,
            box=(WIDTH, HEIGHT),
            sections=[(name, found[name]) for name in SECTIONS if found[name]],
        )
    )
    write_atomically(place, html)
    return place


def boxes(found: Mapping[str, Any]) -> dict[str, Box]:
    """The nodes, by name: from the images on the left to the decision on the right."""
    drawn = [box for row, use in enumerate(("source", "target")) for box in _data(found["data"].get(use), use, row)]
    one = _reader(found)
    commit, patch = one("git", "commit"), (found["git"] or {}).get("patch")
    stages = " → ".join(stage["stage"] for stage in found["training"])
    drawn += [
        _box("commit", "Project commit", (commit, patch and f"+ patch {_short(patch['sha256'])}"), 1, 2, "git"),
        _box("plan", "Plan", (one("plan", "digest"), *_plan(found["plan"])), 2, 2, "plan"),
        _box("code", "Code digest", (one("code", "digest"), one("code", "training")), 2, 3, "code"),
        _box("run", "MLflow run", (one("run", "name"), one("run", "id"), stages), 3, 1, "run"),
        _box("prefect", "Prefect flow run", (one("prefect", "flow"), one("prefect", "flow_run")), 3, 2, "prefect"),
        _box(
            "weights",
            f"{found['model']} {found['version']}",
            (one("weights", "sha256"), _aliases(found)),
            4,
            1,
            "weights",
        ),
        _box("evaluation", "Evaluation", (one("evaluation", "digest"), _release(found)), 4, 0, "evaluation"),
        _box("gate", "Gate", (one("gate", "decision"), one("gate", "sentence")), 5, 1, "gate"),
        _box("ledger", "Ledger", _rows(found["ledger"]), 5, 2, "ledger"),
    ]
    if found["backbone"]:
        backbone = found["backbone"]
        version = backbone["version"] and f"version {backbone['version']}"
        last = ONLY_COMPARED if backbone["part"] == COMPARED else _short(backbone["weights"])
        lines = (version, backbone["network"], last)
        drawn.append(_box("backbone", "Backbone", lines, 3, 0, "backbone"))
    if found["reproduced"]:
        again = found["reproduced"]
        drawn.append(
            _box("reproduced", "Trained again", (again["verdict"], _minute(again.get("at", ""))), 4, 2, "reproduced")
        )
    return {box.name: box for box in drawn}


def arrows(drawn: Mapping[str, Box]) -> list[Arrow]:
    """The edges between those nodes that are there; from a backbone that was compared with only, a loose one."""
    found = []
    for start, end in ARROWS:
        if start in drawn and end in drawn:
            loose = start == "backbone" and ONLY_COMPARED in drawn[start].lines
            found.append(Arrow(_curve(drawn[start], drawn[end]), loose))
    return found


def _curve(start: Box, end: Box) -> str:
    if start.column == end.column:
        x = start.left + WIDTH // 2
        upwards = start.top > end.top
        return (
            f"M{x} {start.top if upwards else start.top + HEIGHT} V{end.top + HEIGHT + 5 if upwards else end.top - 5}"
        )
    x, to = start.left + WIDTH, end.left - 5
    y, at = start.top + HEIGHT // 2, end.top + HEIGHT // 2
    middle = (x + to) // 2
    return f"M{x} {y} C{middle} {y} {middle} {at} {to} {at}"


def _data(data: Mapping[str, Any] | None, use: str, row: int) -> list[Box]:
    if data is None:
        return []
    manifest, verdict = data["manifest"] or {}, data["validation"] or {}
    counted = f"{manifest['usable']:,} of {manifest['images']:,} images" if manifest else None
    said = (
        f"{'passed' if verdict['passed'] else 'failed'}, {verdict['executed']} of {verdict['declared']}"
        if verdict
        else None
    )
    return [
        _box(f"raw {use}", f"Images, {use}", (_short(data["raw"]) or "outside of DVC",), 0, row, "data"),
        _box(f"manifest {use}", f"Manifest, {use}", (_short(data["version"]), counted), 1, row, "data"),
        _box(f"verdict {use}", "Great Expectations", (_short(verdict.get("digest")), said), 2, row, "data"),
    ]


def _box(name: str, title: str, lines: tuple[str | None, ...], column: int, row: int, section: str) -> Box:
    shown = tuple(_cut(line) for line in lines if line)
    return Box(name, _cut(title), shown[:3] or (UNKNOWN,), column, row, section)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _reader(found: Mapping[str, Any]) -> Any:
    """A function that gives one value of a section, shortened where it is a digest."""

    def one(section: str, key: str) -> str | None:
        value = (found[section] or {}).get(key)
        return _short(value) if key in {"sha256", "commit", "id", "digest", "training", "flow_run"} else value

    return one


def _plan(plan: Mapping[str, Any] | None) -> tuple[str | None, ...]:
    if plan is None:
        return ()
    given = len(plan["overrides"])
    return (f"seed {plan['params']['project']['seed']}", f"{given} given by --set" if given else None)


def _aliases(found: Mapping[str, Any]) -> str | None:
    return ", ".join(f"@{alias}" for alias in found["aliases"]) or None


def _release(found: Mapping[str, Any]) -> str | None:
    release = (found["evaluation"] or {}).get("release")
    return f"release {_short(release)}" if release else None


def _rows(rows: list[Mapping[str, Any]]) -> tuple[str | None, ...]:
    if not rows:
        return ("no row yet",)
    last = rows[-1]
    return (counted(len(rows), "row"), f"{last['decision']} by {last['actor']}", _minute(last["at"]))


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def _short(digest: str | None) -> str | None:
    return digest and digest[:SHORT]
