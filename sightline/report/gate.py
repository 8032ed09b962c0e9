"""The gate's checks as rows for a page, and the page of one decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.files import write_atomically
from sightline.report.page import CheckRow
from sightline.report.rendering import templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.project import Paths
    from sightline.registry.blessing import Blessing
    from sightline.registry.outcome import Outcome


def check_rows(outcome: Outcome) -> tuple[CheckRow, ...]:
    """A row for each check, in their order; none where the gate had nothing to decide."""
    aside = outcome.request.override if outcome.request else ()
    return tuple(_row(one, aside) for one in outcome.blessings)


def write_gate_report(paths: Paths, outcome: Outcome, name: str) -> Path:
    """Write the page about a decision below `reports/` as NAME.html; its path."""
    asked = outcome.request
    words = f"Asked by {asked.actor}, rule {asked.rule}: {asked.reason}" if asked else ""
    html = (
        templates()
        .get_template("gate.html.j2")
        .render(
            title=f"{paths.params.project.name}: version {outcome.version} is {outcome.decision}",
            sentence=outcome.sentence,
            messages=outcome.messages,
            asked=words,
            rows=check_rows(outcome),
        )
    )
    path = paths.reports / f"{name}.html"
    write_atomically(path, html)
    return path


def _row(one: Blessing, aside: Sequence[str]) -> CheckRow:
    overridden = one.name in aside and one.verdict != "passed"
    return CheckRow(one.name, one.verdict, one.sentence, tuple(_flat(one.figures)), overridden)


def _flat(figures: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested figures as dotted names with short numbers; a list of rows as one value for each row."""
    flat: list[tuple[str, str]] = []
    for key, value in figures.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            for row in value:
                flat.append(
                    (
                        f"{prefix}{key}",
                        ", ".join(_short(one) for one in row.values()) if isinstance(row, dict) else _short(row),
                    )
                )
        else:
            flat.append((prefix + key, _short(value)))
    return flat


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
