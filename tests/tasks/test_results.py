"""Results of tasks: typed JSON that comes back as it was, and nothing else that somebody put into their place."""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, task
from prefect.logging import disable_run_logger

from sightline.digests import file_digest
from sightline.errors import ModelError
from sightline.evaluate.evaluation import Evaluated
from sightline.report.label_errors import LabelErrors
from sightline.stored import RESULTS, seal
from sightline.train.result import Trained
from tasks.results import KIND, OwnResults, TypedJson
from tasks.versioning import run_trusted, work_folder

CANARY = str(Path(tempfile.gettempdir(), f"canary-{os.getpid()}"))
COMMAND = f"touch {CANARY}"
TRAINED = Trained(
    stage="finetune",
    path="runs/finetune/0123",
    weights="w",
    network="cnn",
    size=16,
    classes=("blue", "Ärger"),
    val_accuracy=0.1 + 0.2,
    val_loss=1e-300,
    val_fitted_loss=float("inf"),
    seconds=3,
    history=({"epoch": 1, "train_loss": 0.1}, {"epoch": 2, "train_loss": 1 / 3}),
    notes=(("l2", 0.001), ("tried", (1, 2))),
    run="r",
)
EVALUATED = Evaluated(path="p", digest="d", predictions="q", bundle="b", release="r", accuracy=2 / 3)
LABELS = LabelErrors(path="p", digest="d", labels=3, sentence="three")


def pickled() -> str:
    """As Prefect stores it: runs a command when it is read."""
    return base64.encodebytes(f"cos\nsystem\n(S'{COMMAND}'\ntR.".encode()).decode()


def record(serializer: Any, result: str | None = None, /, **more: Any) -> bytes:
    stored = {"metadata": {"serializer": serializer, "storage_key": "key"}, "result": result or pickled(), **more}
    return json.dumps(stored).encode()


JSON = TypedJson().dumps(TRAINED).decode()


def sealed(changed: str) -> str:
    """The text of a result under a seal of its own, as whoever knows our code would write it."""
    values = json.loads(changed)
    values.pop("digest", None)
    return seal(values)


CALL = json.dumps({"__class__": "os.system", "data": COMMAND, "command": COMMAND})
PLANTED = {
    "pickle": record({"type": "pickle", "picklelib": "cloudpickle"}),
    "pickle in a package": record({"type": "compressed/pickle"}),
    "serializer unnamed": json.dumps({"metadata": {}, "result": pickled()}).encode(),
    "no metadata": json.dumps({"result": pickled()}).encode(),
    "form of before": record({"type": KIND}, serializer={"type": "pickle"}),
    "library of its choice": record({"type": "pickle", "picklelib": "planted_library"}),
    "json that calls": record({"type": "json", "object_decoder": "builtins.eval"}, CALL),
    "json that builds": record({"type": "json"}, CALL),
    "ours with more": record({"type": KIND, "jsonlib": "planted_library"}, JSON),
    "ours, of another type": record({"type": KIND}, seal({"type": "Popen", "value": {"args": COMMAND}})),
    "ours, of a wrong value": record({"type": KIND}, sealed(JSON.replace('"size": 16', '"size": "16"'))),
    "ours, with a field": record({"type": KIND}, sealed(JSON.replace('"size": 16', '"size": 16, "more": 1'))),
    "ours, changed": record({"type": KIND}, JSON.replace('"size": 16', '"size": 32')),
    "ours, of another key": record({"type": KIND}, JSON).replace(b'"key"', b'"another"'),
    "bare pickle": pickled().encode(),
    "nested": b"[" * 10**6,
    "nothing": b"",
}


@pytest.mark.parametrize("result", [TRAINED, EVALUATED, LABELS])
def test_result_comes_back_as_it_was(result: object) -> None:
    """To the bit, whole numbers as such, in tuples; what does not count when results are compared too."""
    found = TypedJson().loads(TypedJson().dumps(result))
    assert repr(found) == repr(result)


def test_other_results_are_not_kept() -> None:
    """A type that is not named is an error of ours; an error of a task is kept in words."""

    @dataclass
    class Trained:
        stage: str

    for other in (Trained("x"), {"a": 1}, None, replace):
        with pytest.raises(TypeError, match="does not name"):
            TypedJson().dumps(other)
    assert str(TypedJson().loads(TypedJson().dumps(ValueError("no")))) == "ValueError: no"


@pytest.mark.parametrize("name", PLANTED)
def test_planted_record_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """It is told, and nothing that it names is imported, built or called."""
    (tmp_path / "planted_library.py").write_text(f"import os; os.system({COMMAND!r}); loads = eval")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "key").write_bytes(PLANTED[name])
    with disable_run_logger(), pytest.raises(ValueError, match="is no result that Sightline stored"):
        OwnResults(basepath=str(tmp_path)).read_path("key")
    assert not Path(CANARY).exists()
    assert "planted_library" not in sys.modules


@pytest.mark.usefixtures("prefect_server")
def test_task_runs_again_in_place_of_a_planted_result(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What a task returned is used again; exchanged for a pickle under its key it is not, which a warning tells."""
    stored = tmp_path / RESULTS / "key"

    def find() -> LabelErrors:
        return found

    find.__module__ = "tasks.results"
    page = work_folder(tmp_path, find) / "page"
    page.write_text("page")
    place = page.relative_to(tmp_path).as_posix()
    found = LabelErrors(path=place, digest=file_digest(page), labels=0, sentence="none")
    look = task(cache_key_fn=lambda *_: "key", persist_result=True)(find)

    @flow
    def twice() -> list[tuple[LabelErrors, bool]]:
        return [run_trusted(look, tmp_path), run_trusted(look, tmp_path)]

    assert twice() == [(found, True), (found, False)]
    assert json.loads(json.loads(stored.read_text())["result"])["type"] == "LabelErrors"
    os.utime(page.parent, (0, 0))
    assert twice()[1] == (found, False)
    assert page.parent.stat().st_mtime > 0, "its folder says when it was used last"
    stored.write_bytes(PLANTED["pickle"])
    assert twice() == [(found, True), (found, False)]
    assert "is no result that Sightline stored" in caplog.text
    assert not Path(CANARY).exists()


@pytest.mark.usefixtures("prefect_server")
def test_error_of_a_task_is_kept_without_a_pickle(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It reaches the flow as it was raised, and what is stored of it is JSON."""

    @task(persist_result=True)
    def fail() -> LabelErrors:
        raise ModelError("no such network")

    @flow
    def failing() -> None:
        with pytest.raises(ModelError, match="no such network"):
            run_trusted(fail, tmp_path)

    failing()
    stored = list((tmp_path / RESULTS).iterdir())
    assert stored
    for path in stored:
        assert json.loads(path.read_text())["metadata"]["serializer"] == {"type": "sightline"}
    assert "Failed to write result" not in caplog.text
