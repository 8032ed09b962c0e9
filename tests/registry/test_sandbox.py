"""What a process can still do behind the walls around a model on trial: compute, and read what it needs."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.registry.sandbox import LANDLOCK, SECCOMP, WALLS, environment, standing

UP = standing()
ESCAPES = {
    "small file": "open(PLACE + '/new', 'w').write('x')",
    "empty file": "open(PLACE + '/new', 'x')",
    "file by ctypes": "import ctypes; assert ctypes.CDLL(None).open((PLACE + '/new').encode(), 0o101, 0o600) >= 0",
    "file cut": "os.truncate(PLACE + '/kept', 0)",
    "file removed": "os.remove(PLACE + '/kept')",
    "file renamed": "os.rename(PLACE + '/kept', PLACE + '/other')",
    "file opened to everyone": "os.chmod(PLACE + '/kept', 0o777)",
    "folder": "os.mkdir(PLACE + '/new')",
    "link": "os.symlink('/etc', PLACE + '/new')",
    "ledger": "import sqlite3; c = sqlite3.connect(PLACE + '/ledger.db'); c.execute('delete from t'); c.commit()",
    "fork": "os.fork()",
    "program": "os.execv('/bin/true', ['true'])",
    "program by posix_spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "subprocess": "import subprocess; subprocess.run(['/bin/true'], check=True)",
    "udp": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "tcp": "import socket; socket.create_connection(('127.0.0.1', PORT))",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX)",
    "signal": "os.kill(os.getppid(), 0)",
    "io_uring": "import ctypes; assert ctypes.CDLL(None).syscall(425, 1, bytes(120)) >= 0",
}
"""By seccomp; where there is a file in it, by Landlock too."""
SIGHTS = {
    "environment of the parent": "open(f'/proc/{os.getppid()}/environ', 'rb').read()",
    "file of the project": "open(PLACE + '/kept').read()",
    "list of users": "open('/etc/passwd').read()",
}
"""By Landlock."""


def behind(folder: Path, program: str, *, port: int = 9) -> subprocess.CompletedProcess[str]:
    """`program` in a process restricted to the folder `model` in `folder`; 42 where it came to its end."""
    (folder / "model").mkdir(exist_ok=True)
    lines = [
        "import os, sys",
        "from pathlib import Path",
        "from sightline.registry.sandbox import restrict",
        f"PLACE, PORT = {str(folder)!r}, {port}",
        "restrict(Path(PLACE) / 'model')",
        program,
        "os._exit(42)",
    ]
    command = [sys.executable, "-P", "-B", "-c", "\n".join(lines)]
    # With an empty entry, as in many shells: it is the working directory, and opens nothing.
    here = os.pathsep.join([str(Path(__file__).parents[2]), environment()["PYTHONPATH"], ""])
    return subprocess.run(
        command, env=environment() | {"PYTHONPATH": here}, cwd="/", capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a file and a ledger in it."""
    (tmp_path / "kept").write_text("kept")
    with sqlite3.connect(tmp_path / "ledger.db") as ledger:
        ledger.execute("create table t (x)")
        ledger.execute("insert into t values (1)")
    ledger.close()
    return tmp_path


@pytest.mark.skipif(SECCOMP not in UP, reason="this kernel has no seccomp filters")
@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_is_changed_started_or_sent(place: Path, name: str) -> None:
    """The attempt fails, and leaves no trace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.setblocking(False)
        done = behind(place, ESCAPES[name], port=heard.getsockname()[1])
        with pytest.raises(BlockingIOError):
            heard.recv(1)
    assert done.returncode not in {0, 42}, done.stderr
    assert {path.name for path in place.iterdir()} == {"kept", "ledger.db", "model"}
    assert ((place / "kept").read_text(), (place / "kept").stat().st_mode & 0o100) == ("kept", 0)
    assert sqlite3.connect(place / "ledger.db").execute("select count(*) from t").fetchone() == (1,)


@pytest.mark.skipif(LANDLOCK not in UP, reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", SIGHTS)
def test_nothing_else_is_read(place: Path, name: str) -> None:
    """Neither another process's variables nor files beside the model's."""
    assert "PermissionError" in behind(place, SIGHTS[name]).stderr


def test_memory_is_limited(place: Path) -> None:
    """Whoever asks for a hundred gigabytes is told that there are none."""
    assert "MemoryError" in behind(place, "bytearray(100 * 2**30)").stderr


def test_its_own_work_goes_on(place: Path) -> None:
    """It reads the model, loads libraries, and computes in threads."""
    (place / "model").mkdir()
    (place / "model" / "card").write_text("card")
    program = (
        "assert open(PLACE + '/model/card').read() == 'card'\n"
        "import threading, torch\n"
        "one = threading.Thread(target=print); one.start(); one.join()\n"
        "torch.set_num_threads(2)\n"
        "assert torch.ones(500, 500).mm(torch.ones(500, 500))[0, 0] == 500"
    )
    done = behind(place, program)
    assert done.returncode == 42, done.stderr


def test_variables_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """None that holds a secret, and no place of libraries that depends on where it starts."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    monkeypatch.setenv("PYTHONPATH", f"{os.pathsep}beside")
    assert "secret" not in environment().values()
    assert environment()["PYTHONPATH"] == str(Path.cwd() / "beside")


def test_walls_are_told() -> None:
    """`doctor` says of each wall whether it stands; limits stand everywhere."""
    from sightline import doctor

    (said,) = (one.said for one in doctor.examine(None) if one.what.startswith("walls"))
    assert "limits" in UP
    assert all(f"{name}: " in said if name in UP else f"no {name}" in said for name in WALLS)
