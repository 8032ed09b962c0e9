"""A project whose runs and versions are on a real MLflow server, which hands the artifacts through."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from commands import asked, call
from conftest import COLOURS, commit, make_images, make_project
from servers import mlflow_server

from sightline.config import write_value
from sightline.errors import RegistryError
from sightline.project import Paths
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PROMOTERS = 16
"""People and machines that promote one version at the same moment."""
ASIDE = [word for check in ("overall", "calibration", "robustness", "cost") for word in ("--override", check)]
"""Not what is asked here."""


class Shared:
    """A project on a server, and the commands that a person gives in it."""

    def __init__(self, paths: Paths, images: Path, given: dict[str, str]) -> None:
        self.root, self.images, self.given = paths.root, images, given
        self.asked = partial(asked, paths.root, given=given)

    def promotions(self, version: str) -> int:
        """How often the ledger says that a version became champion by the gate."""
        rows = self.asked("history")
        return sum(row["version"] == version and row["decision"] == "promoted" for row in rows)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A toy project on a server, and a ledger beside it."""
    home = tmp_path_factory.mktemp("shared")
    images = make_images(home / "images", per_class=20)
    paths = make_project(home / "toy project", images)
    commit(paths, "first")
    with mlflow_server(home) as address:
        stores = {"MLFLOW_TRACKING_URI": address, "SIGHTLINE_LEDGER_URI": f"sqlite:///{home / 'ledger.db'}"}
        yield Shared(paths, images, stores)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_whole_chain_works_against_a_server(shared: Shared) -> None:
    """Run, promote, roll back, ask, evaluate, trace, reproduce and relabel: each against the server alone."""
    asked, image = shared.asked, str(next((shared.images / "blue").iterdir()))
    assert asked("run")["outcome"]["champion"] == "1"
    assert asked("predict", image)[0]["version"] == "1"
    assert asked("evaluate")["accuracy"] > 0
    found = asked("lineage")
    assert (found["version"], found["missing"]) == ("1", [])
    assert [one["version"] for one in asked("impact", image)["models"]] == ["1"]
    assert asked("reproduce", "1")["verdict"] == "identical"
    assert asked("run", "--set", "finetune.scratch.min_steps=40")["outcome"]["version"] == "2"
    assert asked("promote", "2", "--reason", "trained longer", *ASIDE)["champion"] == "2"
    assert asked("rollback")["champion"] == "1"
    assert asked("predict", image)[0]["version"] == "1"
    one_of_many_promotes(shared, "2")
    assert asked("predict", image)[0]["version"] == "2"
    assert relabelled(shared)
    assert all(one["good"] for one in asked("doctor", "--deep"))
    assert {one["version"] for one in asked("history")} == {"1", "2"}


@pytest.mark.slow
def test_server_that_knows_nothing_of_a_project_with_runs_is_refused(
    shared: Shared, toy: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going to a server says what to do, and once that is done, it is done."""
    write_value(toy.root, "project.name", "alone")
    connect(Paths(toy.root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", shared.given["MLFLOW_TRACKING_URI"])
    with pytest.raises(RegistryError, match=r"knows nothing of project alone.*: move that folder away and run"):
        connect(Paths(toy.root))
    toy.mlflow.rename(toy.root / "before")
    assert connect(Paths(toy.root)).experiment


def one_of_many_promotes(shared: Shared, version: str) -> None:
    """Sixteen ask at once: one makes it champion, and the others are told that it is."""
    before = shared.promotions(version)
    command = [sys.executable, "-P", "-m", "flows.cli", "promote", version, "--reason", "at once", *ASIDE, "--json"]
    running = [
        subprocess.Popen(
            command,
            cwd=shared.root,
            env={**os.environ, **shared.given},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROMOTERS)
    ]
    for one in running:
        out, trouble = one.communicate()
        assert "Traceback" not in trouble
        assert one.returncode == 0, trouble
        assert json.loads(out)["champion"] == version
    assert shared.promotions(version) == before + 1


def relabelled(shared: Shared) -> Any:
    """Export the images with the champion's suggestions, give one another label, and import that."""
    call(shared.root, "data", "label", "export", "todo.csv", "--suggest", "--all", given=shared.given)
    with (shared.root / "todo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["suggestion"] in COLOURS for row in rows)
    rows[0]["label"] = next(one for one in COLOURS if one != rows[0]["label"])
    with (shared.root / "done.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows[:1])
    return shared.asked("data", "label", "import", "done.csv")
