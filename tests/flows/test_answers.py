"""The champion of a real project answers: the scoring flow, the command line and Python say the same."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pandas as pd
import pytest
from commands import call
from conftest import copy_project, enter, make_images, make_project
from PIL import Image

import sightline
from sightline.config import write_value
from sightline.digests import tree_digest
from sightline.errors import ConfigError, RegistryError
from sightline.models.weights import WEIGHTS
from sightline.registry.ledger import INSUFFICIENT
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Paths:  # noqa: ARG001 — the flow needs it
    """A toy project with a champion; to be copied, not changed."""
    from flows.train import train

    home = tmp_path_factory.mktemp("answers")
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", make_images(home / "images")), patch)
        assert train().outcome.champion == "1"
    return paths


@pytest.fixture
def trained(trained_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of that project, entered."""
    return copy_project(trained_once, tmp_path / "toy project", monkeypatch)


def test_flow_refuses_what_the_command_refuses(trained: Paths) -> None:
    """A photograph is not written over, and no file that calls itself a table of text holds Parquet."""
    from flows.score import score

    photo = next((trained.raw("target") / "red").iterdir())
    before = photo.read_bytes()
    for images, out in ((str(photo), str(photo)), (str(photo.parent), "answers.csv"), ("", "answers.parquet")):
        with pytest.raises(ConfigError):
            score(images, out)
    assert photo.read_bytes() == before
    assert not (trained.root / "answers.csv").exists()


def test_flow_command_and_python_agree(trained: Paths, tmp_path: Path) -> None:
    """The same labels and probabilities, and a run in MLflow that says what was answered."""
    from flows.score import score

    folder = trained.raw("target") / "red"
    done = score(str(folder), str(tmp_path / "answers.parquet"))
    rows = pd.read_parquet(tmp_path / "answers.parquet")
    tracker = connect(trained)
    run = next(one for one in tracker.client.search_runs([tracker.experiment]) if one.info.run_name.startswith("score"))
    assert (run.data.metrics["images"], run.data.tags["version"], run.info.status) == (done.images, "1", "FINISHED")
    champion = sightline.champion(trained.root)
    files = [str(path) for path in sorted(folder.iterdir())]
    answers = champion.predict(files)
    assert [answer.label for answer in answers] == rows["label"].tolist()
    assert [answer.probability for answer in answers] == pytest.approx(rows["probability"].tolist(), abs=1e-6)
    table = champion.to_pandas(answers)
    assert table["label"].tolist() == rows["label"].tolist()
    assert np.allclose(table[[f"p({name})" for name in champion.classes]].sum(axis=1), 1)
    words = [sys.executable, "-P", "-m", "flows.cli", "predict", str(folder), "--json"]
    said = subprocess.run(words, cwd=trained.root, stdout=subprocess.PIPE, text=True, check=True).stdout
    told = json.loads(said)
    assert [one["path"] for one in told] == files
    assert [one["label"] for one in told] == rows["label"].tolist()


def test_python_takes_whatever_holds_an_image(trained: Paths) -> None:
    """Path, bytes, picture and array of one PNG get one answer."""
    champion, path = sightline.load("toy-classifier/1", trained.root), next((trained.raw("target") / "red").iterdir())
    with Image.open(path) as picture:
        picture.load()
    (expected,) = champion.predict(path)
    for given in (str(path), path.read_bytes(), picture, np.asarray(picture.convert("RGB"))):
        (answer,) = champion.predict([given])
        assert (answer.label, answer.probability) == (expected.label, expected.probability)


@pytest.mark.parametrize("name", ["toy-classifier", "toy-classifier@best", "other@champion", "toy-classifier/9", ""])
def test_python_refuses_other_names(trained: Paths, name: str) -> None:
    """What is no version of the project's model is refused in a sentence."""
    with pytest.raises(RegistryError):
        sightline.load(name, trained.root)


def test_export_leaves_the_champion_elsewhere(trained: Paths, tmp_path: Path) -> None:
    """With its digest and figures, and a client that decides as it does; a damaged version is refused."""
    words = [sys.executable, "-P", "-m", "flows.cli", "export", str(tmp_path / "out"), "--format", "onnx", "--json"]
    done = subprocess.run(words, cwd=trained.root, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout)
    (held,) = (trained.mlflow / "bundles").iterdir()
    assert (said["path"], said["digest"], said["version"]) == (str(tmp_path / "out"), tree_digest(held), "1")
    assert said["difference"] <= said["allowed"]
    files = [str(path) for path in sorted((trained.raw("target") / "red").iterdir())]
    client = [sys.executable, "-I", str(tmp_path / "out" / "client.py"), *files]
    told = [json.loads(line) for line in subprocess.check_output(client, text=True).splitlines()]
    expected = sightline.champion(trained.root).predict(files)
    assert [(one["label"], one["abstain"]) for one in told] == [(one.label, one.abstain) for one in expected]
    for weights in trained.mlflow.rglob(WEIGHTS):
        weights.write_bytes(weights.read_bytes()[:-4] + b"0000")
    words[5] = str(tmp_path / "again")
    refused = subprocess.run(words, cwd=trained.root, capture_output=True, text=True, check=False)
    assert (refused.returncode, (tmp_path / "again").exists()) == (2, False)
    assert "error: " in refused.stderr


@contextmanager
def served(paths: Paths, *given: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sightline serve` on a free port, as people start it, and its address; gone at the end."""
    words = [sys.executable, "-P", "-m", "flows.cli", "serve", "--port", "0", *given]
    process = subprocess.Popen(words, cwd=paths.root, env={**os.environ}, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield process, next(line for line in process.stderr if "answers at" in line).rpartition(" at ")[2].strip()
    finally:
        process.kill()
        process.communicate(timeout=20)


def test_server_answers_for_the_champion_until_it_is_told_to_end(trained: Paths) -> None:
    """As people start it: on a free port, by a request from outside, ended by SIGTERM within seconds."""
    with served(trained) as (process, address):
        path = next((trained.raw("target") / "red").iterdir())
        transport = httpx.HTTPTransport(retries=20)
        with httpx.Client(transport=transport, timeout=30) as client:
            (answer,) = client.post(f"{address}/predict", content=path.read_bytes()).json()["answers"]
        assert answer["version"] == "1"
        expected = sightline.champion(trained.root).predict(path)[0].probability
        assert answer["probability"] == pytest.approx(expected, abs=1e-5)
        process.terminate()
        process.wait(20)
        assert process.stderr is not None
        assert process.stderr.read() == "SIGTERM: the server has ended\n"
    # uvicorn hands the signal on once it is through, and the command line leaves with the status that shells know.
    assert process.returncode == 128 + signal.SIGTERM


def test_server_that_records_nothing_removes_what_is_too_old(trained: Paths) -> None:
    """Who turns the recording off is still promised that."""
    write_value(trained.root, "capture.keep", "none")
    for day in ("2020-02-03", f"{datetime.now(UTC):%Y-%m-%d}"):
        (trained.root / "captured" / f"date={day}").mkdir(parents=True)
    with served(trained) as (_, address):
        with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=30) as client:
            assert client.get(f"{address}/readyz").json()["capture"] is None
        end = time.monotonic() + 20
        while len(days := list((trained.root / "captured").iterdir())) > 1:
            assert time.monotonic() < end
            time.sleep(0.1)
    assert [path.name for path in days] == [f"date={day}"]


def test_server_told_twice_to_end_has_recorded_what_it_answered(trained: Paths) -> None:
    """Ctrl-C while a caller is still sending, and again, as who waits does: the answers before are captured."""
    with served(trained) as (process, address):
        path = next((trained.raw("target") / "red").iterdir())
        with httpx.Client(transport=httpx.HTTPTransport(retries=20), timeout=30) as client:
            assert client.post(f"{address}/predict", content=path.read_bytes()).is_success
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sender:
            sender.sendall(b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\n...")
            time.sleep(0.5)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.5)
            process.wait(20)
    (file,) = (trained.root / "captured").rglob("*.parquet")
    assert len(pd.read_parquet(file)) == 1


@pytest.mark.timeout(600)
def test_promotion_and_rollback_under_load_beside_a_canary(trained: Paths) -> None:
    """Given by another process: no request fails, and answers and what is captured name the version that answered."""
    from flows.train import train

    outcome = train({"finetune.scratch.epochs": 20}).outcome
    assert (outcome.version, outcome.decision) == ("2", INSUFFICIENT), outcome.sentence
    files = [path.read_bytes() for path in sorted((trained.raw("target") / "red").iterdir())[:8]]
    expected = {
        number: [one.probability for one in sightline.load(f"toy-classifier/{number}", trained.root).predict(files)]
        for number in "12"
    }
    assert expected["1"] != expected["2"]
    asked: list[tuple[int, httpx.Response]] = []
    ended = threading.Event()

    def ask(address: str, first: int) -> None:
        with httpx.Client(timeout=30) as client:
            for number in itertools.count(first):
                if ended.wait(0.01):  # so that the gate's own processes have something of two cores
                    break
                which = number % len(files)
                asked.append((which, client.post(f"{address}/predict", content=files[which])))

    def roles(first: int) -> set[tuple[str, str]]:
        answers = [reply.json()["answers"][0] for _, reply in asked[first:]]
        return {(one["version"], one["role"]) for one in answers}

    def wait_for(*wanted: tuple[str, str]) -> None:
        """Until callers hear of all of them, and of nothing else, in a hundred answers in a row."""
        end = time.monotonic() + 120
        while len(asked) < 100 or roles(-100) != set(wanted):
            assert time.monotonic() < end, roles(-100)
            time.sleep(0.05)

    with served(trained, "--canary", "0.3") as (process, address), ThreadPoolExecutor(4) as pool:
        try:
            httpx.Client(transport=httpx.HTTPTransport(retries=20)).get(f"{address}/healthz")
            under_way = [pool.submit(ask, address, number) for number in range(4)]
            wait_for(("1", "champion"), ("2", "canary"))
            call(trained.root, "approve", "2", "--reason", "test")
            wait_for(("2", "champion"))
            call(trained.root, "rollback", "--reason", "test")
            wait_for(("1", "champion"))
        finally:
            ended.set()
        for one in under_way:
            one.result()
        process.terminate()
        process.wait(20)
    assert {reply.status_code for _, reply in asked} == {200}
    told = set()
    for number, reply in asked:
        (answer,) = reply.json()["answers"]
        assert answer["probability"] == pytest.approx(expected[answer["version"]][number], abs=1e-5)
        told.add((reply.json()["request"], answer["version"], answer["digest"], answer["role"]))
    rows = pd.concat(pd.read_parquet(file) for file in (trained.root / "captured").rglob("*.parquet"))
    captured = list(rows[["request", "version", "digest", "role"]].itertuples(index=False, name=None))
    assert len(captured) == len(asked)
    assert set(captured) == told
