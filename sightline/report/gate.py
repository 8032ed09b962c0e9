"""The gate's checks as rows for a page, the page of one decision, and what Prefect's and MLflow's pages say of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.data.duplicates.across import picture
from sightline.data.files.facts import read_bytes
from sightline.evaluate import power
from sightline.evaluate.paired import number
from sightline.files import write_atomically
from sightline.images.reading import UnreadableImage
from sightline.names import plain
from sightline.registry.blessing import COST, OVERALL, ROBUSTNESS
from sightline.report.about import facts
from sightline.report.index import write_index
from sightline.report.page import CheckRow
from sightline.report.rendering import templates
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sightline.project import Paths
    from sightline.registry.blessing import Blessing
    from sightline.registry.differences import Difference
    from sightline.registry.outcome import Outcome

SIDE = 160
"""Longest side of a picture, pixels."""
BESIDE = (
    ("right answers", OVERALL, "accuracy", "champion_accuracy", "{:.1%}"),
    ("right when corrupted", ROBUSTNESS, "candidate", "champion", "{:.1%}"),
    ("an answer takes (ms)", COST, "candidate.p50_ms", "champion.p50_ms", "{:.1f}"),
    ("memory (MB)", COST, "candidate.memory_mb", "champion.memory_mb", "{:.0f}"),
)
"""Rows of candidate beside champion: name, check, where its figures have the two, and how they are written."""


def check_rows(outcome: Outcome) -> tuple[CheckRow, ...]:
    """A row for each check, in their order; none where the gate had nothing to decide."""
    aside = outcome.request.override if outcome.request else ()
    return tuple(_row(one, aside) for one in outcome.blessings)


def beside(outcome: Outcome) -> list[tuple[str, str, str]]:
    """What was measured, of the candidate and of the champion; none where there is nothing to compare with."""
    figures = {one.name: one.figures for one in outcome.blessings}
    rows = []
    for name, check, candidate, champion, form in BESIDE:
        own, other = (_value(figures.get(check, {}), place) for place in (candidate, champion))
        if own is not None and other is not None:
            rows.append((figures[check].get("measure", name), form.format(own), form.format(other)))
    return rows


def markdown(outcome: Outcome) -> str:
    """The decision, its checks, and candidate beside champion, for the pages of Prefect and MLflow."""
    lines = [f"# Version {outcome.version}: {outcome.decision}", "", outcome.words, ""]
    if outcome.blessings:
        lines += ["| check | verdict | what it found |", "|---|---|---|"]
        lines += [f"| {one.name} | {one.verdict} | {_cell(one.sentence)} |" for one in outcome.blessings]
    if rows := beside(outcome):
        lines += ["", "| | candidate | champion |", "|---|---|---|"]
        lines += [f"| {name} | {own} | {other} |" for name, own, other in rows]
    return "\n".join([*lines, "", *(f"- {one}" for one in outcome.messages)]).rstrip() + "\n"


def write_gate_report(paths: Paths, outcome: Outcome, name: str) -> Path:
    """Write the page about a decision below `reports/` as NAME.html; its path."""
    asked, judged = outcome.request, outcome.judgement
    words = f"Asked by {asked.actor}, rule {asked.rule}: {asked.reason}" if asked else ""
    differ = judged.differences if judged else ()
    title = f"{paths.params.project.name}: version {outcome.version} is {outcome.decision}"
    html = (
        templates()
        .get_template("gate.html.j2")
        .render(
            title=title,
            facts=facts(outcome.version, outcome.decision, title, None),
            sentence=outcome.words,
            messages=outcome.messages,
            asked=words,
            rows=check_rows(outcome),
            beside=beside(outcome),
            odds=odds(outcome) if differ else (),
            gained=[(one, _picture(paths, one)) for one in differ if one.gained],
            lost=[(one, _picture(paths, one)) for one in differ if not one.gained],
        )
    )
    path = paths.reports / f"{plain(name)}.html"
    write_atomically(path, html)
    write_index(paths)
    return path


def odds(outcome: Outcome) -> tuple[str, ...]:
    """What the differences say, and what this many images can and cannot show, in sentences; none where none counted.

    The odds follow from the gained and lost images where every share of gains was as likely before (Beta posterior).
    """
    from scipy.stats import beta

    figures = next((one.figures for one in outcome.blessings if one.name == OVERALL), {})
    if "gained" not in figures:
        return ()
    gained, lost, images = figures["gained"], figures["lost"], figures["images"]
    chance = float(beta.sf(0.5, gained + 1, lost + 1))
    of = counted(images, "test image")
    told = [f"Of {of} the candidate gains {number(gained)} and loses {number(lost)}: {_odds(chance)}."]
    if "level" in figures:
        told.append(f"{power.sentence(images, (gained + lost) / images, figures['level'])}.")
    return tuple(one[0].upper() + one[1:] for one in told)


def _odds(chance: float) -> str:
    """A chance in words: whichever is likelier, by how much."""
    likelier, word = max((chance, "better"), (1 - chance, "worse"))
    against = likelier / max(1 - likelier, 1e-4)
    return f"the odds that it is {word} are {against:.3g} to 1" if against >= 1.05 else "the odds are even"  # noqa: PLR2004


def _picture(paths: Paths, one: Difference) -> bytes | None:
    """None where the file can no longer be read."""
    try:
        return picture(read_bytes(paths.raw("target"), one.path), SIDE)
    except (OSError, UnreadableImage):
        return None


def _value(figures: Mapping[str, Any], place: str) -> float | None:
    """The number at a dotted place; of numbers by name their mean."""
    found: Any = figures
    for key in place.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, dict):
        return float(sum(found.values()) / len(found))
    return None if found is None else float(found)


def _cell(text: str) -> str:
    """Text that no table breaks at."""
    return text.replace("|", "\\|").replace("\n", " ")


def _row(one: Blessing, aside: Sequence[str]) -> CheckRow:
    return CheckRow(
        name=one.name,
        verdict=one.verdict,
        sentence=one.sentence,
        figures=tuple(_flat(one.figures)),
        overridden=one.name in aside and one.blocks,
        tone="bad" if one.blocks else "good" if one.verdict == "passed" else "",
    )


def _flat(figures: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested figures as dotted names with short numbers, those that are known; of a list one for each of its rows."""
    flat: list[tuple[str, str]] = []
    for key, value in figures.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            flat += [(f"{prefix}{key}", _listed(row)) for row in value]
        elif value is not None:
            flat.append((prefix + key, _short(value)))
    return flat


def _listed(row: Any) -> str:
    """`label=cat: images 20, accuracy 0.85`: a row that has a name, or another value."""
    if not isinstance(row, dict):
        return _short(row)
    figures = ", ".join(f"{key} {_short(one)}" for key, one in row.items() if key != "name" and one is not None)
    return f"{row['name']}: {figures}" if "name" in row else figures


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
