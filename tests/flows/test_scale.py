"""Replicas: behind nginx, and as Ray Serve runs them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from answering import image
from bundles import write
from commands import call
from ruamel.yaml import YAML
from servers import free_port, started

from flows.serving import REPLICAS
from sightline import scaffold
from sightline.project import Paths
from sightline.tracking.runs import connect

DOCS = Path(__file__).parents[2] / "docs"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
MANY = 150


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a registered version."""
    home = tmp_path_factory.mktemp("scale")
    scaffold.init(home / "project", "embedded:digits", None, "parts", lambda _: None)
    tracker = connect(Paths(home / "project"))
    tracker.register_classifier(tracker.start("parts", {}), write(home), {})
    return home / "project"


def serving(port: int) -> list[str]:
    """The command of a replica."""
    return [sys.executable, "-P", "-m", "flows.cli", "serve", "--version", "1", "--port", str(port)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_replica_that_ends_fails_no_request(project: Path, tmp_path: Path) -> None:
    """Two real processes behind a real nginx by the file of the docs: one is told to end under load."""
    if NGINX is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    first, second, front = free_port(), free_port(), free_port()
    text = (DOCS / "scale" / "nginx.conf").read_text(encoding="utf-8")
    for name, port in (("replica-1:8000", first), ("replica-2:8000", second)):
        text = text.replace(name, f"127.0.0.1:{port}")
    text = text.replace("listen 8000", f"listen 127.0.0.1:{front}").replace("/tmp/", f"{tmp_path}/")  # noqa: S108 — is replaced
    (tmp_path / "nginx.conf").write_text(text, encoding="utf-8")
    found: list[int] = []
    words = [NGINX, "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"]
    with started(serving(first), first, project), started(words, front, tmp_path), httpx.Client(timeout=30) as client:
        address = f"http://127.0.0.1:{front}"
        with started(serving(second), second, project):
            ended = threading.Event()

            def ask() -> None:
                with httpx.Client(timeout=30) as own:
                    while not ended.is_set():
                        found.append(own.post(f"{address}/predict", content=image()).status_code)

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for one in threads:
                one.start()
            _until(found, MANY)
        _until(found, len(found) + MANY)
        ended.set()
        for one in threads:
            one.join()
        assert set(found) == {200}
        assert client.post(f"{address}/predict", content=image()).json()["answers"][0]["version"] == "1"


def _until(found: list[int], count: int) -> None:
    while len(found) < count:
        time.sleep(0.05)


@pytest.mark.slow
def test_ray_config_names_the_application(project: Path, tmp_path: Path) -> None:
    """Project, version and address are those of the command; nothing is started."""
    call(project, "serve", "--version", "1", "--port", "8123", "--ray-config", str(tmp_path / "serve.yaml"))
    found = YAML(typ="safe").load(tmp_path / "serve.yaml")
    (one,) = found["applications"]
    assert (one["import_path"], one["args"]) == (
        REPLICAS,
        {"project": str(project), "version": "1", "host": "127.0.0.1"},
    )
    assert found["http_options"] == {"host": "127.0.0.1", "port": 8123}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ray_runs_its_replicas(project: Path, tmp_path: Path) -> None:
    """A real Ray answers as the version that the config names."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'sightline[ray]'")
    port = free_port()
    call(project, "serve", "--version", "1", "--port", str(port), "--ray-config", str(tmp_path / "serve.yaml"))
    words = [str(Path(sys.executable).with_name("serve")), "run", str(tmp_path / "serve.yaml")]
    with started(words, port, project), httpx.Client(timeout=30) as client:
        for _ in range(120):
            reply = client.post(f"http://127.0.0.1:{port}/predict", content=image())
            if reply.status_code == 200:
                break
            time.sleep(1)
        assert reply.json()["answers"][0]["version"] == "1"
        assert client.get(f"http://127.0.0.1:{port}/healthz", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_replica_of_compose_starts_and_tells_its_health(project: Path) -> None:
    """Its command in a process that has no git, as the image has none; its health check, while it answers and after."""
    replica = YAML(typ="safe").load(DOCS / "scale" / "compose.yaml")["services"]["replica-1"]
    port, python = free_port(), [sys.executable, "-P"]
    env = {"PATH": "/nowhere", "HOME": str(project), "PYTHONPATH": str(DOCS.parent), "SIGHTLINE_TOKEN": "sesame"}
    assert replica["command"][0] == "sightline"
    words = [*python, "-m", "flows.cli", *replica["command"][1:], "--version", "1", "--port", str(port)]
    (kind, name, *rest) = replica["healthcheck"]["test"]
    assert (kind, name) == ("CMD", "python")
    check = [*python, *(word.replace("8000", str(port)) for word in rest)]
    with started(words, port, project, env=env):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            assert client.post("/predict", content=image()).status_code == 401
            told = client.post("/predict", content=image(), headers={"Authorization": "Bearer sesame"}).json()
        assert told["answers"][0]["version"] == "1"
        subprocess.run(check, check=True, env=env, timeout=60)
    assert subprocess.run(check, check=False, env=env, timeout=60, capture_output=True).returncode


def test_compose_leaves_the_project_where_it_is() -> None:
    """At its own path: else MLflow's store would follow it into the container, and back, at each turn."""
    replica = YAML(typ="safe").load(DOCS / "scale" / "compose.yaml")["services"]["replica-1"]
    ((here, there),) = [volume.split(":") for volume in replica["volumes"]]
    assert here == there == "${PROJECT}"
    assert replica["working_dir"].startswith("${PROJECT:?")


def test_compose_has_two_replicas_and_no_default_token() -> None:
    """They listen on this machine alone, and are as nginx names them."""
    file = YAML(typ="safe").load(DOCS / "scale" / "compose.yaml")
    assert file["services"]["nginx"]["ports"] == ["127.0.0.1:8000:8000"]
    conf = (DOCS / "scale" / "nginx.conf").read_text(encoding="utf-8")
    for name in ("replica-1", "replica-2"):
        assert f"server {name}:8000" in conf
        assert file["services"][name]["environment"]["SIGHTLINE_TOKEN"].startswith("${SIGHTLINE_TOKEN:?")
