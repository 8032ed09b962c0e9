"""Addresses that lead nowhere: a sentence each, within seconds, with the address and the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from servers import free_port, listening, saying

from flows.cli.app import answer
from sightline import servers
from sightline.servers import MLFLOW, PREFECT, trouble

if TYPE_CHECKING:
    from sightline.project import Paths


@pytest.mark.parametrize("server", [MLFLOW, PREFECT], ids=["mlflow", "prefect"])
@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("htp://127.0.0.1:5000", "looks like"),
        ("127.0.0.1:5000", "looks like"),
        ("localhost:5000", "looks like"),
        ("http:/127.0.0.1:5000", "looks like"),
        ("http://127.0.0.1:99999", "no number from 1 to 65535"),
        ("http://127.0.0.1:50x0", "no number from 1 to 65535"),
        ("http://nowhere.invalid:5000", "no host nowhere.invalid"),
    ],
)
def test_slip_in_an_address_is_told(server: servers.Server, address: str, why: str) -> None:
    """Scheme, host and port: what is wrong, and what the address should look like."""
    told = trouble(address, server) or ""
    assert told.startswith(f"{server.setting} = {address}: ")
    assert (why in told, server.remedy in told) == (True, True)


@pytest.mark.parametrize("server", [MLFLOW, PREFECT], ids=["mlflow", "prefect"])
def test_nobody_there_is_told(server: servers.Server) -> None:
    """A port at which nothing listens."""
    port = free_port()
    assert f"nothing listens at 127.0.0.1:{port}; start it" in (trouble(f"http://127.0.0.1:{port}", server) or "")


@pytest.mark.parametrize("server", [MLFLOW, PREFECT], ids=["mlflow", "prefect"])
def test_server_that_hangs_is_told(server: servers.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes the connection and says nothing is not waited for."""
    monkeypatch.setattr(servers, "SECONDS", 0.5)
    with listening(None) as place:
        assert "no answer within" in (trouble(f"http://{place}", server) or "")


def test_something_else_is_told() -> None:
    """Another program, a page, a gateway whose server is down, https at a plain port: not taken for the server."""
    with listening(b"SSH-2.0-OpenSSH_9.2\r\n") as place:
        assert "does not speak HTTP" in (trouble(f"http://{place}", MLFLOW) or "")
    with saying(200, "text/html; charset=utf-8", b"<!doctype html><title>Welcome</title>") as place:
        for server in (MLFLOW, PREFECT):
            told = trouble(f"http://{place}", server) or ""
            assert f"(status 200, text/html) is not {server.name}, whose address looks like {server.example}" in told
        assert "does not speak https; write http://" in (trouble(f"https://{place}", PREFECT) or "")
    with saying(502, "text/html", b"<h1>Bad gateway</h1>") as place:
        assert "(status 502, text/html) is not" in (trouble(f"http://{place}", PREFECT) or "")
    with saying(200, "application/json", b'{"detail": "another API"}') as place:
        assert "is not MLflow's server" in (trouble(f"http://{place}", MLFLOW) or "")


def test_the_right_server_is_let_be() -> None:
    """Its answer, or its question who is there, is no trouble; a password is neither sent nor told."""
    with saying(404, "application/json", b'{"error_code": "RESOURCE_DOES_NOT_EXIST"}') as place:
        assert trouble(f"http://{place}", MLFLOW) is None
    with saying(200, "application/json", b"true") as place:
        assert trouble(f"http://{place}/api", PREFECT) is None
    with saying(401, "text/html", b"who are you?") as place:
        assert trouble(f"http://{place}", MLFLOW) is None
    assert "sesame" not in (trouble("http://me:sesame@127.0.0.1:99999", MLFLOW) or "sesame")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (MLFLOW, "run"),
        (MLFLOW, "evaluate"),
        (MLFLOW, "lineage"),
        (MLFLOW, "promote 1 --reason x"),
        (PREFECT, "run"),
        (PREFECT, "tune --budget 10m"),
    ],
)
def test_commands_tell_it_before_any_work(
    ingested: Paths,
    server: servers.Server,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One sentence with the address, no traceback, and nothing trained."""
    monkeypatch.chdir(ingested.root)
    monkeypatch.setenv("SIGHTLINE_LEDGER_URI", f"sqlite:///{ingested.root / 'ledger.db'}")
    with saying(200, "text/html", b"<!doctype html>") as place:
        monkeypatch.setenv(server.setting, f"http://{place}")
        assert answer(words.split()) == 2
    said = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
    assert len(said) == 1, said
    assert said[0].startswith(f"error: {server.setting} = http://{place}: what answers there")
    assert not list(ingested.runs.glob("*/*/weights.safetensors"))
