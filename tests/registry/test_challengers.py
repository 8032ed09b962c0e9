"""Which version may answer beside the champion: by the ledger, with real versions of a real registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from answering import image
from conftest import copy_project, enter, make_project

from sightline.errors import RegistryError
from sightline.models.bundle import Card
from sightline.models.predictor import write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build
from sightline.registry.challengers import Record, challenger, over
from sightline.registry.ledger import (
    INSUFFICIENT,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    SET_BACK,
    UNCHANGED,
    WAITING,
    Entry,
    Identity,
)
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

MODEL = "toy-classifier"


def row(version: str, decision: str, before: str | None = None, bundle: str | None = "b", **verdicts: str) -> Entry:
    said = {"integrity": "passed", "data": "passed", "overall": "failed"} | verdicts
    evidence = {} if decision == UNCHANGED else {"blessings": [{"name": k, "verdict": v} for k, v in said.items()]}
    return Entry(
        model=MODEL,
        version=version,
        champion_before=before,
        decision=decision,
        actor="ann",
        reason="test",
        evidence=evidence,
        bundle=bundle,
    )


def record(*rows: Entry, champion: str = "1") -> Record:
    return Record(MODEL, Identity(champion, "b", None), rows)


@pytest.mark.parametrize(
    ("rows", "shadow", "canary"),
    [
        ([], True, False),
        ([row("2", INSUFFICIENT)], True, True),
        ([row("2", WAITING)], True, True),
        ([row("2", REFUSED)], False, False),
        ([row("2", SET_BACK)], False, False),
        ([row("2", REFUSED), row("2", INSUFFICIENT)], True, True),
        ([row("2", INSUFFICIENT), row("2", REFUSED)], False, False),
        ([row("2", PROMOTED), row("1", PROMOTED)], True, True),
        ([row("2", PROMOTED), row("1", ROLLED_BACK, before="2")], False, False),
        ([row("2", PROMOTED), row("1", ROLLED_BACK, before="2"), row("2", INSUFFICIENT)], True, True),
        ([row("3", PROMOTED), row("2", ROLLED_BACK, before="3"), row("1", PROMOTED)], True, True),
        ([row("2", INSUFFICIENT, integrity="failed")], True, False),
        ([row("2", INSUFFICIENT, data="missing")], True, False),
        ([row("2", INSUFFICIENT, bundle="another")], True, False),
        ([row("2", INSUFFICIENT, bundle=None)], True, False),
        ([row("2", PROMOTED), row("2", UNCHANGED), row("1", PROMOTED)], True, True),
        ([row("3", REFUSED)], True, False),
    ],
)
def test_ledger_decides(rows: list[Entry], *, shadow: bool, canary: bool) -> None:
    """A shadow must not be refused; a canary must have been judged, with these files, and passed what is about them."""
    assert (record(*rows).against("2") is None) is shadow
    assert (record(*rows).against_canary("2", "b") is None) is canary


def test_champion_is_no_challenger() -> None:
    """Also where a rollback led to it."""
    assert record(champion="2").against("2") == "version 2 is the champion"
    back = record(row("2", PROMOTED), row("1", PROMOTED), row("2", ROLLED_BACK, before="1"), champion="2")
    assert back.against("2") == "version 2 is the champion"
    assert back.against("1") == "version 1 is rolled back"


@pytest.fixture(scope="module")
def registered_once(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Paths:
    """A project with three registered versions, the first of them champion; to be copied, not changed."""
    home = tmp_path_factory.mktemp("challenger")
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", images), patch)
        tracker, ledger = connect(paths), open_ledger(paths)
        run = tracker.start("toy", {})
        for number in range(3):
            folder, bundle = home / f"{number}" / "weights", home / f"{number}" / "bundle"
            folder.mkdir(parents=True)
            card = Card("cnn", 16, ("cat", "dog"), 1.0 + number, save_weights(build("cnn", 2, 16).eval(), folder))
            write_bundle(bundle, card, folder / WEIGHTS, [image()])
            tracker.register_classifier(run, bundle, {})
        ledger.append(row("1", PROMOTED, bundle=tracker.digest(MODEL, "1")))
        ledger.close()
    return paths


@pytest.fixture
def registered(registered_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it, entered."""
    return copy_project(registered_once, tmp_path / "toy project", monkeypatch)


def decide(paths: Paths, version: str, decision: str, **values: Any) -> None:
    ledger = open_ledger(paths)
    bundle = connect(paths).digest(MODEL, version)
    ledger.append(row(version, decision, before=ledger.champion(MODEL), bundle=bundle, **values))
    ledger.close()


def test_challenger_is_the_newest_that_may_be_it(registered: Paths) -> None:
    """By default the newest after the champion; it ends once the ledger has spoken."""
    found = challenger(registered, canary=False)
    assert (found.number, found.predictor.card.temperature) == ("3", 3.0)
    with pytest.raises(RegistryError, match="has not judged version 3"):
        challenger(registered, canary=True)
    decide(registered, "3", INSUFFICIENT)
    assert challenger(registered, canary=True).digest == found.digest
    assert over(registered, "3") is None
    decide(registered, "3", REFUSED)
    assert over(registered, "3") == "version 3 is refused"
    assert challenger(registered, canary=False).number == "2"
    with pytest.raises(RegistryError, match="version 3 is refused"):
        challenger(registered, "3", canary=False)
    decide(registered, "2", PROMOTED)
    assert over(registered, "2") == "version 2 is the champion"
    with pytest.raises(RegistryError, match="no challenger"):
        challenger(registered, canary=False)
    assert challenger(registered, "1", canary=False).number == "1"
    with pytest.raises(RegistryError, match="no version 7"):
        challenger(registered, "7", canary=False)


def test_challenger_with_other_files_does_not_answer(registered: Paths) -> None:
    """Neither unheard: what lies in the store must be what was registered."""
    for path in registered.mlflow.rglob(f"m-*/**/{WEIGHTS}"):
        path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(RegistryError, match="was changed since"):
        challenger(registered, "3", canary=False)
