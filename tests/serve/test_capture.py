"""Tests of what is recorded of the answers: by a server's application, into real files."""

from __future__ import annotations

import hashlib
import io
import itertools
import multiprocessing
import os
import pathlib
import random
import time
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest
from answering import CLASSES, follower, image, served, version
from PIL import Image

from sightline.errors import ConfigError, Damaged
from sightline.heads.answer import Seen
from sightline.models.foreign import describe
from sightline.params import Capture as Policy
from sightline.params.upkeep import MOST_DAYS
from sightline.serve import capture as writing
from sightline.serve.app import application
from sightline.serve.batcher import Answered
from sightline.serve.capture import Capture, Origin
from sightline.serve.history import days, look, read
from sightline.serve.record import COLUMNS, SCHEMA, Record
from sightline.serve.store import FOUND, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date
    from pathlib import Path

    import pyarrow as pa


FORKS = multiprocessing.get_context("fork")
"""What is imported here need not be imported by each that is killed."""


@pytest.fixture
def answered() -> Answered:
    """The answer of version 1 to one image."""
    one = version("1")
    (found,), described = one.predictor.described([image()], np.stack([one.predictor.decode(image())]))
    return Answered(found, one, described[0])


@contextmanager
def capturing(folder: Path, **policy: Any) -> Iterator[tuple[httpx.Client, Capture]]:
    """A client of a server that records below `folder`; all is written in the end."""
    values = Policy(**policy)
    capture = Capture(Store(folder, values.folder), values)
    with served(application(follower(), capture=capture)) as address, httpx.Client(base_url=address) as client:
        yield client, capture


def rows(folder: Path, where: str = "captured") -> list[dict[str, Any]]:
    found = look(Store(folder, where))
    assert found.damaged == {}
    return [row for table in found.tables() for row in table.to_pylist()]


def wait(until: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_answer_is_a_row(tmp_path: Path) -> None:
    """Request, place, answer, features and statistics are those that the caller got and that the version makes."""
    files = [("image", (f"{seed}.png", image(seed))) for seed in range(3)]
    files.insert(1, ("image", ("notes.txt", b"no image")))
    tags = {"X-Sightline-Site": "hall-2", "X-Sightline-Camera": "left.1"}
    with capturing(tmp_path) as (client, _):
        said = client.post("/predict", files=files, headers=tags, params={"top": 3}).json()
    found = rows(tmp_path)
    assert [row["place"] for row in sorted(found, key=lambda row: row["place"])] == [0, 2, 3]
    predictor = version("1").predictor
    for row in found:
        answer, data = said["answers"][row["place"]], files[row["place"]][1][1]
        assert (row["request"], row["role"], row["site"], row["camera"]) == (
            said["request"],
            "champion",
            "hall-2",
            "left.1",
        )
        assert [row[name] for name in ("label", "version", "digest", "abstain", "foreign")] == [
            answer[name] for name in ("label", "version", "digest", "abstain", "foreign")
        ]
        told = {one["label"]: one["probability"] for one in answer["top"]}
        assert row["probabilities"] == pytest.approx([told[name] for name in CLASSES], rel=1e-6)
        pixels = np.stack([predictor.decode(data)])
        outputs = predictor.outputs(pixels)
        whole = np.concatenate([row["features"], row["statistics"], [row["energy"]]])
        np.testing.assert_allclose(whole, outputs.described[0], rtol=1e-4, atol=1e-5)
        split = predictor.model.width
        again = describe(np.array([row["features"]]), outputs.logits, pixels)
        np.testing.assert_allclose(row["statistics"], again[0, split:-1], rtol=1e-5)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert (row["size"], row["width"], row["height"], row["picture"]) == (len(data), 24, 24, None)
        assert abs(datetime.now(UTC) - row["at"]) < timedelta(minutes=1)


def test_columns_are_the_fields_of_the_record() -> None:
    """One dataclass says what the files hold."""
    assert SCHEMA.names == [one.name for one in fields(Record)]


def test_empty_tags_are_none(tmp_path: Path) -> None:
    """A proxy sends them where it knows none, or blanks."""
    with capturing(tmp_path) as (client, _):
        for tag in ("", " ", "\t "):
            caller = HTTPConnection(client.base_url.host, client.base_url.port, timeout=20)
            caller.request("POST", "/predict", image(), {"X-Sightline-Site": tag, "X-Sightline-Camera": tag})
            reply = caller.getresponse()
            assert reply.status == 200, reply.read()
            caller.close()
    assert [(row["site"], row["camera"]) for row in rows(tmp_path)] == [(None, None)] * 3


@pytest.mark.parametrize("tag", ["x" * 65, "a b", "-a", "ü", "a/b", "a\tb", "=1+1"])
def test_tags_are_short_and_plain(tmp_path: Path, tag: str) -> None:
    """Whatever else a caller calls a site is refused, and nothing of it is recorded."""
    with capturing(tmp_path) as (client, _):
        reply = client.post("/predict", content=image(), headers=[(b"X-Sightline-Site", tag.encode())])
        assert reply.status_code == 422, reply.text
    assert rows(tmp_path) == []


@pytest.mark.parametrize("keep", ["thumbnails", "images"])
def test_pictures_are_kept_by_policy(tmp_path: Path, keep: str) -> None:
    """The file itself, or a small JPEG of the same shape without what a camera wrote beside the pixels."""
    out, notes = io.BytesIO(), Image.Exif()
    notes[0x010E] = "ward 7, bed 2"
    Image.new("RGB", (600, 300), (200, 50, 40)).save(out, "JPEG", comment="taken by A. Person", exif=notes)
    with capturing(tmp_path, keep=keep) as (client, _):
        assert client.post("/predict", content=out.getvalue()).status_code == 200
    (row,) = rows(tmp_path)
    if keep == "images":
        assert row["picture"] == out.getvalue()
        return
    small = Image.open(io.BytesIO(row["picture"]))
    assert (small.format, small.size) == ("JPEG", (128, 64))
    assert [said for said in (b"ward 7", b"A. Person") if said in row["picture"]] == []


def test_share_of_the_requests(tmp_path: Path) -> None:
    """Drawn by the request's id: all images of a request or none."""
    with capturing(tmp_path, share=0.5) as (client, _):
        asked = [
            client.post("/predict", files=[("image", ("a.png", image()))] * 2).json()["request"] for _ in range(60)
        ]
    found = [row["request"] for row in rows(tmp_path)]
    drawn = [request for request in asked if writing.drawn("capture", request, 0.5)]
    assert sorted(found) == sorted(drawn * 2)
    assert 10 < len(drawn) < 50
    other = {request for request in asked if writing.drawn("canary", request, 0.5)}
    assert other != set(drawn)


def test_files_are_whole_small_in_number_and_of_one_version(
    tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file for so many rows, or after a time, in the folder of its day; two servers share a folder."""
    monkeypatch.setattr(writing, "ROWS", 10)
    store, policy = Store(tmp_path, "captured"), Policy()
    two = [Capture(store, policy) for _ in range(2)]
    for number in range(40):
        wait(lambda: not two[0]._waiting and not two[1]._waiting)
        two[number % 2].note(Origin(str(number), 0), answered, image())
    for one in two:
        one.close()
    files = sorted((tmp_path / "captured").rglob("*.parquet"))
    assert [len(pq.read_table(path)) for path in files] == [10] * 4
    assert {path.parent.name for path in files} == {f"date={datetime.now(UTC).date()}"}
    assert {pq.ParquetFile(path).metadata.row_group(0).column(0).compression for path in files} == {"ZSTD"}
    assert [row["request"] for row in rows(tmp_path)] == [str(number) for number in range(40)]
    assert (tmp_path / "captured" / ".gitignore").read_text() == "*\n"


def test_few_answers_are_written_after_a_time(
    tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to wait for the rest of a file."""
    monkeypatch.setattr(writing, "SECONDS", 0.05)
    capture = Capture(Store(tmp_path, "captured"), Policy())
    capture.note(Origin("one", 0), answered, image())
    wait(lambda: rows(tmp_path))
    capture.close()


class Stuck(Store):
    """A store that takes as long as the test likes, or fails."""

    stuck = True
    fails = ""

    def put(self, name: str, data: bytes) -> None:
        """Write it once the test allows it."""
        while self.stuck:
            time.sleep(0.01)
        if self.fails:
            raise OSError(28, self.fails)
        super().put(name, data)


def test_full_queue_drops_and_counts(tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noting takes no time, and the next file tells what is missing."""
    monkeypatch.setattr(writing, "ROWS", 5)
    store = Stuck(tmp_path, "captured")
    capture = Capture(store, Policy())
    for number in range(5):
        capture.note(Origin(str(number), 0), answered, image())
    wait(lambda: not capture._waiting)
    began = time.monotonic()
    for number in range(5, 100):
        capture.note(Origin(str(number), 0), answered, image())
    assert time.monotonic() - began < 1
    assert figures(capture)["sightline_capture_dropped"] == 90
    store.stuck = False
    capture.close()
    assert figures(capture) == {
        "sightline_captured_answers": 10,
        "sightline_capture_dropped": 90,
        "sightline_capture_failures": 0,
    }
    (day,), damaged = days(look(Store(tmp_path, "captured")))
    assert (day.rows, day.dropped, damaged) == (10, 90, {})


def test_queue_is_bounded_in_bytes_too(tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images fill it sooner, and leave it again."""
    monkeypatch.setattr(writing, "HELD_BYTES", 3 * len(image()))
    store = Stuck(tmp_path, "captured")
    capture = Capture(store, Policy(keep="images"))
    for number in range(3):
        capture.note(Origin(str(number), 0), answered, image())
        wait(lambda: not capture._waiting)
    for number in range(3, 10):
        capture.note(Origin(str(number), 0), answered, image())
    store.stuck = False
    wait(lambda: not capture._waiting)
    capture.note(Origin("10", 0), answered, image())
    capture.close()
    assert [row["request"] for row in rows(tmp_path)] == ["0", "1", "2", "3", "4", "5", "10"]


def test_answer_that_cannot_be_recorded_costs_no_other(tmp_path: Path, answered: Answered) -> None:
    """It is counted, and told."""
    capture = Capture(Store(tmp_path, "captured"), Policy(keep="thumbnails"))
    for number, data in enumerate([image(), b"no image any more", image()]):
        capture.note(Origin(str(number), 0), answered, data)
    capture.close()
    assert [row["request"] for row in rows(tmp_path)] == ["0", "2"]
    assert figures(capture)["sightline_capture_dropped"] == figures(capture)["sightline_capture_failures"] == 1
    assert days(look(Store(tmp_path, "captured")))[0][0].dropped == 1


def figures(capture: Capture) -> dict[str, float]:
    return {one.name: one.samples[0].value for one in capture.collect()}


def test_answers_go_on_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told in the log once, at /readyz and /metrics; once there is room again, all of it is written."""
    monkeypatch.setattr(writing, "SECONDS", 0.02)
    monkeypatch.setattr(writing, "AGAIN", 0.02)
    store = Stuck(tmp_path, "captured")
    store.stuck, store.fails = False, "No space left on device"
    capture = Capture(store, Policy())
    with served(application(follower(), capture=capture)) as address, httpx.Client(base_url=address) as client:
        asked = [client.post("/predict", content=image()).json()["request"]]
        wait(lambda: figures(capture)["sightline_capture_failures"] > 3)
        assert "No space left" in client.get("/readyz").json()["capture"]
        assert "sightline_capture_failures_total" in client.get("/metrics").text
        asked.append(client.post("/predict", content=image()).json()["request"])
        store.fails = ""
        wait(lambda: client.get("/readyz").json()["capture"] is None)
    assert [row["request"] for row in rows(tmp_path)] == asked
    assert [record.getMessage().count("No space left") for record in caplog.records] == [1, 0]


def test_unreachable_store_does_not_hold_up_the_end(
    tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written in the end is dropped and counted; a folder that is a file is such a store."""
    monkeypatch.setattr(writing, "CLOSING", 5.0)
    (tmp_path / "captured").write_text("in the way")
    capture = Capture(Store(tmp_path, "captured"), Policy())
    capture.note(Origin("one", 0), answered, image())
    began = time.monotonic()
    capture.close()
    assert time.monotonic() - began < 4
    assert figures(capture)["sightline_capture_dropped"] == 1
    assert capture.trouble is not None


def test_addresses_of_fsspec_are_folders_too(tmp_path: Path, answered: Answered) -> None:
    """One put for a store of objects; a scratch name and a move where a half file could be seen."""
    for folder in ("memory://lines/captured", f"local://{tmp_path}/elsewhere"):
        policy = Policy(folder=folder)
        capture = Capture(Store(tmp_path, folder), policy)
        capture.note(Origin("one", 0), answered, image())
        capture.close()
        assert [row["request"] for row in rows(tmp_path, folder)] == ["one"]
    with pytest.raises(ConfigError, match=r"capture\.folder"):
        Store(tmp_path, "nowhere://lines")


def test_folder_may_lie_at_home(tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell understands it; whose home there is not is told."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    capture = Capture(Store(tmp_path / "project", "~/captured"), Policy())
    capture.note(Origin("one", 0), answered, image())
    capture.close()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert [row["request"] for row in rows(tmp_path / "home", "captured")] == ["one"]
    with pytest.raises(ConfigError, match=r"capture\.folder = '~nobody-of-that-name/captured'"):
        Store(tmp_path, "~nobody-of-that-name/captured")


def test_old_days_and_scratch_files_go(tmp_path: Path) -> None:
    """At the start of a server; what is younger, and what is not ours, stays."""
    today = datetime.now(UTC).date()
    for age in (0, 29, 30, 31, 400):
        (tmp_path / "captured" / f"date={today - timedelta(days=age)}").mkdir(parents=True)
    (tmp_path / "captured" / "date=notes").mkdir()
    old, young = (tmp_path / "captured" / f"date={today}" / f".{name}.parquet.1-0.tmp" for name in "ab")
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, 0))
    Capture(Store(tmp_path, "captured"), Policy(days=30)).close()
    left = {path.name for path in (tmp_path / "captured").iterdir()}
    assert left == {f"date={today - timedelta(days=age)}" for age in (0, 29, 30)} | {"date=notes"}
    assert (old.exists(), young.exists()) == (False, True)


def test_old_days_go_where_nothing_is_recorded_any_more(tmp_path: Path, answered: Answered) -> None:
    """Who ends the recording still has the word that what is too old is removed."""
    today = datetime.now(UTC).date()
    for age in (1, 31):
        (tmp_path / "captured" / f"date={today - timedelta(days=age)}").mkdir(parents=True)
    capture = Capture(Store(tmp_path, "captured"), Policy(keep="none", days=30))
    capture.note(Origin("one", 0), answered, image())
    capture.close()
    assert [path.name for path in (tmp_path / "captured").iterdir()] == [f"date={today - timedelta(days=1)}"]
    assert set(figures(capture).values()) == {0}


def test_no_day_goes_by_a_clock_that_is_ahead(
    tmp_path: Path, answered: Answered, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing young lies there it is told, and all goes on the day after: a clock is set by then."""
    today = datetime.now(UTC).date()
    folder = tmp_path / "captured"
    past = {f"date={today - timedelta(days=age)}" for age in (31, 400)}
    for name in past:
        (folder / name).mkdir(parents=True)
    for _ in "twice":  # the second finds what the first has recorded today
        capture = Capture(Store(tmp_path, "captured"), Policy(days=30))
        capture.note(Origin("one", 0), answered, image())
        capture.close()
        assert {path.name for path in folder.glob("date=*")} == past | {f"date={today}"}
    assert "as though the clock were ahead: 2 days of captured go tomorrow" in caplog.text
    (folder / FOUND).write_text(f"{today + timedelta(days=1)}")  # by a clock that was ahead then
    Store(tmp_path, "captured").rotate(30)
    assert {path.name for path in folder.glob("date=*")} == past | {f"date={today}"}
    (folder / FOUND).write_text(f"{today - timedelta(days=1)}")
    Store(tmp_path, "captured").rotate(30)
    assert {path.name for path in folder.glob("date=*")} == {f"date={today}"}


class Kept(Store):
    """A store of which nothing can be removed."""

    def remove(self, day: date) -> None:
        """Refuse."""
        raise PermissionError(13, f"date={day} is locked")


def test_days_that_stay_are_told_until_they_go(tmp_path: Path, answered: Answered) -> None:
    """What is recorded meanwhile does not hide it."""
    for day in ("2020-02-03", datetime.now(UTC).date() - timedelta(days=1)):
        (tmp_path / "captured" / f"date={day}").mkdir(parents=True)
    capture = Capture(Kept(tmp_path, "captured"), Policy())
    capture.note(Origin("one", 0), answered, image())
    capture.close()
    assert capture.trouble is not None
    assert "old answers stay in captured" in capture.trouble
    assert "date=2020-02-03 is locked" in capture.trouble
    assert [row["request"] for row in rows(tmp_path)] == ["one"]


@pytest.mark.parametrize("days", [1, MOST_DAYS])
def test_days_reach_as_far_as_a_calendar(tmp_path: Path, answered: Answered, days: int) -> None:
    """Whatever number of them may be kept, answers are recorded; more are refused in words."""
    capture = Capture(Store(tmp_path, "captured"), Policy(days=days))
    capture.note(Origin("one", 0), answered, image())
    capture.close()
    assert capture.trouble is None
    assert [row["request"] for row in rows(tmp_path)] == ["one"]
    for wrong in (0, 1_000_000):
        with pytest.raises(ValueError, match=rf"capture\.days = {wrong} is outside 1 … 36500"):
            Policy(days=wrong)


class Stumbling(Capture):
    """One that fails where no failure was thought of, as often as the test likes."""

    failures = 0

    def _gather(self) -> dict[Any, list[Record]]:
        if Stumbling.failures:
            Stumbling.failures -= 1
            raise OverflowError("of a kind that nobody thought of")
        return super()._gather()


def test_no_failure_ends_the_recording(tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and what was noted meanwhile is recorded; where it lasts until the end, it is counted."""
    monkeypatch.setattr(writing, "AGAIN", 0.02)
    monkeypatch.setattr(Stumbling, "failures", 3)
    capture = Stumbling(Store(tmp_path, "captured"), Policy())
    wait(lambda: not Stumbling.failures)
    capture.note(Origin("one", 0), answered, image())
    capture.close()
    assert [row["request"] for row in rows(tmp_path)] == ["one"]
    assert (figures(capture)["sightline_capture_failures"], capture.trouble) == (3, None)
    Stumbling.failures = 1_000_000
    capture = Stumbling(Store(tmp_path, "captured"), Policy())
    capture.note(Origin("two", 0), answered, image())
    capture.close()
    assert figures(capture)["sightline_capture_dropped"] == 1
    assert "nobody thought of" in str(capture.trouble)


def test_answers_between_two_times_come_in_order(
    tmp_path: Path, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of several servers and days overlap; nothing comes twice or is left out."""
    clock = [datetime(2026, 11, 26, 23, 59, 0, tzinfo=UTC)]

    class Clock:
        @staticmethod
        def now(_zone: Any) -> datetime:
            return clock[0]

    monkeypatch.setattr(writing, "datetime", Clock)
    monkeypatch.setattr(writing, "ROWS", 7)
    several = [Capture(Store(tmp_path, "captured"), Policy(days=3000)) for _ in range(3)]
    for number in range(120):
        clock[0] += timedelta(seconds=1)
        one = several[number * 7 % 3]
        wait(lambda one=one: len(one._waiting) < 5)  # type: ignore[misc]
        one.note(Origin(str(number), 0), answered, image())
    for one in several:
        one.close()
    start = datetime(2026, 11, 26, 23, 59, 1, tzinfo=UTC)
    for low, high in ((0, 120), (30, 90), (59, 60), (60, 60), (100, 500)):
        found = look(Store(tmp_path, "captured"), start + timedelta(seconds=low), start + timedelta(seconds=high))
        tables: list[pa.Table] = list(found.tables(["request"]))
        assert [int(name) for one in tables for name in one["request"].to_pylist()] == list(range(low, min(high, 120)))
        assert all(one.column_names == ["request"] and len(one) <= 21 for one in tables)


def test_damaged_files_are_named_and_never_calm(tmp_path: Path, answered: Answered) -> None:
    """Cut, flipped, foreign and of another schema: each is told, the others count."""
    for number in range(6):
        capture = Capture(Store(tmp_path, "captured"), Policy())
        capture.note(Origin(str(number), 0), answered, image())
        capture.close()
    cut, empty, other, schema, flipped, _ = files = sorted((tmp_path / "captured").rglob("*.parquet"))
    cut.write_bytes(cut.read_bytes()[:-100])
    empty.write_bytes(b"")
    pq.write_table(pq.read_table(other).replace_schema_metadata(None), other)
    told = pq.read_table(schema)
    said = told.schema.metadata[b"sightline"].replace(b'"schema": 2', b'"schema": 3')
    pq.write_table(told.replace_schema_metadata({b"sightline": said}), schema)
    data = bytearray(flipped.read_bytes())
    column = pq.ParquetFile(flipped).metadata.row_group(0).column(SCHEMA.names.index("abstain"))
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    flipped.write_bytes(data)
    (day,), damaged = days(look(Store(tmp_path, "captured")))
    assert day.rows == 1
    assert sorted(damaged) == [f"{path.parent.name}/{path.name}" for path in files[:5]]
    assert "version 3" in damaged[f"{schema.parent.name}/{schema.name}"]


def test_no_flipped_bit_changes_what_is_read(tmp_path: Path, answered: Answered) -> None:
    """Wherever it is, the file is told, or its answers are as they were."""
    rng, store = random.Random(0), Store(tmp_path, "captured")  # noqa: S311 — places, not secrets
    capture = Capture(store, Policy())
    for number in range(5):
        capture.note(Origin(str(number), 0), answered, image())
    capture.close()
    (file,) = (tmp_path / "captured").rglob("*.parquet")
    whole, (known,) = file.read_bytes(), look(store).files
    table = read(store, known.place.name, COLUMNS)
    found = 0
    for place in rng.sample(range(len(whole)), 200):
        data = bytearray(whole)
        data[place] ^= 1 << rng.randrange(8)
        file.write_bytes(data)
        looked = look(store)
        if looked.damaged:
            found += 1
            continue
        try:
            assert (looked.files, read(store, known.place.name, COLUMNS)) == ((known,), table)
        except Damaged:
            found += 1
    assert found > 100


def slowly(path: Path, data: bytes) -> None:
    """As a slow disk takes a file."""
    with path.open("wb", buffering=0) as handle:
        for start in range(0, len(data), 1000):
            handle.write(data[start : start + 1000])
            time.sleep(0.001)


def record_for_ever(folder: Path, server: int, one: Answered) -> None:
    writing.ROWS, writing.SECONDS, pathlib.Path.write_bytes = 20, 0.01, slowly  # type: ignore[assignment,method-assign]
    capture, data = Capture(Store(folder, "captured"), Policy(keep="images")), image()
    for number in itertools.count():
        while len(capture._waiting) > 10:
            time.sleep(0.001)
        capture.note(Origin(f"{server} {number}", 0), one, data)


def test_killed_server_leaves_whole_files(tmp_path: Path, answered: Answered) -> None:
    """SIGKILL at random moments: every file can be read, and holds the answers from the first on without a gap."""
    rng = random.Random(0)  # noqa: S311 — moments, not secrets
    store = Store(tmp_path, "captured")
    for server in range(8):
        process = FORKS.Process(target=record_for_ever, args=(tmp_path, server, answered))
        process.start()
        before = len(look(store).files)
        wait(lambda before=before: len(look(store).files) > before)  # type: ignore[misc]
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.join()
    found = rows(tmp_path)
    assert {row["picture"] for row in found} == {image()}
    for server in range(8):
        numbers = [int(row["request"].split()[1]) for row in found if row["request"].startswith(f"{server} ")]
        assert numbers == list(range(len(numbers)))
        assert numbers


def test_boxes_of_an_answer_are_recorded(tmp_path: Path, answered: Answered) -> None:
    """Each with its class, score and edges; an answer without any has an empty list, one of another task null."""
    boxes = (Seen("red", 0.9, 1.0, 2.0, 30.5, 40.0), Seen("blue", 0.4, 0.0, 0.0, 5.0, 6.0))
    capture = Capture(Store(tmp_path, "captured"), Policy())
    for number, some in enumerate((boxes, (), None)):
        answer = replace(answered.answer, boxes=some)
        capture.note(Origin(str(number), 0), answered._replace(answer=answer), image())
    capture.close()
    first, second, third = sorted(rows(tmp_path), key=lambda row: row["request"])
    assert [Seen(**box) for box in first["boxes"]] == list(boxes)
    assert (second["boxes"], third["boxes"]) == ([], None)


def test_files_from_before_there_were_boxes_are_read(tmp_path: Path) -> None:
    """With null in place of them: a month of answers is not lost by an update."""
    with capturing(tmp_path) as (client, _):
        assert client.post("/predict", files=[("image", ("1.png", image()))]).status_code == 200
    (file,) = (tmp_path / "captured").rglob("*.parquet")
    table = pq.read_table(file)
    said = table.schema.metadata[b"sightline"].replace(b'"schema": 2', b'"schema": 1')
    older = file.with_name("120000-older.parquet")
    pq.write_table(table.drop_columns(["boxes"]).replace_schema_metadata({b"sightline": said}), older)
    file.unlink()
    (row,) = rows(tmp_path)
    assert row["boxes"] is None
    assert row["label"] in CLASSES
