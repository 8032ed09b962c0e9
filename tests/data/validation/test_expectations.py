from __future__ import annotations

import os
import re
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from pictures import picture

from sightline.data import contents, ingest
from sightline.data.duplicates import pairs
from sightline.data.files import thumbnails
from sightline.data.files.facts import BESIDE
from sightline.data.files.statistics import THUMBNAIL
from sightline.data.manifest import COLUMNS, HELD_BACK
from sightline.data.validation import expectations
from sightline.data.validation.expectations import validate
from sightline.data.validation.verdict import ExpectationResult, Verdict, sentences
from sightline.params import Dataset, Fractions, Ingest, Validate

if TYPE_CHECKING:
    from pathlib import Path

# Great Expectations imports sre_constants and sre_parse, which Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

DATASET = Dataset(images="raw", roles=Fractions(train=0.4, val=0.2, calib=0.2, test=0.2))
LIMITS = Validate(min_images_per_class=2, min_side=8, max_side=64, modes=["L", "RGB"], max_quarantined=0.1)


def manifest(each: int = 3) -> pd.DataFrame:
    """Two classes, with `each` images in each of the four roles."""
    names = [(c, r, i) for c in ("cat", "dog") for r in ("train", "val", "calib", "test") for i in range(each)]
    rows = pd.DataFrame(names, columns=["label", "role", "number"])
    rows["path"] = [f"{c}/{r}-{i}.png" for c, r, i in names]
    rows["sha256"] = [f"{n:064x}" for n in range(len(names))]
    rows["group"] = rows["path"]
    rows = rows.assign(split=None, shard=0, status="ok", reason=None, format="PNG", mode="RGB", width=32, height=32)
    looks = {"brightness": 0.5, "contrast": 0.2, "dark_end": 0.2, "bright_end": 0.8, "entropy": 7.0, "sharpness": 1.0}
    rows = rows.assign(
        bytes=999, alike=None, camera=None, taken=None, phash=[f"{n:016x}" for n in range(len(names))], **looks
    )
    return rows[list(COLUMNS)].astype(COLUMNS)


def judged(rows: pd.DataFrame, docs: Path, dataset: Dataset = DATASET) -> Verdict:
    """Validate under this file's limits."""
    return validate(rows, LIMITS, dataset, "pets", docs)


def failed(verdict: Verdict) -> dict[str, ExpectationResult]:
    """Collect the failed findings by id."""
    return {found.id: found for found in verdict.findings if not found.passed}


def put(rows: pd.DataFrame, column: str, at: int, *values: object) -> None:
    """Write `values` into `column` from row `at` on."""
    changed = [*rows[column].iloc[:at], *values, *rows[column].iloc[at + len(values) :]]
    rows[column] = pd.Series(changed, dtype=COLUMNS[column])


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Verdict:
    """Judge 32 rows with every fault, each on rows of its own; 26 of them are usable."""
    rows = manifest(each=4)
    put(rows, "path", 0, None)
    put(rows, "sha256", 1, None)
    put(rows, "status", 2, None, "fine")
    put(rows, "path", 4, "dog/test-3.png")
    put(rows, "label", 5, None)
    put(rows, "role", 6, None, "exam")
    put(rows, "mode", 8, None, "F", "F")
    put(rows, "width", 11, None, 7)
    put(rows, "height", 13, *[65] * 7)
    put(rows, "sha256", 20, f"{31:064x}")
    put(rows, "group", 21, "dog/test-3.png")
    put(rows, "status", 22, *["quarantined"] * 4)
    put(rows, "reason", 22, *["not an image"] * 3, "truncated")
    return judged(rows, tmp_path_factory.mktemp("docs"))


def test_a_manifest_as_ingest_writes_it_passes(tmp_path: Path) -> None:
    """Every declared expectation is executed and holds, and the page of Data Docs says so."""
    verdict = judged(manifest(), tmp_path)
    assert verdict.passed
    assert verdict.executed == verdict.declared == len(verdict.findings) - 1
    assert failed(verdict) == {}
    assert "Fit for training" in (tmp_path / verdict.page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "words", "examples"),
    [
        ("path-present", "1 of 32 files has no path", 0),
        ("digest-present", "1 of 32 files has no digest", 1),
        ("status-present", "1 of 32 files has no status", 1),
        ("status-known", "1 of 32 files has a status that Sightline does not know (fine)", 1),
        ("path-once", "2 rows of the manifest name a file", 1),
        ("label-present", "1 of 26 usable images has no label", 1),
        ("role-present", "1 of 26 usable images has no role", 1),
        ("role-known", "a role that Sightline does not know (exam)", 1),
        ("mode-present", "1 of 26 usable images has no mode", 1),
        (
            "mode-accepted",
            "2 of 26 usable images are stored in a colour mode that validate.modes does not accept (F)",
            2,
        ),
        ("width-present", "1 of 26 usable images has no width", 1),
        ("width-in-range", "1 of 26 usable images has a width outside 8 … 64 pixels (7)", 1),
        ("height-in-range", "7 of 26 usable images have a height outside 8 … 64 pixels (65)", 5),
        ("enough-images", "Too few images: cat has 1 in val. Each class needs at least 2", 0),
        ("no-leak", "in more than one role, byte for byte: 1.", 2),
        ("group-together", "Groups with images in more than one role: 1.", 2),
    ],
)
def test_each_fault_has_its_sentence(sick: Verdict, name: str, words: str, examples: int) -> None:
    """A fault fails its own critical expectation, says how many and what, and shows up to five images."""
    found = failed(sick)[name]
    assert found.critical
    assert words in found.sentence
    assert len(found.examples) == examples
    assert not sick.passed


def damaged(number: int, reason: str) -> pd.DataFrame:
    """A sound manifest of 96 images, and that many more in quarantine for the reason."""
    rows = manifest(each=12)
    bad = rows.head(number).assign(status="quarantined", reason=reason, role=None)
    bad["path"] = [f"bad/{name}" for name in bad["path"]]
    bad["sha256"] = [f"{900 + place:064x}" for place in range(number)]
    return pd.concat([rows, bad], ignore_index=True).astype(COLUMNS)


def test_only_a_large_number_of_bad_files_stops_a_run(tmp_path: Path) -> None:
    """A handful may be any share of the files; unlabelled images are no damage."""
    assert judged(damaged(19, "not an image"), tmp_path).passed
    found = failed(judged(damaged(20, "not an image"), tmp_path))
    assert "20 of 116 files (17.2%): not an image (20)" in found["few-quarantined"].sentence
    assert len(found["few-quarantined"].examples) == 5
    assert judged(damaged(40, "no label: nobody said"), tmp_path).passed


@pytest.mark.parametrize(("number", "whole"), [(19, True), (20, False)])
def test_class_of_a_handful_of_bad_files_is_left_out(tmp_path: Path, number: int, *, whole: bool) -> None:
    """A class folder with one text file named like an image is no reason to stop; a class that was lost is."""
    rows = damaged(number, "not an image")
    rows.loc[rows["status"] == "quarantined", "label"] = "broken"
    found = failed(judged(rows, tmp_path))
    assert ("enough-images" in found) is not whole


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    """There is nothing to tell apart."""
    rows = manifest()
    rows["label"] = rows["label"].str.replace("dog", "cat")
    assert "Classes with usable images: 1." in sentences(judged(rows, tmp_path))[0]


def test_sentences_show_images_and_leave_warnings_out(tmp_path: Path) -> None:
    """What stops a run is told with images to look at; a warning is in the verdict alone."""
    rows = manifest()
    put(rows, "sha256", 0, f"{1:064x}")
    put(rows, "mode", 0, *["F"] * 4)
    verdict = judged(rows, tmp_path)
    assert set(failed(verdict)) == {"picture-once", "mode-accepted"}
    (sentence,) = sentences(verdict)
    assert sentence.endswith("Look at: cat/train-0.png, cat/train-1.png, cat/train-2.png")


def test_a_warning_stops_nothing(tmp_path: Path) -> None:
    """The same picture under two labels of one role is told, and the data set passes."""
    rows = manifest()
    put(rows, "sha256", 0, f"{12:064x}")
    verdict = judged(rows, tmp_path)
    assert verdict.passed, failed(verdict)
    assert set(failed(verdict)) == {"picture-once", "one-label", "contradictions"}
    assert failed(verdict)["one-label"].examples == ("cat/train-0.png", "dog/train-0.png")


def test_held_back_images_do_not_count(tmp_path: Path) -> None:
    """A class whose training images are all but one held back falls short."""
    rows = manifest()
    put(rows, "status", 0, "held_back", "held_back")
    sentence = failed(judged(rows, tmp_path))["enough-images"].sentence
    assert "cat has 1 in train." in sentence
    assert "page of quality" not in sentence


def test_the_splits_that_keep_a_class_out_are_named(tmp_path: Path) -> None:
    """Whoever gave the splits learns which of them alone has the class; of one that is in each, nothing is said."""
    rows = manifest()
    rows["split"] = rows["role"].where(rows["role"] != "calib", "val")
    rows = rows[(rows["label"] != "cat") | (rows["split"] == "test")].reset_index(drop=True)
    sentence = failed(judged(rows, tmp_path))["enough-images"].sentence
    assert "cat has 0 in calib. By the splits that came with the images, cat is only in test. Each class" in sentence
    rows["split"] = pd.Series(pd.NA, rows.index, dtype="string")
    assert "splits that came" not in failed(judged(rows, tmp_path))["enough-images"].sentence


def test_a_class_that_is_wholly_in_quarantine_is_missed(tmp_path: Path) -> None:
    """It would vanish from the model without a word."""
    rows = manifest(each=5)
    rows.loc[rows["label"] == "dog", ["status", "reason"]] = ["quarantined", "truncated"]
    assert "dog has 0 in train" in failed(judged(rows, tmp_path))["enough-images"].sentence


def test_a_role_without_a_share_needs_no_images(tmp_path: Path) -> None:
    """A source has train and val alone."""
    rows = manifest()
    rows = rows[rows["role"].isin(["train", "val"])].reset_index(drop=True)
    source = replace(DATASET, roles=Fractions(train=0.9, val=0.1))
    assert judged(rows, tmp_path, dataset=source).passed
    assert "enough-images" in failed(judged(rows, tmp_path))


def test_quarantined_images_may_be_of_any_size_and_mode(tmp_path: Path) -> None:
    """Size, mode, label and role are asked of usable images alone."""
    rows = manifest()
    for column, value in {"status": "quarantined", "mode": "F", "label": None, "role": None, "width": 99_999}.items():
        put(rows, column, 0, value)
    assert judged(rows, tmp_path).passed


def test_no_rows_and_one_row_get_clear_sentences(tmp_path: Path) -> None:
    """The smallest manifests are judged like any other."""
    nothing = sentences(judged(manifest().head(0), tmp_path))
    assert [sentence.split(":")[0] for sentence in nothing] == [
        "There is no image to work with",
        "Classes with usable images",
    ]
    alone = sentences(judged(manifest().head(1), tmp_path))
    assert any("Too few images: cat has 1 in train, cat has 0 in val" in sentence for sentence in alone)


def test_a_missing_column_and_a_wrong_type_are_named(tmp_path: Path) -> None:
    """What could not be checked for it counts as failed."""
    verdict = judged(manifest().drop(columns="label").astype({"width": "string"}), tmp_path)
    assert "(missing: label)" in failed(verdict)["columns"].sentence
    assert "width is string instead of Int64" in failed(verdict)["types"].sentence
    assert failed(verdict)["label-present"].sentence.startswith("Could not be checked: Every usable image has a label.")
    assert failed(verdict)["width-in-range"].sentence.startswith("Could not be checked")
    assert verdict.executed == verdict.declared


def test_a_dropped_expectation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations drops an expectation that is not registered and reports success: we do not."""
    from great_expectations.expectations.registry import _registered_expectations

    from sightline.data.validation import suite

    assert suite.rules(LIMITS, DATASET)
    monkeypatch.delitem(_registered_expectations, "expect_images_per_class")
    verdict = judged(manifest(), tmp_path)
    assert not verdict.passed
    assert verdict.executed == verdict.declared - 1
    assert set(failed(verdict)) == {"suite", "enough-images"}
    assert failed(verdict)["enough-images"].sentence.startswith("Not checked")


def test_a_dropped_warning_fails_too() -> None:
    """Nobody knows what else went wrong where an expectation vanished."""
    from sightline.data.validation import suite

    declared = suite.rules(LIMITS, DATASET)
    outcome = expectations._run_checkpoint(manifest(), declared[:-1], "pets")
    findings = expectations.judge(declared, outcome.results)
    lost = [(found.id, found.critical) for found in findings if not found.passed]
    assert lost == [("suite", True), ("one-label", False)]


def test_more_than_declared_fails() -> None:
    """A suite that was added to behind our back is not the declared one."""
    from sightline.data.validation import suite

    declared = suite.rules(LIMITS, DATASET)
    outcome = expectations._run_checkpoint(manifest(), declared, "pets")
    findings = expectations.judge(declared[:-1], outcome.results)
    assert [found.id for found in findings if not found.passed] == ["suite"]


def test_other_arguments_than_declared_fail() -> None:
    """An expectation that was executed with another limit is not the declared one."""
    from sightline.data.validation import suite

    outcome = expectations._run_checkpoint(manifest(), suite.rules(LIMITS, DATASET), "pets")
    stricter = suite.rules(replace(LIMITS, min_side=48), DATASET)
    findings = expectations.judge(stricter, outcome.results)
    assert [found.id for found in findings if not found.passed] == ["suite", "width-in-range", "height-in-range"]


def test_equal_data_give_equal_bytes(tmp_path: Path) -> None:
    """Verdict and page hold no time, no random id and no path of the machine; the verdict comes back from its text."""
    rows = manifest()
    put(rows, "mode", 0, "F")
    first, second = judged(rows, tmp_path / "a"), judged(rows, tmp_path / "b")
    assert first.to_json() == second.to_json()
    assert Verdict.from_json(first.to_json()) == first
    pages = [(tmp_path / folder / first.page).read_bytes() for folder in ("a", "b")]
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0] + first.to_json().encode()


def test_the_page_needs_no_network_and_no_script(tmp_path: Path) -> None:
    """Styles are inside, nothing is fetched, and names from the data are text, not markup."""
    rows = manifest()
    for column, value in {"mode": "<script>", "label": "<b>cat", "path": "<i>.png"}.items():
        put(rows, column, 0, value)
    verdict = judged(rows, tmp_path)
    page = (tmp_path / verdict.page).read_text(encoding="utf-8")
    assert not re.search(r"<script|<b>cat|<i>\.png|<link|https?:|src=|@import|url\(", page)
    for shown in ("Not fit for training", "&lt;script&gt;", "&lt;b&gt;cat", "&lt;i&gt;.png", "<style>"):
        assert shown in page


def test_tracebacks_stay_out_of_the_page(tmp_path: Path) -> None:
    """An exception is told in a line; folders of this machine are not."""
    verdict = judged(manifest().drop(columns="label"), tmp_path)
    page = (tmp_path / verdict.page).read_text(encoding="utf-8")
    assert "raised an exception" in page
    assert "Traceback" not in page


def test_a_missing_value_renders_without_an_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Great Expectations' renderer stumbles over pandas' NA and logs it; the page is whole all the same."""
    rows = manifest()
    put(rows, "label", 0, None)
    judged(rows, tmp_path)
    assert [record.message for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


def test_nothing_is_sent_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is tried, and Great Expectations' analytics are off."""
    tried: list[object] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: tried.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: tried.append(address))
    judged(manifest(), tmp_path)
    assert tried == []
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_what_a_given_test_set_shows_is_left_out_and_the_run_goes_on(tmp_path: Path) -> None:
    """A third of the training images are copies of test images: told, no damage; all of a class: the run stops."""
    for label, first in (("cat", 0), ("dog", 100)):
        for number in range(16):
            part = "test" if number < 4 else "train"
            place = tmp_path / "raw" / part / label / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            seed = first + number - 4 if 4 <= number < 8 else first + number
            image = picture(seed, 64)
            (image.rotate(90) if part == "train" else image).save(place)
    rows, verdict = looked_at(tmp_path)
    left = rows[rows["status"] == HELD_BACK]
    assert sorted(left["path"]) == sorted(f"train/{label}/{n}.png" for label in ("cat", "dog") for n in range(4, 8))
    assert left["reason"].iloc[0] == "left out of training: a near copy of test/cat/0.png (test)"
    assert (rows["role"] == "test").sum() == 8
    assert verdict.passed, failed(verdict)
    assert set(failed(verdict)) == {"near-copies", "leaks"}
    assert set(failed(verdict)["leaks"].examples) <= set(rows.loc[rows["alike"].notna(), "path"])
    for number in range(8, 16):
        picture(number % 4, 64).save(tmp_path / "raw" / "train" / "cat" / f"{number}.png")
    _, verdict = looked_at(tmp_path)
    assert not verdict.passed
    said = " ".join(sentences(verdict))
    assert "cat has 0 in train (12 left out, as copies)" in said
    assert "What is left out shows the same as a test or validation image: see the page of quality. Each class" in said
    assert "splits that came" not in said


def looked_at(folder: Path) -> tuple[pd.DataFrame, Verdict]:
    """Ingest `raw` below the folder as at the first time, and validate."""
    raw, cache = folder / "raw", folder / "cache.parquet"
    rows = contents.read_files(contents.read_layout(raw), raw, Ingest(), cache)
    near = pairs.find(rows, raw, Ingest(), folder / "near.parquet", thumbnails.beside(cache))
    rows = ingest.decide(rows.drop(columns=[THUMBNAIL, *BESIDE]), DATASET, None, near)
    return rows, judged(rows, folder / "docs")
