"""The page of trends: one file, no server, no network."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from examples.chain import interval
from examples.field.trends import diseases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from examples.field.trends import Day, Trend

COLOURS = ("#2563eb", "#c2410c", "#15803d", "#a21caf", "#b45309", "#0e7490")
LEFT, RIGHT, TOP, BOTTOM = 44, 700, 12, 180
"""Of the charts, in their own units."""
STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b2430, #e6eaf0); --quiet: light-dark(#5d6b7c, #98a5b5);
  --paper: light-dark(#fff, #161c24); --ground: light-dark(#f4f6f9, #0e1319); --rule: light-dark(#dfe4ea, #2a333f); }
body { margin: 0 auto; max-width: 960px; padding: 20px 16px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; } h2 { font-size: 17px; overflow-wrap: anywhere; }
section { background: var(--paper); border: 1px solid var(--rule); border-radius: 10px; padding: 10px 16px;
  margin: 16px 0; overflow-x: auto; }
svg { width: 100%; min-width: 520px; height: auto; }
svg text { font-size: 12px; fill: var(--quiet); } .grid { stroke: var(--rule); }
table { border-collapse: collapse; font-size: 14px; } th, td { padding: 4px 10px; text-align: left;
  border-bottom: 1px solid var(--rule); white-space: nowrap; } .quiet { color: var(--quiet); font-size: 13px; }
"""


@dataclass(frozen=True)
class Shown:
    """What the page tells."""

    plots: Mapping[str, Mapping[date, Day]]
    trends: Sequence[Trend]
    strange: Sequence[str]
    """Photographs whose names do not say where and when."""
    least: int


def sentences(shown: Shown) -> list[str]:
    """What has to be said, the surest trend first."""
    said = []
    for one in shown.trends:
        told = [(when, day) for when, day in shown.plots[one.plot].items() if day.photos >= shown.least]
        (first, before), (last, now) = told[0], told[-1]
        course = " → ".join(f"{_percent(day.ill.get(one.disease, 0) / day.photos)}" for day in (before, now))
        verb = "rises" if one.rises else "falls"
        said.append(f"{one.plot}: {one.disease} {verb}, {course} from {first} to {last} (p = {one.p:.2g})")
    if not said:
        said.append("no disease is shown to rise or to fall in any plot")
    if shown.strange:
        said.append(
            f"left out, since their names do not say plot and date: {len(shown.strange)}, {shown.strange[0]} first"
        )
    return said


def page(shown: Shown, title: str) -> str:
    """The page."""
    named = diseases(shown.plots)
    listed = "".join(f"<li>{escape(one)}</li>" for one in sentences(shown))
    plots = "".join(_plot(plot, of, named, shown.least) for plot, of in shown.plots.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1><ul>{listed}</ul>\n{plots}</body></html>\n"
    )


def _plot(plot: str, of: Mapping[date, Day], named: Sequence[str], least: int) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in named)
    rows = "".join(_row(when, day, named, least) for when, day in of.items())
    chart = _chart({when: day for when, day in of.items() if day.photos >= least}, named)
    return (
        f"<section><h2>{escape(plot)}</h2>{chart}<table><thead><tr><th>date</th><th>photographs</th>{head}"
        f"<th>unsure</th></tr></thead><tbody>{rows}</tbody></table></section>\n"
    )


def _row(when: date, day: Day, named: Sequence[str], least: int) -> str:
    cells = []
    for name in named:
        ill = day.ill.get(name, 0)
        if day.photos < least:
            cells.append(f'<td class="quiet">{ill} of {day.photos}</td>')
        else:
            low, high = interval(ill, day.photos)
            cells.append(
                f'<td>{_percent(ill / day.photos)} <span class="quiet">{100 * low:.0f} – {_percent(high)}</span></td>'
            )
    return f"<tr><td>{when}</td><td>{day.photos}</td>{''.join(cells)}<td>{day.unsure or '–'}</td></tr>"


def _chart(told: Mapping[date, Day], named: Sequence[str]) -> str:
    """A line for each disease with its intervals; nothing where fewer than two days can be told."""
    if len(told) < 2:  # noqa: PLR2004 — a line has two ends
        return '<p class="quiet">too few days with enough photographs for a line</p>'
    first, last = min(told).toordinal(), max(told).toordinal()

    def across(when: date) -> float:
        return LEFT + (RIGHT - LEFT) * (when.toordinal() - first) / (last - first)

    def down(share: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * share

    parts = [
        f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{down(share):.1f}" y2="{down(share):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{down(share) + 4:.1f}" text-anchor="end">{_percent(share)}</text>'
        for share in (0.0, 0.5, 1.0)
    ]
    ends = ((min(told), "start"), (max(told), "end"))
    parts += [f'<text x="{across(when):.1f}" y="198" text-anchor="{anchor}">{when}</text>' for when, anchor in ends]
    for number, name in enumerate(named):
        colour = COLOURS[number % len(COLOURS)]
        points = []
        for when, day in told.items():
            low, high = interval(day.ill.get(name, 0), day.photos)
            x, y = across(when), down(day.ill.get(name, 0) / day.photos)
            points.append(f"{x:.1f},{y:.1f}")
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{down(low):.1f}" y2="{down(high):.1f}" stroke="{colour}" '
                f'opacity=".35"/><circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
            )
        parts.append(f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        key = LEFT + 8 + 150 * (number % 4), 216 + 16 * (number // 4)
        parts.append(f'<text x="{key[0]}" y="{key[1]}" style="fill:{colour}">● {escape(name)}</text>')
    height = 224 + 16 * (max(0, len(named) - 1) // 4)
    return f'<svg viewBox="0 0 720 {height}" role="img" aria-label="share of photographs">{"".join(parts)}</svg>'


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
