"""Defects with their sizes in millimetres, and which parts pass, from photographs of parts under a fixed camera.

    python -m examples.inspection PROJECT PHOTOS [--labelled FOLDER-OR-JSON] [--params FILE] [--out FOLDER]

Makes the project from images with boxes around defects where it is not there yet, trains where something changed, and
answers every photograph. OUT/index.html is the daily report, OUT/parts.csv has a row for each part and day, and the
photographs of parts that did not pass lie in OUT/pictures. Exit status 0 whether parts fail or not.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from examples.chain import learn, scored, values
from examples.inspection.page import Report, draw, page, sentences, table
from examples.inspection.parts import Values, days


def main() -> None:
    """From photographs to the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("photos", type=Path, help="a folder of photographs, such as PHOTOS/2026-06-01/A17_top.jpg")
    parser.add_argument("--labelled", type=Path, help="images with boxes, as `sightline init --images` takes them")
    parser.add_argument("--params", type=Path, default=Path(__file__).with_name("params.yaml"))
    parser.add_argument("--out", type=Path, default=Path("inspection"))
    words = parser.parse_args()
    asked, photos = values(words.params, Values), words.photos.absolute()
    learn(words.project, words.labelled, asked.run)
    answers = scored(words.project, photos, "inspection")
    if any("boxes" not in one for one in answers):
        raise SystemExit(f"{words.project} answers without boxes: make one from images with boxes around defects")
    found, strange = days(answers, photos, asked)
    if not found:
        raise SystemExit(f"no photograph in {photos} is named as {asked.names}, in {words.params}")
    pictures = draw(found, asked.allowed, photos, words.out / "pictures")
    report = Report(found, asked.allowed, strange, pictures)
    title = f"{words.project.absolute().name}: defects and parts"
    (words.out / "index.html").write_text(page(report, title), encoding="utf-8")
    table(report, words.out / "parts.csv")
    print("\n".join([*sentences(report), f"page: {words.out / 'index.html'}"]))


if __name__ == "__main__":
    main()
