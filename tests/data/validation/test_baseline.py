from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import COLOURS, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.manifest import COLUMNS
from sightline.data.validation import baseline
from sightline.data.validation.baseline import distance, infer
from sightline.data.validation.expectations import validate
from sightline.data.versions import dvc, history
from sightline.errors import DataError, ValidationFailed
from sightline.params import Against, Dataset, Fractions, Validate

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.data.validation.verdict import Verdict
    from sightline.project import Paths

# Great Expectations imports sre_constants and sre_parse, which Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")

ROLES = ("train", "val")
DATASET = Dataset(images="raw", roles=Fractions(train=0.5, val=0.5))


def manifest(side: int = 32, first: int = 0, **classes: int) -> pd.DataFrame:
    """So many images of each class, half of them in each role."""
    names = [(name, number) for name, count in classes.items() for number in range(first, first + count)]
    rows = pd.DataFrame({"label": [name for name, _ in names]})
    rows["path"] = [f"{name}/{number}.png" for name, number in names]
    rows["sha256"] = rows["group"] = rows["path"]
    rows["role"] = [ROLES[number % 2] for _, number in names]
    rows = rows.assign(
        split=None, shard=0, status="ok", reason=None, format="PNG", mode="RGB", width=side, height=side, bytes=999
    )
    return rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)


BEFORE = manifest(cat=40, dog=40)
ACCEPTED = infer(BEFORE, "v1")


def judged(rows: pd.DataFrame, docs: Path, **limits: float) -> Verdict:
    against = replace(Against(), **limits)  # type: ignore[arg-type]
    return validate(rows, Validate(baseline=against), DATASET, "pets", docs, ACCEPTED)


def failed(verdict: Verdict) -> dict[str, str]:
    return {found.id: found.sentence for found in verdict.findings if not found.passed}


def test_the_accepted_version_is_at_no_distance_from_itself() -> None:
    """In every aspect that it has."""
    looks = {"brightness", "contrast", "dark_end", "bright_end", "entropy", "sharpness"}
    assert set(ACCEPTED.spreads) == {"width", "height", "bytes", *looks}
    aspects = {"columns": ACCEPTED.columns, **ACCEPTED.kinds, **ACCEPTED.spreads}
    aspects |= dict.fromkeys(("new_classes", "lost_classes", "loss", "label"), ACCEPTED.classes)
    assert {aspect: distance(aspect, accepted, BEFORE)[0] for aspect, accepted in aspects.items()} == dict.fromkeys(
        aspects, 0
    )


def test_it_comes_back_from_its_file(tmp_path: Path) -> None:
    """The same version gives the same bytes; no file is no baseline; a damaged one is told with the remedy."""
    path = tmp_path / "baseline" / "target.json"
    assert baseline.read(path) is None
    baseline.write(ACCEPTED, path)
    written = path.read_bytes()
    assert baseline.read(path) == ACCEPTED
    baseline.write(infer(manifest(cat=40, dog=40), "v1"), path)
    assert path.read_bytes() == written
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match=r"damaged .* `sightline data baseline`"):
        baseline.read(path)


def test_distances_are_known_figures() -> None:
    """Shares by total variation, numbers by the largest gap of their distribution functions."""
    mixed = manifest(cat=60, dog=20)
    assert distance("label", ACCEPTED.classes, mixed) == (0.25, "cat 50.0% → 75.0%, dog 50.0% → 25.0%")
    assert distance("loss", ACCEPTED.classes, mixed) == (0.5, "dog 40 → 20")
    assert distance("lost_classes", ACCEPTED.classes, manifest(cat=9)) == (1, "dog")
    assert distance("new_classes", ACCEPTED.classes, manifest(cat=9, dog=9, fox=9)) == (1, "fox")
    for side in (16, 64):
        assert distance("width", ACCEPTED.spreads["width"], manifest(side, cat=9)) == (1, f"median 32 → {side}")
    half = pd.concat([manifest(cat=40), manifest(64, cat=40)])
    assert distance("width", ACCEPTED.spreads["width"], half)[0] == 0.5
    assert distance("width", ACCEPTED.spreads["width"], BEFORE.head(0))[0] == 1


numbers = st.lists(st.integers(1, 9), min_size=1, max_size=30)


@given(numbers, numbers)
@settings(max_examples=50, deadline=None)
def test_distances_lie_between_0_and_1(first: list[int], second: list[int]) -> None:
    """Whatever the values; and they are 0 for equal ones."""
    old, new = (manifest(cat=len(values)).assign(width=pd.array(values, "Int64")) for values in (first, second))
    accepted = infer(old, "v").spreads["width"]
    assert 0 <= distance("width", accepted, new)[0] <= 1
    assert distance("width", accepted, old)[0] == pytest.approx(0, abs=1e-5)


def test_a_like_version_passes(tmp_path: Path) -> None:
    """More of the same is no change; every expectation was executed."""
    verdict = judged(manifest(cat=44, dog=44), tmp_path)
    assert failed(verdict) == {}
    assert verdict.passed
    assert verdict.executed == verdict.declared > 25


def test_changes_past_the_limits_stop_the_run(tmp_path: Path) -> None:
    """Each with its own sentence, its figures and the remedy."""
    verdict = judged(manifest(64, cat=120, fox=10), tmp_path)
    assert not verdict.passed
    found = failed(verdict)
    assert "new classes: 1 (fox)" in found["baseline-new_classes"]
    assert "classes that are gone: 1 (dog)" in found["baseline-lost_classes"]
    assert "shift of the distribution of width: 1 (median 32 → 64)" in found["baseline-width"]
    assert "or raise validate.baseline.shift (now 0.25)" in found["baseline-label"]
    assert "accept it as it is with `sightline data baseline`" in found["baseline-label"]
    assert "baseline-format" not in found


def test_smaller_changes_are_told_and_stop_nothing(tmp_path: Path) -> None:
    """A warning speaks only where the critical expectation of the same aspect is silent."""
    verdict = judged(manifest(cat=40, dog=25, fox=4), tmp_path, new_classes=1)
    assert verdict.passed
    assert set(failed(verdict)) == {"baseline-new_classes-told", "baseline-loss-told", "baseline-label-told"}
    assert "0.38 (dog 40 → 25). It may be up to 0.5." in failed(verdict)["baseline-loss-told"]
    stricter = judged(manifest(cat=40, dog=25, fox=4), tmp_path, new_classes=1, loss=0.3)
    assert set(failed(stricter)) == {"baseline-new_classes-told", "baseline-loss", "baseline-label-told"}


def test_columns_of_another_release_are_told(tmp_path: Path) -> None:
    """A column that the accepted manifest had, or its type, may not change in silence."""
    older = replace(ACCEPTED, columns=ACCEPTED.columns | {"colour": "string", "width": "float64"})
    verdict = validate(BEFORE, Validate(), DATASET, "pets", tmp_path, older)
    assert "2 (colour is gone, width was float64, is Int64)" in failed(verdict)["baseline-columns"]


def test_a_dropped_comparison_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Great Expectations drops what is not registered and reports success: we do not."""
    from great_expectations.expectations.registry import _registered_expectations

    assert judged(BEFORE, tmp_path).passed
    monkeypatch.delitem(_registered_expectations, "expect_near_baseline")
    verdict = judged(BEFORE, tmp_path)
    assert not verdict.passed
    assert failed(verdict)["baseline-columns"].startswith("Not checked")


@pytest.fixture
def lenient(ingested: Paths) -> Paths:
    """An ingested project whose present version is accepted."""
    done = CliRunner().invoke(app, ["data", "baseline"])
    assert done.exit_code == 0, done.exception
    assert "180 images of 3 classes is accepted" in done.output
    assert done.output.endswith("keep it: git add data/baseline/target.json\n")
    return ingested


def test_what_is_accepted_already_is_no_row_of_the_log(lenient: Paths) -> None:
    """The same version a second time changes nothing, and says so."""
    done = CliRunner().invoke(app, ["data", "baseline"])
    assert "180 images of 3 classes is accepted already" in done.output
    assert [entry.what[0] for entry in history.read(lenient, "target")][1:] == ["accepted as the baseline"]


@pytest.mark.slow
def test_the_command_accepts_and_the_next_change_stops_the_run(lenient: Paths) -> None:
    """A class more stops `validate` until the version is accepted in its turn; the log tells who accepted."""
    for number in range(80):
        place = lenient.raw("target") / "violet" / f"{number}.png"
        place.parent.mkdir(exist_ok=True)
        draw(number, (120, 20, 160)).save(place)
    history.ingest(lenient, "target")
    with pytest.raises(ValidationFailed, match=r"new classes: 1 \(violet\)"):
        dvc.reproduce(lenient, "validate", "target")
    said = json.loads(CliRunner().invoke(app, ["data", "baseline", "--json"]).output)
    assert said["classes"]["violet"] == 80
    history.ingest(lenient, "target")
    assert dvc.reproduce(lenient, "validate", "target").ran
    baseline.write(ACCEPTED, lenient.baseline("target"))
    history.ingest(lenient, "target")
    with pytest.raises(ValidationFailed, match="classes that are gone"):
        dvc.reproduce(lenient, "validate", "target")
    whats = [entry.what[0] for entry in history.read(lenient, "target")]
    assert whats[1:] == ["accepted as the baseline", "80 images added (violet 80)", "accepted as the baseline"]


def test_what_is_not_fit_is_not_accepted(ingested: Paths) -> None:
    """And an earlier baseline stays."""
    (ingested.raw("target") / "violet").mkdir()
    draw(1, COLOURS["red"]).save(ingested.raw("target") / "violet" / "only.png")
    history.ingest(ingested, "target")
    done = CliRunner().invoke(app, ["data", "baseline"])
    assert isinstance(done.exception, ValidationFailed)
    assert "cannot be a baseline, it is not fit:\nToo few images: violet" in str(done.exception)
    assert not ingested.baseline("target").exists()


def test_the_file_holds_figures_only(lenient: Paths) -> None:
    """No time and no path of the machine: it is reviewed like code."""
    kept = json.loads(lenient.baseline("target").read_text(encoding="utf-8"))
    assert set(kept) == set(asdict(ACCEPTED))
    assert kept["version"] == history.read(lenient, "target")[0].version
    assert str(lenient.root) not in json.dumps(kept)
