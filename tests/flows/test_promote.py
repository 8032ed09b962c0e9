"""Promotion, rollback and history on a trained toy project, by the real commands."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from commands import call
from conftest import copy_project
from typer.testing import CliRunner

from flows.cli.app import app
from sightline import project
from sightline.errors import RegistryError
from sightline.registry.blessing import REQUIRED
from sightline.registry.ledger import WAITING
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("torch_answers")]
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def trained_once(run_once: Path, tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Paths:  # noqa: ARG001 — the flow needs it
    """A toy project with a champion, and a version 2 with other weights that the gate did not promote."""
    from flows.train import train

    home, original = tmp_path_factory.mktemp("promote"), project.Paths(run_once / "toy project")
    with pytest.MonkeyPatch.context() as patch:
        paths = copy_project(original, home / "toy project", patch)
        assert train({"finetune.scratch.learning_rate": 0.07}).outcome.version == "2"
    return paths


@pytest.fixture(autouse=True)
def trained(trained_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it for each test, entered: no test sees what another one decided."""
    return copy_project(trained_once, tmp_path / "toy project", monkeypatch)


def rows() -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(RUNNER.invoke(app, ["history", "--json"]).stdout)
    return found


def test_history_tells_every_attempt() -> None:
    """Who, why, from which champion to which, and the evidence, in JSON and as a table."""
    first, second = rows()
    assert (first["version"], first["decision"], first["champion_before"]) == ("1", "promoted", None)
    assert (second["version"], second["champion_before"]) == ("2", "1")
    assert second["decision"] in {"refused", "insufficient"}
    assert "training flow" in RUNNER.invoke(app, ["history"]).stdout


def test_nothing_to_roll_back_to_is_told() -> None:
    """The first champion stays where there is none before it."""
    result = RUNNER.invoke(app, ["rollback"])
    assert isinstance(result.exception, RegistryError)


def test_nothing_to_approve_is_told() -> None:
    """Without a promotion that waits there is nothing to approve."""
    result = RUNNER.invoke(app, ["approve"])
    assert "nothing waits for approval" in str(result.exception)


def test_override_promotes_and_rollback_brings_the_old_one_back(trained: Paths) -> None:
    """A person promotes past the checks, loudly; one command brings the previous champion back."""
    failed = [one["name"] for one in rows()[-1]["evidence"]["blessings"] if one["verdict"] != "passed"]  # type: ignore[index]
    words = ["promote", "2", "--reason", "we know better"]
    for name in {*failed, "cost", "overall"}:
        words += ["--override", str(name)]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "OVERRIDDEN" in result.output
    assert "OVERRIDDEN" in RUNNER.invoke(app, ["history"]).stdout
    result = RUNNER.invoke(app, ["rollback", "--reason", "it answers nonsense"])
    assert "rolled back from version 2 to version 1" in " ".join(result.output.split())
    champion = connect(trained).aliased("toy-classifier", "champion")
    assert champion is not None
    assert str(champion.version) == "1"
    assert rows()[-1]["decision"] == "rolled back"
    # The flow finds the same version again, and does not undo what somebody decided.
    from flows.train import train

    outcome = train({"finetune.scratch.learning_rate": 0.07}).outcome
    assert (outcome.version, outcome.champion, outcome.decision) == ("2", "1", "refused")
    assert "(it answers nonsense)" in outcome.sentence


def waits(flow: threading.Thread) -> None:
    """Until the ledger says that version 2 waits for a person."""
    while rows()[-1]["decision"] != WAITING:
        assert flow.is_alive()
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("words", "decision", "reason"),
    [
        (["--reason", "looks good"], "promoted", "approved by"),
        (["--refuse", "--reason", "blind"], "refused", "refused by"),
    ],
)
def test_promotion_waits_until_somebody_decides(trained: Paths, words: list[str], decision: str, reason: str) -> None:
    """By `sightline approve`, in any copy of the project that shares the ledger: the run that waits ends by itself."""
    from flows.promote import promote

    found: dict[str, Any] = {}
    wanted = list(REQUIRED)
    flow = threading.Thread(
        target=lambda: found.update(outcome=promote("2", "a fix", override=wanted, approval=True)), daemon=True
    )
    flow.start()
    waits(flow)
    # As in another copy, from where nobody knows the run.
    call(trained.root, "approve", "2", *words, given={"PREFECT_API_URL": "http://127.0.0.1:9/api"})
    flow.join(120)
    outcome = found["outcome"]
    assert (outcome.decision, outcome.promoted) == (decision, decision == "promoted")
    assert outcome.champion == ("2" if outcome.promoted else "1")
    assert f"waits here no more, by the ledger it is {decision}" in outcome.messages[-1]
    last = rows()[-1]
    assert str(last["reason"]).startswith(reason)
    assert str(last["reason"]).endswith(words[-1])
    assert list(trained.reports.glob("promote-version-2*.html"))
