"""What a run takes beside training, as a machine showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import on_the_cpu

from sightline.budget import overhead
from sightline.train import speeds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that nobody has seen at work."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with on_the_cpu():
        yield


def test_first_seconds_tell_how_slow_a_machine_is(tmp_path: Path) -> None:
    """Before any run a start that took four times as long makes all else seem twice as long; both are guesses."""
    usual = overhead.expected(tmp_path, overhead.START, 100)
    slow = overhead.expected(tmp_path, 4 * overhead.START, 100)
    assert (slow.head, slow.tail) == (2 * usual.head, 2 * usual.tail)
    assert overhead.expected(tmp_path, 0.0, 100) == usual
    assert not usual.shown


def test_last_runs_tell_better(tmp_path: Path) -> None:
    """The median of the last runs counts, whatever this one's start; more images take longer to make ready."""
    for head in (900.0, 10.0, 11.0, 12.0, None, 30.0):
        overhead.remember(tmp_path, head, tail=20.0, answering=5.0, images=100)
    found = overhead.expected(tmp_path, 60.0, 100)
    assert (found.head, found.tail, found.shown) == (11.5, 15.0, True)
    assert overhead.expected(tmp_path, 60.0, 300).head == 3 * 11.5
    assert overhead.expected(tmp_path, 60.0, 50).head == 11.5


def test_another_machine_or_a_damaged_note_tells_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was seen elsewhere does not count, nor what cannot be read."""
    overhead.remember(tmp_path, 1.0, tail=1.0, answering=0.0, images=1)
    with monkeypatch.context() as patch:
        patch.setattr(overhead, "machine", lambda: {"cpu": "another"})
        assert not overhead.expected(tmp_path, 0.0, 1).shown
    for note in (tmp_path / "cache" / "sightline" / "speeds").iterdir():
        note.write_text("{")
    assert not overhead.expected(tmp_path, 0.0, 1).shown


def test_answering_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images per second, corrupted ones too; the figures are kept while the machine is as free, and time follows."""
    found = overhead.answers(tmp_path, "cnn", 16)
    assert min(found.plain, found.corrupted) > 0
    assert overhead.answers(tmp_path, "cnn", 16) == found
    with monkeypatch.context() as patch:
        # As beside a process that takes a core.
        patch.setattr(speeds, "pace", lambda device, pace=speeds.pace: pace(device) / 2)
        busy = overhead.answers(tmp_path, "cnn", 16)
        assert busy != found
        assert overhead.answers(tmp_path, "cnn", 16) == busy
    found = overhead.answers(tmp_path, "cnn", 16)
    assert found != busy
    counts = {"train": 100, "test": 10}
    assert found.seconds(counts) == pytest.approx(110 / found.plain + 50 / found.corrupted)
