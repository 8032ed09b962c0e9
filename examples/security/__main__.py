"""Alarms from frames: a chosen class, or something that the model never saw, appears before a camera.

    python -m examples.security PROJECT FRAMES [--labelled FOLDER] [--params FILE] [--out FOLDER]

FRAMES holds images named so that they sort by time; each folder with images in it is a camera. Makes the project from
the labelled images where it is not there yet, trains where something changed, and writes for each appearance one line
to OUT/events.jsonl and its picture beside it, and a page. Where PREFECT_API_URL is set each is an event
`sightline.example.alarm` too, for triggers. Exit status 0 whether there are alarms or not.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from dataclasses import asdict
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import sightline
from examples.chain import learn, values
from examples.security.appearances import Alarm, Values, alarms
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sightline import Answer, Classifier

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
EVENT = "sightline.example.alarm"
BATCH = 32
STYLE = """
:root { color-scheme: light dark; } body { margin: 0 auto; max-width: 960px; padding: 20px 16px;
  font: 15px/1.5 system-ui, sans-serif; } ul { display: grid; gap: 16px; padding: 0; list-style: none;
  grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); } li { min-width: 0; overflow-wrap: anywhere; }
img { width: 100%; border-radius: 8px; }
"""


def main() -> None:
    """From frames to alarms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("frames", type=Path, help="a folder of frames, or of folders of them, one for each camera")
    parser.add_argument("--labelled", type=Path, help="labelled images, as `sightline init --images` takes them")
    parser.add_argument("--params", type=Path, default=Path(__file__).with_name("params.yaml"))
    parser.add_argument("--out", type=Path, default=Path("alarms"))
    words = parser.parse_args()
    asked = values(words.params, Values)
    frames = sorted(path for path in words.frames.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not frames:
        raise SystemExit(f"{words.frames} holds no frames: {', '.join(sorted(SUFFIXES))}")
    learn(words.project, words.labelled, asked.run)
    try:
        model = sightline.champion(words.project)
    except SightlineError as error:
        raise SystemExit(str(error)) from None
    missing = sorted(set(asked.classes) - set(model.classes))
    if missing:
        raise SystemExit(
            f"{words.params}: the model knows no {', '.join(missing)}; it knows {', '.join(model.classes)}"
        )
    words.out.mkdir(parents=True, exist_ok=True)
    told: list[dict[str, object]] = []
    blind: list[Path] = []
    with (words.out / "events.jsonl").open("w", encoding="utf-8") as events:
        for folder, of in groupby(frames, key=lambda path: path.parent):
            camera = folder.relative_to(words.frames.parent if folder == words.frames else words.frames).as_posix()
            answered = noted(answers(model, list(of)), blind)
            for alarm in alarms(camera, answered, model.classes, asked):
                told.append(tell(alarm, words.out, len(told) + 1))
                events.write(json.dumps(told[-1], ensure_ascii=False) + "\n")
                events.flush()
                print(f"{camera}: {alarm.what}, first seen in {alarm.first.name}")
    if blind and asked.foreign:
        print(f"version {model.version} cannot tell what is foreign: more labelled images are needed for that")
    (words.out / "index.html").write_text(page(told, words.project.absolute().name), encoding="utf-8")
    print(f"{len(told)} alarms from {len(frames)} frames: {words.out / 'index.html'}")


def answers(model: Classifier, frames: Sequence[Path]) -> Iterator[tuple[Path, Answer]]:
    """The model's answer to each frame; one that cannot be read is told and passed over."""
    for start in range(0, len(frames), BATCH):
        part = frames[start : start + BATCH]
        try:
            yield from zip(part, model.predict(part), strict=True)
        except (SightlineError, OSError):
            for frame in part:
                try:
                    yield frame, model.predict(frame)[0]
                except (SightlineError, OSError) as error:
                    print(f"{frame} is passed over: {error}")


def noted(answered: Iterator[tuple[Path, Answer]], blind: list[Path]) -> Iterator[tuple[Path, Answer]]:
    """The same; frames of which the model cannot tell whether they are foreign join `blind`."""
    for frame, answer in answered:
        if answer.foreign is None:
            blind.append(frame)
        yield frame, answer


def tell(alarm: Alarm, out: Path, number: int) -> dict[str, object]:
    """Keep the picture, and tell whoever listens; the event."""
    picture = out / f"{number:04d}{alarm.frame.suffix.lower()}"
    shutil.copyfile(alarm.frame, picture)
    said: dict[str, object] = {key: str(value) for key, value in asdict(alarm).items()}
    event = said | {"sureness": round(alarm.sureness, 4), "picture": picture.name}
    if "PREFECT_API_URL" in os.environ:
        from prefect.events import emit_event
        from prefect.events.worker import EventsWorker

        emit_event(event=EVENT, resource={"prefect.resource.id": f"sightline.camera.{alarm.camera}"}, payload=event)
        # Sent by a thread, which the end of this program would not wait for.
        EventsWorker.instance().wait_until_empty()
    return event


def page(told: Sequence[dict[str, object]], name: str) -> str:
    """The alarms with their pictures."""
    shown = "".join(
        f'<li><img src="{escape(str(one["picture"]))}" alt=""><b>{escape(str(one["what"]))}</b> '
        f"{one['sureness']}<br>{escape(str(one['camera']))}, {escape(Path(str(one['first'])).name)}</li>"
        for one in told
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(name)}: alarms</title><style>{STYLE}</style></head>"
        f"<body><h1>{escape(name)}: {len(told)} alarms</h1><ul>{shown}</ul></body></html>\n"
    )


if __name__ == "__main__":
    main()
