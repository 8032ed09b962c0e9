"""Real servers on this machine's loopback address: a team's (MLflow, PostgreSQL, an S3 store), and wrong ones."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 120
"""Time that a server has to come up."""
PASSWORD = "only-for-one-test"  # noqa: S105 — of servers that live for one test
POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
"""Where Debian's packages put PostgreSQL's commands: not on the PATH."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening(banner: bytes | None) -> Iterator[str]:
    """Something that takes connections and says `banner`, or nothing at all."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        kept = []

        def take() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:
                    return
                kept.append(connection)
                if banner is not None:
                    connection.sendall(banner)
                    connection.close()

        Thread(target=take, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        for connection in kept:
            connection.close()


@contextmanager
def saying(status: int, form: str, body: bytes) -> Iterator[str]:
    """A web server that gives one answer to everything."""

    class Same(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", form)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Same) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@contextmanager
def mlflow_server(folder: Path, store: str | None = None, artifacts: str | None = None) -> Iterator[str]:
    """An MLflow server that hands artifacts through, on SQLite and a folder unless told otherwise; its address."""
    port = free_port()
    words = [beside("mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", store or f"sqlite:///{folder / 'server.db'}"]
    words += ["--serve-artifacts", "--artifacts-destination", artifacts or str(folder / "artifacts")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    env = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    with started(words, port, folder, env={**env, **quiet}):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def postgres(*databases: str) -> Iterator[list[str]]:
    """A PostgreSQL server with empty databases; an address for each. Skips where it is not installed."""
    import sqlalchemy as sa

    commands = os.pathsep.join([*map(str, POSTGRES), os.environ.get("PATH", "")])
    initdb, server = (shutil.which(name, path=commands) for name in ("initdb", "postgres"))
    if not initdb or not server:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg2", reason="its driver is not installed: pip install 'sightline[postgres]'")
    # PostgreSQL refuses to run as root, and another user cannot walk through the folders of a test.
    owner: dict[str, Any] = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with TemporaryDirectory(prefix="postgres") as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text(PASSWORD)
        for place in (folder, folder / "password") if owner else ():
            shutil.chown(place, owner["user"], owner["group"])
        made = [initdb, "-D", f"{folder}/db", "-U", "sightline", "-A", "scram-sha-256", "--no-sync", "-E", "UTF8"]
        subprocess.run([*made, "--pwfile", f"{folder}/password"], check=True, capture_output=True, cwd=folder, **owner)
        words = [server, "-D", f"{folder}/db", "-h", "127.0.0.1", "-p", str(port), "-k", "", "-F"]
        with started(words, port, folder, **owner):
            root = f"postgresql://sightline:{PASSWORD}@127.0.0.1:{port}"
            engine = sa.create_engine(f"{root}/postgres", isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
            _wait(lambda: _answers(engine), folder)
            with engine.connect() as connection:
                for database in databases:
                    connection.execute(sa.text(f"CREATE DATABASE {database}"))
            yield [f"{root}/{database}" for database in databases]


@contextmanager
def s3(folder: Path, *buckets: str) -> Iterator[dict[str, str]]:
    """An S3-compatible store with empty buckets; the variables that lead to it. Skips where it is not installed."""
    reason = "no S3 server is installed: pip install 'moto[s3]' 'sightline[s3]'"
    pytest.importorskip("moto", reason=reason)
    boto3 = pytest.importorskip("boto3", reason=reason)
    port = free_port()
    env = {
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": PASSWORD,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    with started([beside("moto_server"), "-H", "127.0.0.1", "-p", str(port)], port, folder):
        with pytest.MonkeyPatch.context() as patch:
            for key, value in env.items():
                patch.setenv(key, value)
            client = boto3.client("s3")
            for name in buckets:
                client.create_bucket(Bucket=name)
        yield env


def beside(command: str) -> str:
    """A command of this environment."""
    return str(Path(sys.executable).with_name(command))


@contextmanager
def started(words: list[str], port: int, folder: Path, **options: Any) -> Iterator[None]:
    """A server that listens on `port` for as long as the block lasts; it and its children are gone afterwards."""
    with (folder / f"{Path(words[0]).name}.log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, start_new_session=True, **options)
        try:
            _wait(lambda: _listens(port), folder, process)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(happened: Any, folder: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            pytest.fail("\n".join(log.read_text() for log in folder.glob("*.log")))
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _answers(engine: Any) -> bool:
    import sqlalchemy as sa

    try:
        engine.connect().close()
    except sa.exc.OperationalError:
        return False
    return True
