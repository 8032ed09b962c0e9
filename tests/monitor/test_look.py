"""Looks at what a server captured: counted once, told where nothing could be seen, and the same after a kill."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import copy_project
from traffic import capture, toys

from sightline.config import write_value
from sightline.errors import ProjectError
from sightline.evaluate import reference as references
from sightline.evaluate import release
from sightline.monitor.audit import Label, hand_in, is_drawn, sample
from sightline.monitor.gauges import Gauges
from sightline.monitor.look import acknowledge, last, look
from sightline.monitor.outcome import Outcome
from sightline.monitor.state import State, place
from sightline.project import Paths
from sightline.report.monitor import sentences
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

FORKS = multiprocessing.get_context("fork")


@pytest.fixture
def watched(crowned: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it, entered."""
    return copy_project(crowned, tmp_path / "toy project", monkeypatch)


def files(paths: Paths) -> list[Path]:
    return sorted((paths.root / "captured").rglob("*.parquet"))


def set_value(paths: Paths, key: str, value: Any) -> Paths:
    write_value(paths.root, key, value)
    return Paths(paths.root)


def test_calm_traffic_then_a_shift(watched: Paths) -> None:
    """Nothing yet is no calm; calm traffic is calm; noisy images raise the alarm, told with what moved."""
    outcome = look(watched)
    assert not outcome.is_calm
    assert "no answer of version 1 was recorded in captured yet" in outcome.trouble[0]
    capture(watched, toys(0, 300), "calm")
    outcome = look(watched)
    assert (outcome.seen, outcome.rows_new, outcome.entered, outcome.trouble) == (300, 300, 300, ())
    assert outcome.is_calm
    assert outcome.cause is None
    capture(watched, toys(300, 120, noise=60), "noisy")
    outcome = look(watched)
    assert outcome.alarm is not None
    assert outcome.alarm.number == 1
    assert 300 < outcome.alarm.entered <= 420
    assert outcome.cause is not None
    assert outcome.cause.kind in {"covariate", "both"}
    assert any("change over 1 px" in one.name for one in outcome.cause.statistics)
    assert {one.request.split("-")[0] for one in outcome.shifted} == {"noisy"}
    assert Outcome.from_json(outcome.as_json()) == outcome
    assert last(watched) == [outcome]


def test_alarm_stays_until_it_is_acknowledged(watched: Paths) -> None:
    """It latches over calm traffic; acknowledged, the next one needs twice the wealth."""
    capture(watched, toys(0, 150, noise=60), "noisy")
    first = look(watched).alarm
    capture(watched, toys(150, 50), "calm")
    outcome = look(watched)
    assert outcome.alarm == first is not None
    assert acknowledge(watched) == first
    assert acknowledge(watched) is None
    outcome = look(watched)
    assert (outcome.alarm, outcome.wealth, outcome.threshold) == (None, 1.0, 200.0)


def test_alarm_ends_where_another_version_answered(watched: Paths) -> None:
    """After a rollback the version's old alarm is over, as if acknowledged: the next needs twice the wealth."""
    capture(watched, toys(0, 150, noise=60), "noisy")
    first = look(watched)
    assert first.alarm is not None
    with State(watched) as state:
        state.looked(replace(first, version="2", digest="f" * 64, alarm=None))
    outcome = look(watched)
    assert (outcome.alarm, outcome.wealth, outcome.threshold) == (None, 1.0, 200.0)
    assert look(watched).alarm is None


def test_incident_that_an_earlier_release_left_in_the_urn_leaves_it(watched: Paths) -> None:
    """A state that does not tell what is in the urn is that of a bet which kept all: after an alarm it begins anew."""
    capture(watched, toys(0, 60), "calm")
    assert look(watched).is_calm
    capture(watched, toys(60, 120, noise=60), "noisy")
    assert look(watched).alarm is not None
    drawn = []
    for name in ("as it is", "as before"):
        with State(watched) as state:
            (digest, reference) = state._db.execute("SELECT digest, reference FROM watched").fetchone()
            told, arrays = state.watched(digest, reference) or ({}, {})
            drawn.append((told["drawn"], told["entered"]))
            if name == "as before":
                state.watch(digest, reference, {key: told[key] for key in told if key != "drawn"}, arrays)
        capture(watched, toys(180 + 10 * len(drawn), 10), name)
        look(watched)
    with State(watched) as state:
        told, _ = state.watched(digest, reference) or ({}, {})
    assert [*drawn, (told["drawn"], told["entered"])] == [(180, 180), (190, 190), (10, 200)]


def test_captured_folder_that_vanished_is_no_calm(watched: Paths) -> None:
    """Of the files that were seen none is there: that is told until there are some again."""
    capture(watched, toys(0, 30), "one")
    assert look(watched).trouble == ()
    (watched.root / "captured").rename(watched.root / "unmounted")
    outcome = look(watched)
    assert outcome.trouble[0].startswith("of 1 captured file that the monitor has seen none is in captured any more")
    assert not outcome.is_calm
    (watched.root / "unmounted").rename(watched.root / "captured")
    assert look(watched).trouble == ()


def test_late_file_counts_once(watched: Paths) -> None:
    """A file whose answers are older than those that were seen is seen, and none is counted again."""
    capture(watched, toys(0, 40), "early")
    (early,) = files(watched)
    away = watched.root / early.name
    early.rename(away)
    capture(watched, toys(40, 30), "late")
    assert look(watched).seen == 30
    away.rename(early)
    outcome = look(watched)
    assert (outcome.seen, outcome.rows_new) == (70, 40)
    assert look(watched).rows_new == 0


def test_one_image_of_a_camera_and_interval_enters(watched: Paths) -> None:
    """A burst of a named camera is one image to the bet; without a name each request is."""
    paths = set_value(watched, "monitor.interval", 3600)
    capture(paths, toys(0, 30), "burst", camera="left")
    for part in range(4):
        capture(paths, toys(30 + 5 * part, 5), f"more {part}", camera="left")
    capture(paths, toys(50, 25), "unnamed")
    outcome = look(paths)
    assert outcome.seen == 75
    # The hour may have turned meanwhile.
    assert outcome.entered - 25 in {1, 2}


def test_what_cannot_be_seen_is_told(watched: Paths) -> None:
    """A damaged file, and one with other columns, are named, and tried again once they are whole."""
    capture(watched, toys(0, 20), "one")
    capture(watched, toys(20, 20), "two")
    first, second = files(watched)
    whole = first.read_bytes(), second.read_bytes()
    first.write_bytes(whole[0][: len(whole[0]) // 2])
    table = pq.read_table(second)
    pq.write_table(table.rename_columns([{"energy": "power"}.get(name, name) for name in table.column_names]), second)
    outcome = look(watched)
    assert (outcome.seen, len(outcome.trouble)) == (0, 3)
    assert {first.name, second.name} == {one.split()[0].split("/")[1] for one in outcome.trouble[:2]}
    assert not outcome.is_calm
    first.write_bytes(whole[0])
    second.write_bytes(whole[1])
    outcome = look(watched)
    assert (outcome.seen, outcome.trouble) == (40, ())


def test_file_damaged_inside_is_told(watched: Paths) -> None:
    """Where the end of a file is whole, and a page of it is not, nothing of it is counted."""
    capture(watched, toys(0, 200), "one")
    (file,) = files(watched)
    whole = file.read_bytes()
    column = pq.ParquetFile(file).metadata.row_group(0).column(12)
    assert "features" in column.path_in_schema
    middle = (column.dictionary_page_offset or column.data_page_offset) + column.total_compressed_size // 2
    file.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    outcome = look(watched)
    assert (outcome.rows_new, outcome.entered) == (0, 0)
    assert file.name in outcome.trouble[0]
    file.write_bytes(whole)
    assert look(watched).rows_new == 200


def test_version_without_reference_is_told(watched: Paths) -> None:
    """It is made on demand where the images are; where they are not, that is said, and the answers wait."""
    tracker = connect(watched)
    tracker.client.delete_model_version_tag(tracker.classifier_model, "1", references.TAG)
    capture(watched, toys(0, 20), "one")
    release, manifest = watched.root / "data" / "releases" / "r1.json", watched.manifest("target")
    kept = release.read_text(), manifest.read_bytes()
    release.unlink()
    manifest.unlink()
    outcome = look(watched)
    assert (outcome.reference, outcome.rows_new) == (None, 0)
    assert "version 1 has no reference" in outcome.trouble[0]
    release.write_text(kept[0])
    manifest.write_bytes(kept[1])
    outcome = look(watched)
    assert (outcome.rows_new, outcome.trouble) == (20, ())


def test_changed_reference_is_refused(watched: Paths) -> None:
    """One that is not as it was made is not used, and nothing is compared with it."""
    tracker = connect(watched)
    (held,) = (watched.mlflow / "references").glob("*.npz")
    held.write_bytes(b"else")
    assert look(watched).reference == held.stem
    held.write_bytes(b"else")
    (stored,) = (watched.mlflow / "artifacts").rglob("reference.npz")
    stored.write_bytes(b"other")
    outcome = look(watched)
    assert outcome.reference is None
    assert "was changed since it was made" in outcome.trouble[0]
    assert tracker.name == "toy"


def test_labels_of_the_audit_sample_alone_count(watched: Paths) -> None:
    """Labels of drawn images count, once; of others none is taken; many wrong ones are harm, and no alarm."""
    paths = set_value(watched, "monitor.audit", 0.5)
    answers = dict(enumerate(capture(paths, toys(0, 120), "one")))
    look(paths)
    drawn = sample(paths)
    assert {one.request for one in drawn} == {
        f"one-{number}" for number in answers if is_drawn(f"one-{number}", 0, 0.5)
    }
    others = [Label(request=f"one-{number}", place=0, label="x") for number in answers]
    wrong = [one for one in others if one.request in {other.request for other in drawn}]
    assert hand_in(paths, others) == wrong
    assert hand_in(paths, wrong) == []
    outcome = look(paths)
    assert outcome.harm is not None
    assert (outcome.harm.labels, outcome.harm.wrong, outcome.harm.drawn) == (len(drawn), len(drawn), len(drawn))
    assert outcome.harm.harmed
    assert outcome.alarm is None
    again = look(paths).harm
    assert again == outcome.harm
    assert all(not is_drawn(one.request, one.place, 0.5) for one in outcome.telling)


def test_label_that_has_not_counted_is_corrected(watched: Paths) -> None:
    paths = set_value(watched, "monitor.audit", 0.5)
    capture(paths, toys(0, 120), "one")
    look(paths)
    drawn = sample(paths)
    wrong = [Label(request=one.request, place=0, label="x") for one in drawn]
    right = [Label(request=one.request, place=0, label=one.answer) for one in drawn]
    assert hand_in(paths, wrong) == wrong
    assert hand_in(paths, right) == right
    harm = look(paths).harm
    assert harm is not None
    assert (harm.labels, harm.wrong) == (len(drawn), 0)
    assert hand_in(paths, wrong) == []


def test_shadow_answers_are_not_watched(watched: Paths) -> None:
    """Only answers that callers got from the champion enter."""
    capture(watched, toys(0, 20), "shadow", role="shadow")
    assert look(watched).seen == 0


def killed(paths: Paths, after: int) -> None:
    """A look whose process is killed after so many files."""

    def run() -> None:
        left, done = [after], State.done

        def counted(state: State, name: str) -> None:
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            done(state, name)

        State.done = counted  # type: ignore[assignment,method-assign]
        look(paths)

    process = FORKS.Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def test_killed_and_started_again_gives_the_same_wealth(watched: Paths) -> None:
    """Wealth, window and sample after kills are those of a monitor that was never killed."""
    for number in range(4):
        capture(watched, toys(60 * number, 60, noise=10 * number), f"part {number}")
    for after in (0, 1, 3):
        killed(watched, after)
    with State(watched) as state:
        assert state.known() == set()
    first = look(watched)
    place(watched).unlink()
    second = look(watched)
    assert first.wealth == second.wealth
    assert (first.entered, first.alarm, first.shifted) == (second.entered, second.alarm, second.shifted)


def test_another_database_is_no_new_watch(watched: Paths) -> None:
    """What an audit cost and which alarms were spent would be lost without a word."""
    place(watched).parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(place(watched))) as store:
        store.execute("create table experiments (id integer)")
    data = place(watched).read_bytes()
    with pytest.raises(ProjectError, match="is another database: put a copy of it back"):
        look(watched)
    assert place(watched).read_bytes() == data


def test_two_monitors_count_once(watched: Paths) -> None:
    """While one looks, another waits; each answer is new to one of them."""
    for number in range(3):
        capture(watched, toys(50 * number, 50), f"part {number}")

    found = FORKS.Queue()
    others = [FORKS.Process(target=lambda: found.put(look(watched).rows_new)) for _ in range(2)]
    for one in others:
        one.start()
    rows = sorted(found.get(timeout=60) for _ in others)
    for one in others:
        one.join(10)
    assert rows == [0, 150]
    assert look(watched).entered == 150


def test_who_reads_does_not_wait(watched: Paths) -> None:
    """The last look can be read while another one is under way."""
    look(watched)
    with State(watched):
        began = time.monotonic()
        assert len(last(watched)) == 1
        assert time.monotonic() - began < 30
    with pytest.raises(sqlite3.ProgrammingError), State(watched) as state:
        state._db.close()


def test_first_look_holds_no_reader_up(watched: Paths) -> None:
    """While it is under way, and where it was killed before it began to write, readers find nothing, and no error."""
    place(watched).parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(place(watched))) as store:
        store.execute("PRAGMA journal_mode = WAL")
    assert (last(watched), sample(watched)) == ([], [])
    for file in place(watched).parent.glob("state.db*"):
        file.unlink()
    with State(watched):
        assert (last(watched), sample(watched), list(Gauges(watched).collect())) == ([], [], [])


def test_another_reference_counts_everything_anew(watched: Paths) -> None:
    """Answers and labels from before are compared with it, too: no verdict is lost, and a camera's image enters."""
    paths = set_value(watched, "monitor.audit", 0.5)
    paths = set_value(paths, "monitor.interval", 3600)
    capture(paths, toys(0, 60), "one", camera="left")
    capture(paths, toys(60, 60), "two")
    look(paths)
    hand_in(paths, [Label(request=one.request, place=0, label="x") for one in sample(paths)])
    first = look(paths)
    tracker = connect(paths)
    tracker.client.delete_model_version_tag(tracker.classifier_model, "1", references.TAG)
    paths = set_value(paths, "evaluate.release", "r9")
    release.make(paths, "r9")
    outcome = look(paths)
    assert outcome.reference not in {None, first.reference}
    assert (outcome.entered, outcome.seen, outcome.rows_new) == (first.entered, 120, 120)
    assert first.harm is not None
    assert first.harm.harmed
    assert outcome.harm == first.harm
    assert look(paths).rows_new == 0


def test_margin_that_was_changed_is_told(watched: Paths) -> None:
    """A bet's statement stays the same over its life: another margin counts for other versions, and that is said."""
    capture(watched, toys(0, 60), "one")
    first = look(watched).harm
    outcome = look(set_value(watched, "monitor.harm_margin", 0.3))
    assert first is not None
    assert outcome.harm is not None
    assert outcome.harm.bound == first.bound
    wider = first.bound + 0.28
    said = f"monitor.harm_margin of now would allow an error of {wider:.1%}; for version 1 it stays {first.bound:.1%}"
    assert any(one.startswith(said) for one in sentences(outcome))
    assert not any("harm_margin" in one for one in sentences(look(set_value(watched, "monitor.harm_margin", 0.02))))


def test_numbers_that_are_none_are_told(watched: Paths) -> None:
    """A row with features that are no numbers is no calm."""
    capture(watched, toys(0, 10), "one")
    (file,) = files(watched)
    table = pq.read_table(file)
    column = table.schema.get_field_index("features")
    broken = [np.full(len(row), np.nan, np.float32) for row in table["features"].to_pylist()]
    import pyarrow as pa

    file.unlink()
    # Under a name that says nothing of its footer, as files of before had.
    pq.write_table(
        table.set_column(column, table.schema.field(column), pa.array(broken, table.schema.types[column])),
        file.with_name("broken.parquet"),
    )
    assert "its features are no numbers" in look(watched).trouble[0]
