"""Disease per plot and date, from photographs whose paths say where and when they were taken.

    python -m examples.field PROJECT PHOTOS [--labelled FOLDER] [--params FILE] [--out PAGE]

Makes the project from the labelled images where it is not there yet, trains where something changed, answers every
photograph, and writes a page: the share of each disease for each plot and day with its interval, and which rise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.chain import learn, scored, values
from examples.field.page import Shown, page, sentences
from examples.field.trends import Values, days, trends


def main() -> None:
    """From photographs to the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("photos", type=Path, help="a folder of photographs, such as PHOTOS/north/2026-06-01_07.jpg")
    parser.add_argument("--labelled", type=Path, help="labelled photographs, as `sightline init --images` takes them")
    parser.add_argument("--params", type=Path, default=Path(__file__).with_name("params.yaml"))
    parser.add_argument("--out", type=Path, default=Path("field.html"))
    words = parser.parse_args()
    asked, photos = values(words.params, Values), words.photos.absolute()
    learn(words.project, words.labelled, asked.run)
    plots, strange = days(scored(words.project, photos, "field"), photos, asked)
    if not plots:
        raise SystemExit(f"no photograph in {photos} is named as {asked.names}, in {words.params}")
    shown = Shown(plots, trends(plots, asked.least), strange, asked.least)
    words.out.write_text(page(shown, f"{words.project.absolute().name}: disease per plot and date"), encoding="utf-8")
    print("\n".join([*sentences(shown), f"page: {words.out}"]))


if __name__ == "__main__":
    main()
