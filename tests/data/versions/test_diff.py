from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import COLOURS, draw
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.data.versions import archive, dvc, history
from sightline.data.versions.diff import CHANGE, compare, words
from sightline.errors import DataError
from sightline.report.changes import write_changes

if TYPE_CHECKING:
    from sightline.project import Paths

Row = tuple[str, str, str | None]
"""Path, content and label of an image."""


def manifest(*images: Row, role: str = "train", status: str = "ok") -> pd.DataFrame:
    rows = pd.DataFrame(images, columns=["path", "sha256", "label"], dtype="string")
    return rows.assign(role=role, status=status).astype("string")


def told(old: pd.DataFrame, new: pd.DataFrame) -> list[tuple[str, str, str | None, str | None]]:
    """The changes without digests, missing values as None."""
    changes = compare(old, new)[["kind", "path", "was", "now"]].astype(object)
    return [tuple(row) for row in changes.where(changes.notna(), None).itertuples(index=False)]


A, B, C = ("cat/a", "1", "cat"), ("cat/b", "2", "cat"), ("dog/c", "3", "dog")


def test_the_same_manifest_has_no_change() -> None:
    """And that is said."""
    rows = manifest(A, B, C)
    changes = compare(rows, rows)
    assert changes.empty
    assert list(changes) == CHANGE
    assert words(changes, rows, rows) == ("the same images, labels and roles",)


def test_added_and_removed_images_are_told_with_their_class() -> None:
    """Classes that came or went with them are named."""
    old, new = manifest(A, B), manifest(B, C, ("x", "4", None))
    assert told(old, new) == [
        ("added", "dog/c", None, "dog"),
        ("added", "x", None, None),
        ("removed", "cat/a", "cat", None),
    ]
    assert words(compare(old, new), old, new) == (
        "2 images added (dog 1, no label 1)",
        "1 image removed (cat 1)",
        "new class dog",
    )


def test_new_content_under_an_old_name_is_another_image() -> None:
    """An image is its bytes."""
    assert told(manifest(A), manifest(("cat/a", "9", "cat"))) == [
        ("added", "cat/a", None, "cat"),
        ("removed", "cat/a", "cat", None),
    ]


def test_an_image_in_another_class_folder_is_relabelled() -> None:
    """Whether it was moved or its label was imported; a move within the class is a new name."""
    assert told(manifest(A, B), manifest(("dog/a", "1", "dog"), ("cat/b2", "2", "cat"))) == [
        ("renamed", "cat/b2", "cat/b", "cat/b2"),
        ("relabelled", "dog/a", "cat", "dog"),
    ]
    assert told(manifest(("a", "1", None)), manifest(("a", "1", "cat"))) == [("relabelled", "a", None, "cat")]


def test_role_and_status_are_told() -> None:
    """A first role is no change of role."""
    old, new = manifest(A), manifest(A, role="val", status="quarantined")
    assert told(old, new) == [("role", "cat/a", "train", "val"), ("status", "cat/a", "ok", "quarantined")]
    assert words(compare(old, new), old, new)[0] == "1 image with another role (train → val 1)"
    old["role"] = pd.NA
    assert told(old, manifest(A)) == []


def test_copies_of_a_picture_are_told_apart_by_path() -> None:
    """Of three copies one leaves, one stays and one is renamed."""
    old = manifest(("a", "1", "cat"), ("b", "1", "cat"), ("c", "1", "cat"))
    new = manifest(("b", "1", "cat"), ("d", "1", "cat"))
    assert told(old, new) == [("removed", "c", "cat", None), ("renamed", "d", "a", "d")]


def test_many_cases_are_counted() -> None:
    """A sentence stays a sentence."""
    new = manifest(*((f"{n}", f"{n}", f"class {n}") for n in range(9)))
    sentences = words(compare(new.head(0), new), new.head(0), new)
    assert sentences[0].startswith("9 images added (class 0 1, class 1 1,")
    assert sentences[0].endswith(", 4 more)")
    assert sentences[1].endswith("class 4 and 4 more")


images = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("123"), st.sampled_from(["cat", "dog", None])),
    unique_by=lambda row: row[0],
)


@pytest.mark.slow
@given(images, images)
@settings(max_examples=60, deadline=None)
def test_the_way_back_is_the_way_there_reversed(first: list[Row], second: list[Row]) -> None:
    """Added and removed change places, and what stayed plus what was added is the new version."""
    old, new = manifest(*first), manifest(*second)
    there, back = compare(old, new), compare(new, old)
    for one, other in (("added", "removed"), ("removed", "added")):
        paths = sorted(there.loc[there["kind"] == one, "path"])
        assert paths == sorted(back.loc[back["kind"] == other, "path"])
    kinds = there["kind"].value_counts()
    assert len(old) + kinds.get("added", 0) - kinds.get("removed", 0) == len(new)


@pytest.fixture
def changed(ingested: Paths) -> Paths:
    """A second version: one image added, one removed, one moved to another class, one outside of any class."""
    raw = ingested.raw("target")
    draw(7, COLOURS["red"]).save(raw / "red" / "a <b>&new.png")
    (raw / "blue" / "0001.png").unlink()
    shutil.move(raw / "blue" / "0002.png", raw / "red" / "moved.png")
    draw(8, COLOURS["red"]).save(raw / "loose.png")
    history.ingest(ingested, "target")
    return ingested


SAID = [
    "2 images added (no label 1, red 1)",
    "1 image removed (blue 1)",
    "1 image relabelled (blue → red 1)",
]


def test_the_command_compares_a_commit_with_now(changed: Paths) -> None:
    """Text for people, JSON for scripts, and a page; a version's first digits name it as well as a commit does."""
    done = CliRunner().invoke(app, ["data", "diff", "HEAD"])
    assert done.output.splitlines()[:3] == SAID
    first, second = (entry.version for entry in history.read(changed, "target"))
    found = json.loads(CliRunner().invoke(app, ["data", "diff", first[:6], second[:6], "--json"]).output)
    assert found["words"] == SAID
    assert (found["from"], found["to"]) == (first, second)
    assert [change["path"] for change in found["changes"] if change["kind"] == "removed"] == ["blue/0001.png"]
    assert found["page"].endswith(f"reports/data-target-{first[:6]}-{second[:6]}.html")


def test_the_page_shows_every_image_even_a_removed_one(changed: Paths) -> None:
    """Thumbnails are inside the page, the removed image comes from DVC's cache, and names are text, not markup."""
    page = json.loads(CliRunner().invoke(app, ["data", "diff", "HEAD", "--json"]).output)["page"]
    html = (changed.reports / page).read_text(encoding="utf-8")
    assert html.count('src="data:image/png;base64,') == 4
    assert "<div>no picture</div>" not in html
    assert "a &lt;b&gt;&amp;new.png" in html
    assert not re.search(r"<script|https?:|<b>&", html)


def test_a_removed_image_without_a_copy_has_no_picture(changed: Paths) -> None:
    """Where the cache does not hold it either, the page says so and is whole all the same."""
    old, new = history.find(changed, "target", "HEAD"), history.find(changed, "target", "now")
    lost = archive.Version("target", old.digest, raw=None)
    before, after = archive.rows(changed, old), archive.rows(changed, new)
    page = write_changes(changed, lost, new, ("a/../b", "now"), compare(before, after), SAID)
    assert page.name == "data-target-a-..-b-now.html"
    assert page.read_text(encoding="utf-8").count("<div>no picture</div>") == 1


def test_an_unknown_version_is_told_with_the_known_ones(changed: Paths) -> None:
    """So is one that several versions begin with."""
    known = [entry.version[:8] for entry in history.read(changed, "target")]
    with pytest.raises(DataError, match=f"zzz is no version of target .its log has {', '.join(known)}."):
        history.find(changed, "target", "zzz")
    with pytest.raises(DataError, match="fits 2 versions of target"):
        history.find(changed, "target", "")


def test_an_old_manifest_comes_from_the_remote(ingested: Paths) -> None:
    """Where the cache lost it; and where there is no remote, the message says how versions stay comparable."""
    old = history.find(ingested, "target", "HEAD")
    before = archive.rows(ingested, old)
    shelf = ingested.root.parent / "shelf"
    with dvc.opened(ingested.root) as repo, repo.config.edit() as values:
        values["core"]["remote"] = "shelf"
        values["remote"]["shelf"] = {"url": str(shelf)}
    with dvc.opened(ingested.root) as repo:
        repo.push()
    (ingested.raw("target") / "blue" / "0001.png").unlink()
    history.ingest(ingested, "target")
    shutil.rmtree(ingested.root / ".dvc" / "cache")
    pd.testing.assert_frame_equal(archive.rows(ingested, old), before)
    with pytest.raises(DataError, match=r"remote does not hold it either[\s\S]*dvc push"):
        archive.rows(ingested, archive.current(ingested, "target"))
