"""The daily report: one page, a table of parts, and the photographs of those that did not pass."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageOps

from examples.chain import interval
from examples.inspection.parts import FAILED, PASSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from examples.inspection.parts import Allowed, Days, Defect, Part

SIDE = 640
"""Of a picture on the page at most, pixels."""
LINE = (220, 38, 38)
STYLE = """
:root { color-scheme: light dark; --rule: light-dark(#dfe4ea, #2a333f); --bad: light-dark(#b91c1c, #f87171); }
body { margin: 0 auto; max-width: 960px; padding: 20px 16px; font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; } h2 { font-size: 17px; } section { border-top: 1px solid var(--rule); overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; } th, td { padding: 4px 10px; text-align: left;
  border-bottom: 1px solid var(--rule); } .failed { color: var(--bad); font-weight: 600; }
figure { margin: 8px 8px 8px 0; display: inline-block; } img { max-width: 300px; } figcaption { font-size: 13px; }
"""


@dataclass(frozen=True)
class Report:
    """What the page tells."""

    days: Days
    allowed: Mapping[str, Allowed]
    strange: Sequence[str]
    """Photographs whose names do not say which part and when."""
    pictures: Mapping[str, str]
    """Photograph → its picture beside the page."""


def sentences(report: Report) -> list[str]:
    """A line for each day, the latest first."""
    said = [_day(when, parts, report.allowed) for when, parts in reversed(report.days.items())]
    if report.strange:
        many = f"{len(report.strange)}, {report.strange[0]} first"
        said.append(f"left out, since their names do not say part and date: {many}")
    return said


def _day(when: date, parts: Mapping[str, Part], allowed: Mapping[str, Allowed]) -> str:
    verdicts = Counter(part.verdict(allowed) for part in parts.values())
    low, high = interval(verdicts[FAILED], len(parts))
    looked = len(parts) - verdicts[FAILED] - verdicts[PASSED]
    return (
        f"{when}: {verdicts[FAILED]} of {len(parts)} parts failed ({100 * low:.0f} to {100 * high:.0f} % with 95 % "
        f"confidence), {verdicts[PASSED]} passed, a person has to look at {looked}"
    )


def draw(report_days: Days, allowed: Mapping[str, Allowed], photos: Path, out: Path) -> dict[str, str]:
    """Write the photographs of parts that did not pass, with their defects outlined; photograph → picture's name."""
    made: dict[str, str] = {}
    out.mkdir(parents=True, exist_ok=True)
    for parts in report_days.values():
        for part in parts.values():
            if part.verdict(allowed) == PASSED:
                continue
            for photo in sorted({one.photo for one in part.defects} | set(part.unsure)):
                picture = _drawn(photos / photo, [one for one in part.defects if one.photo == photo])
                if picture is not None:
                    made[photo] = f"{out.name}/{len(made) + 1:04d}.jpg"
                    picture.save(out.parent / made[photo], quality=85)
    return made


def _drawn(file: Path, defects: Sequence[Defect]) -> Image.Image | None:
    try:
        with Image.open(file) as read:
            picture = ImageOps.exif_transpose(read).convert("RGB")
    except OSError:
        return None
    pen, width = ImageDraw.Draw(picture), max(1, max(picture.size) // 250)
    for one in defects:
        pen.rectangle(one.edges, outline=LINE, width=width)
    picture.thumbnail((SIDE, SIDE))
    return picture


def table(report: Report, file: Path) -> None:
    """Write a row for each part and day."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("date", "part", "verdict", "photographs", "defects", "longest_mm", "why"))
        for when, parts in report.days.items():
            for name, part in parts.items():
                longest = max((one.longest_mm for one in part.defects), default=0.0)
                why = "; ".join(part.faults(report.allowed))
                numbers = (len(part.photos), len(part.defects), f"{longest:.2f}")
                writer.writerow((when, name, part.verdict(report.allowed), *numbers, why))


def page(report: Report, title: str) -> str:
    """The page."""
    listed = "".join(f"<li>{escape(one)}</li>" for one in sentences(report))
    days = "".join(_section(when, parts, report) for when, parts in reversed(report.days.items()))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(title)}</h1><ul>{listed}</ul>\n{days}</body></html>\n"
    )


def _section(when: date, parts: Mapping[str, Part], report: Report) -> str:
    kinds: dict[str, list[float]] = {}
    for part in parts.values():
        for one in part.defects:
            kinds.setdefault(one.kind, []).append(one.longest_mm)
    counted = "".join(
        f"<tr><td>{escape(kind)}</td><td>{len(sizes)}</td><td>{sorted(sizes)[len(sizes) // 2]:.1f}</td>"
        f"<td>{max(sizes):.1f}</td></tr>"
        for kind, sizes in sorted(kinds.items())
    )
    head = "<tr><th>defect</th><th>seen</th><th>median mm</th><th>longest mm</th></tr>"
    shown = "".join(_part(name, part, report) for name, part in parts.items() if part.verdict(report.allowed) != PASSED)
    return f"<section><h2>{when}</h2><table>{head}{counted}</table>{shown}</section>\n"


def _part(name: str, part: Part, report: Report) -> str:
    why = part.faults(report.allowed) or ["a photograph has no sure answer"]
    verdict = part.verdict(report.allowed)
    pictures = "".join(
        f'<figure><img src="{escape(report.pictures[photo])}" alt=""><figcaption>{escape(photo)}</figcaption></figure>'
        for photo in part.photos
        if photo in report.pictures
    )
    told = escape("; ".join(why))
    return f'<p><span class="{verdict}">{escape(name)}: {verdict}</span>, {told}</p>{pictures}'
