"""What the monitor found, in sentences for people, and as a page with its time line."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.heads.known import of
from sightline.monitor.look import last
from sightline.report.axis import Axis, axis, time_axis
from sightline.report.rendering import templates
from sightline.serve.history import read
from sightline.serve.store import Store
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.heads.protocol import Head
    from sightline.monitor.outcome import Cause, Harm, Moved, Outcome, Seen
    from sightline.project import Paths

LOOKS = 1000
"""On the time line."""
KINDS = {
    "prevalence": "the classes come in other shares than in the reference; their images look as they did",
    "covariate": "the images look otherwise than in the reference",
    "both": "the images look otherwise than in the reference, and the classes come in other shares",
    None: "plain tests of the latest images show no difference",
}
SHOWN = 5
"""Names in a sentence."""


def sentences(outcome: Outcome) -> list[str]:
    """What was found, the worst first."""
    return [*outcome.trouble, *_harm(outcome), *_shift(outcome), *_guess(outcome)]


def markdown(outcome: Outcome) -> str:
    """The same for Prefect's page."""
    head = f"# Version {outcome.version}: {'calm' if outcome.is_calm else 'look at it'}"
    return "\n".join([head, "", *(f"- {one}" for one in sentences(outcome))]) + "\n"


def _harm(outcome: Outcome) -> list[str]:
    harm = outcome.harm
    if harm is None:
        return []
    return [_verdict(of(outcome.task), harm), *_asked(outcome.version, harm)]


def _verdict(head: Head, harm: Harm) -> str:
    if not harm.labels:
        drawn = f"of {counted(harm.drawn, 'image')} of the audit sample none is labelled"
        why = drawn if harm.drawn else "no image was drawn for the audit sample yet"
        return f"nothing can be said of {head.figure}: {why}"
    labels, wrong = harm.telling
    so_far = head.audited(wrong, labels, harm.bound)
    if not harm.harmed:
        return f"no fall of {head.figure} is shown: {so_far} (evidence {harm.e_value:.3g} of {harm.threshold:g})"
    by = f"shown by the image of {harm.since}"
    if harm.fall_labels:
        by += f" and those before it since about the fall; of {counted(harm.labels, 'label')} in all"
    return f"{head.figure} fell: {so_far} (evidence {harm.e_value:,.3g}, {by})"


def _asked(version: str, harm: Harm) -> list[str]:
    """That monitor.harm_margin was changed, and does not count yet."""
    if harm.asked is None:
        return []
    stays = f"for version {version} it stays {harm.bound:.1%}, as when its watch began"
    why = "a margin chosen after the labels would prove nothing"
    return [f"monitor.harm_margin of now would allow an error of {harm.asked:.1%}; {stays}: {why}"]


def _shift(outcome: Outcome) -> list[str]:
    if outcome.reference is None:
        return []
    if outcome.alarm is None:
        bet = f"a bet against it stands at {outcome.wealth:.3g} of {outcome.threshold:,.0f}"
        return [f"no shift is shown: {bet}, after {counted(outcome.entered, 'image')}"]
    since = f"{outcome.alarm.since[:19].replace('T', ' ')} UTC"
    said = f"the traffic has shifted, since {since} at the latest (alarm {outcome.alarm.number})"
    return [said, *(causes(outcome.cause) if outcome.cause else [])]


def causes(cause: Cause) -> list[str]:
    """What has moved in a window."""
    named = (
        ("statistics", cause.statistics),
        ("boxes", cause.boxes),
        ("classes", cause.classes),
        ("cameras", cause.cameras),
        ("sites", cause.sites),
    )
    said = [KINDS[cause.kind]]
    said += [f"{what} that moved: {_moved(moved)}" for what, moved in named if moved]
    return said


def _moved(moved: Sequence[Moved]) -> str:
    parts = [f"{one.name} ({one.before:.3g} → {one.now:.3g})" for one in moved[:SHOWN]]
    return ", ".join(parts) + (f" and {len(moved) - SHOWN} more" if len(moved) > SHOWN else "")


def _guess(outcome: Outcome) -> list[str]:
    one = outcome.estimate
    if one is None:
        return []
    where = f"guessed from the answers to the latest {one.images:,} images, {one.reference:.1%} in the reference"
    said = f"{of(outcome.task).figure} is perhaps {one.low:.1%} to {one.high:.1%}"
    return [f"{said} ({where}): no verdict, labels alone give one"]


@dataclass(frozen=True)
class Line:
    """The course of the bet, or of the guess, over the looks."""

    x: Axis
    y: Axis
    points: Sequence[tuple[float, float]]
    limit: float | None
    """Value at which there is an alarm."""
    band: Sequence[tuple[float, float, float]]
    """(x, low, high) of an interval around it."""


def write_monitor_page(paths: Paths, outcome: Outcome) -> Path:
    """Write `reports/monitor.html`; its path."""
    looks = [one for one in last(paths, LOOKS) if one.digest == outcome.digest]
    html = (
        templates()
        .get_template("monitor.html.j2")
        .render(
            title=f"{paths.params.project.name}: version {outcome.version} under watch",
            outcome=outcome,
            head=of(outcome.task),
            sentences=sentences(outcome),
            wealth=_wealth(looks),
            guessed=_guessed(looks),
            looks=looks,
            shifted=pictures(paths, outcome.shifted),
        )
    )
    path = paths.reports / "monitor.html"
    write_atomically(path, html)
    return path


def pictures(paths: Paths, images: Sequence[Seen]) -> list[tuple[Seen, bytes | None]]:
    """Each with its picture as it was captured; None where none was, or it is gone."""
    store = Store(paths.root, paths.params.capture.folder)
    found: dict[tuple[str, str, int], bytes | None] = {}
    for file in sorted({one.file for one in images}):
        try:
            rows = read(store, file, ("request", "place", "picture")).to_pylist()
        except DataError:
            continue
        found |= {(file, row["request"], row["place"]): row["picture"] for row in rows}
    return [(one, found.get((one.file, one.request, one.place))) for one in images]


def _wealth(looks: Sequence[Outcome]) -> Line | None:
    shown = [one for one in looks if one.threshold > 0]
    if not shown:
        return None
    points = [(one.entered, log10(one.wealth)) for one in shown]
    limit = log10(shown[-1].threshold)
    return Line(_over(points), axis([0.0, limit, *(y for _, y in points)], 180, 16), points, limit, [])


def _guessed(looks: Sequence[Outcome]) -> Line | None:
    shown = [(one.entered, one.estimate) for one in looks if one.estimate]
    if not shown:
        return None
    points = [(entered, one.accuracy) for entered, one in shown]
    band = [(entered, one.low, one.high) for entered, one in shown]
    y = axis([value for _, low, high in band for value in (low, high)], 180, 12)
    return Line(_over(points), y, points, shown[-1][1].reference, band)


def _over(points: Sequence[tuple[float, float]]) -> Axis:
    return time_axis([x for x, _ in points], 44, 348)
