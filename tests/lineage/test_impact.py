"""What an image touched, against a history that kept count while it happened."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.lineage import impact
from sightline.lineage.impact import Model, built_on, touched_by
from sightline.registry.ledger import PROMOTED, REFUSED, Entry

if TYPE_CHECKING:
    import pytest

    from sightline.project import Paths

IMAGES = ["aa", "ab", "cd", "ef", "gh"]
ROLES = ["train", "val", "calib", "test"]
STATES = ["ok", "ok", "held_back", "quarantined"]
CHANGES = st.tuples(
    st.just("put"),
    st.sampled_from(["source", "target"]),
    st.sampled_from(IMAGES),
    st.sampled_from(ROLES),
    st.sampled_from(STATES),
)
EVENTS = st.one_of(
    CHANGES,
    CHANGES,
    st.tuples(st.just("remove"), st.sampled_from(["source", "target"]), st.sampled_from(IMAGES)),
    st.tuples(st.just("release")),
    st.tuples(st.just("train"), st.booleans()),
    st.tuples(st.just("decide"), st.booleans()),
)


@dataclass
class History:
    """A project that keeps, as things happen, what each image goes into."""

    present: dict[str, dict[str, tuple[str, str]]] = field(default_factory=lambda: {"source": {}, "target": {}})
    tables: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    releases: dict[str, frozenset[str]] = field(default_factory=lambda: {"r0": frozenset()})
    models: list[Model] = field(default_factory=list)
    rows: list[Entry] = field(default_factory=list)
    in_data: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    in_models: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    in_rows: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def version(self, use: str) -> str:
        """The present version of a data set, made where it is new: equal contents are one version."""
        images = self.present[use]
        name = repr(sorted(images.items()))
        rows = [(f"{one}.png", one, "a", role, status) for one, (role, status) in images.items()]
        self.tables[use, name] = pd.DataFrame(rows, columns=["path", "sha256", "label", "role", "status"]).astype(
            "string"
        )
        for one in images:
            self.in_data[one].add((use, name))
        return name

    def train(self, *, scratch: bool) -> None:
        """Register a classifier: from scratch the source has no part in it."""
        number, release = str(len(self.models) + 1), f"r{len(self.releases) - 1}"
        tags = {f"data.{use}": self.version(use) for use in self.present}
        tags |= {"stage": "scratch"} if scratch else {"stage": "finetune"}
        self.models.append(Model(model="m", version=number, data=built_on(tags), release=release))
        for use in ["target"] if scratch else ["source", "target"]:
            for one, (role, status) in self.present[use].items():
                if status == "ok" and (role != "test" or one in self.releases[release]):
                    self.in_models[one].add(number)

    def decide(self, *, promoted: bool) -> None:
        """Put the last model before the gate."""
        if self.models:
            number, at = self.models[-1].version, f"{len(self.rows):04}"
            decision = PROMOTED if promoted else REFUSED
            row = Entry(
                model="m", version=number, champion_before=None, decision=decision, actor="a", reason="b", at=at
            )
            self.rows.append(row)
            for one, numbers in self.in_models.items():
                if number in numbers:
                    self.in_rows[one].add(at)

    def happen(self, event: tuple[object, ...]) -> None:
        """One event."""
        match event:
            case ("put", str(use), str(image), str(role), str(status)):
                self.present[use][image] = (role, status)
            case ("remove", str(use), str(image)):
                self.present[use].pop(image, None)
            case ("release",):
                tests = {one for one, (role, _) in self.present["target"].items() if role == "test"}
                self.releases[f"r{len(self.releases)}"] = frozenset(tests)
            case ("train", bool(scratch)):
                self.train(scratch=scratch)
            case ("decide", bool(promoted)):
                self.decide(promoted=promoted)


def test_text_that_is_longer_than_a_name_is_no_file() -> None:
    """Whoever asks is told that no image is called so."""
    assert impact.given("x" * 300).sha256 is None


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_impact_finds_exactly_the_right_versions(events: list[tuple[object, ...]]) -> None:
    """For every image and any history: the versions, models and promotions that it went into, all and no others."""
    history = History()
    for event in events:
        history.happen(event)
    for image in IMAGES:
        held, models, rows = touched_by(image, history.tables, history.releases, history.models, history.rows)
        assert {(one.use, one.version) for one in held} == history.in_data[image]
        assert {one.version for one in models} == history.in_models[image]
        assert {one.at for one in rows} == history.in_rows[image]


def test_parts_are_told_for_every_copy() -> None:
    """Copies of an image in several roles give each of their parts; one in quarantine gives none."""
    rows = [
        ("a", "x", "train", "ok"),
        ("b", "x", "val", "ok"),
        ("c", "x", "test", "quarantined"),
        ("d", "y", "test", "ok"),
    ]
    table = pd.DataFrame([(*one, "l") for one in rows], columns=["path", "sha256", "role", "status", "label"])
    model = Model(model="m", version="1", data={"target": "v"}, release="r")
    held, (touched,), _ = touched_by("x", {("target", "v"): table}, {}, [model], [])
    assert [one.path for one in held] == ["a", "b", "c"]
    assert touched.parts == ("target: chosen by it", "target: trained on it")
    assert touched_by("y", {("target", "v"): table}, {"r": frozenset()}, [model], [])[1] == ()


def test_what_cannot_be_asked_is_not_known(ingested: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has to delete an image reads of no model that has seen none where nobody could look."""
    image = impact.given(str(next(ingested.raw("target").rglob("*.png"))))
    found = impact.find_impact(ingested, image)
    assert (found.models, found.promotions, found.unknown) == ((), (), ())
    with monkeypatch.context() as patch:
        patch.setenv("SIGHTLINE_LEDGER_URI", "nowhere")
        found = impact.find_impact(ingested, image)
        assert (found.models, found.promotions) == ((), None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    found = impact.find_impact(ingested, image)
    assert (len(found.data), found.models, found.promotions) == (1, None, None)
    said = CliRunner().invoke(app, ["impact", image.said]).output
    assert "Models: not known" in said
    assert "Promotions: not known" in said
