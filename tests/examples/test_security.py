"""The security example: appearances of answers that are known, and the whole command on generated frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import browsing
import numpy as np
import pytest
from commands import example
from PIL import Image

from examples.chain import values
from examples.security.appearances import FOREIGN, Values, alarms
from sightline.heads.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASSES = ("empty", "person")
OURS = Path(__file__).parents[2] / "examples" / "security" / "params.yaml"
FEW = """run:
  project.preset: fast
  preprocess.size: 24
  pretrain.init: null
  finetune.scratch.steps: 60
  finetune.scratch.epochs: 1
classes: [person]
foreign: true
least: 0.6
confirm: 2
gap: 3
"""


def answers(shown: Sequence[float | None]) -> list[tuple[Path, Answer]]:
    """A frame for each probability of a person; None where the frame is foreign."""
    found = []
    for number, one in enumerate(shown):
        person = 0.9 if one is None else one
        label = "person" if person >= 0.5 else "empty"
        told: dict[str, Any] = {"abstain": None, "likely": None, "foreign": one is None}
        answer = Answer(
            label, max(person, 1 - person), (1 - person, person), foreign_score=3.0 if one is None else 0.1, **told
        )
        found.append((Path(f"{number:02d}.png"), answer))
    return found


def told(shown: Sequence[float | None]) -> list[tuple[str, str, str]]:
    asked = Values(run={}, classes=["person"], foreign=True, least=0.6, confirm=2, gap=2)
    found = alarms("door", answers(shown), CLASSES, asked)
    return [(one.what, one.first.stem, one.frame.stem) for one in found]


def test_one_alarm_for_each_appearance() -> None:
    """However long it stays, and where it is missed for as many frames as `gap`; after more it is a new one."""
    assert told([0.1, 0.8, 0.9, 0.7, 0.1, 0.1, 0.9, 0.9]) == [("person", "01", "02")]
    assert told([0.8, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9]) == [("person", "00", "01"), ("person", "05", "05")]


def test_single_frames_and_unsure_ones_raise_none() -> None:
    """Below `least` a frame does not count, and fewer than `confirm` are no appearance."""
    assert told([0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1]) == []
    assert told([0.55] * 6) == []


def test_what_is_foreign_is_told_as_such_alone() -> None:
    """Whatever the model takes it for."""
    assert told([0.1, None, None, None, 0.1]) == [(FOREIGN, "01", "01")]


def test_params_that_raise_no_alarm_are_refused(tmp_path: Path) -> None:
    """Ours are read; those that could never tell anything are not."""
    assert values(OURS, Values).classes == ["person"]
    file = tmp_path / "params.yaml"
    file.write_text("run: {}\nclasses: []\nforeign: false\nleast: 0.5\nconfirm: 1\ngap: 1\n")
    with pytest.raises(SystemExit, match="nothing would raise an alarm"):
        values(file, Values)


def write(path: Path, seed: int, kind: str) -> None:
    """A grey yard; a dark figure in it where there is a person, coloured stripes where it is nothing known."""
    rng = np.random.default_rng(seed)
    pixels = 150 + rng.integers(-20, 21, (24, 24, 3))
    if kind == "person":
        left = int(rng.integers(2, 16))
        pixels[4:22, left : left + 6] = (30, 30, 60)
    elif kind == "stripes":
        pixels[:, ::4] = (250, 40, 200)
        pixels[:, 1::4] = (10, 240, 30)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


@pytest.mark.slow
def test_from_frames_to_alarms(tmp_path: Path) -> None:
    """A person and a thing that nobody knows: an event with its picture each, once; the empty yard raises none."""
    for number in range(320):
        kind = ("empty", "person")[number % 2]
        write(tmp_path / "labelled" / kind / f"{number}.png", number, kind)
    for number in range(24):
        door = "person" if 4 <= number < 12 else "stripes" if 16 <= number < 20 else "empty"
        write(tmp_path / "frames" / "door" / f"{number:04d}.png", 1_000 + number, door)
        write(tmp_path / "frames" / "yard" / f"{number:04d}.png", 2_000 + number, "empty")
    (tmp_path / "frames" / "yard" / "0024.png").write_bytes(b"no image")
    (tmp_path / "few.yaml").write_text(FEW)
    words = ["project", "frames", "--labelled", "labelled", "--params", "few.yaml"]
    said = example(tmp_path, "examples.security", *words)
    events = [json.loads(line) for line in (tmp_path / "alarms" / "events.jsonl").read_text().splitlines()]
    assert [(one["camera"], one["what"]) for one in events] == [("door", "person"), ("door", FOREIGN)], said
    assert [Path(one["first"]).name for one in events] == ["0004.png", "0016.png"]
    for one in events:
        assert (tmp_path / "alarms" / one["picture"]).read_bytes() == (tmp_path / one["frame"]).read_bytes()
    assert "0024.png is passed over" in said
    assert "cannot tell what is foreign" not in said
    if browsing.CHROMIUM:
        with browsing.browser(tmp_path) as browser:
            browser.open((tmp_path / "alarms" / "index.html").as_uri(), 390)
            assert browser.run("document.documentElement.scrollWidth") <= 390
            assert browser.run("document.images.length") == 2
            assert browser.errors == []
