"""The README's way from a clone to an answer over HTTP: its first commands, as they stand there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest
from conftest import FAST, make_images
from servers import beside, free_port

from sightline.config import write_value

ROOT = Path(__file__).parents[2]
MOST = 8
"""Commands that it may take."""
SECONDS = 60
"""In which a server must answer."""


def commands() -> list[str]:
    """Those of the block that the README calls the first, without their comments."""
    (block,) = re.findall(
        r"^```sh first\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line.split("  #")[0].rstrip() for line in block.splitlines()]


def clone(folder: Path) -> Path:
    """What git holds of Sightline, with a `.venv` as `make` installs it: of the libraries that are at hand."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    venv.create(folder / ".venv", symlinks=True)
    python = folder / ".venv" / "bin" / "python"
    (packages,) = (folder / ".venv" / "lib").glob("python*/site-packages")
    (packages / "installed.pth").write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
    (python.parent / "sightline").write_text(f"#!{python}\nfrom flows.cli.app import main\nmain()\n")
    (python.parent / "sightline").chmod(0o755)
    for name in ("dvc", "mlflow", "prefect"):
        (python.parent / name).symlink_to(beside(name))
    (folder / ".venv" / "installed").touch()
    return folder


class Terminal:
    """A shell in a clone, with a home of its own, whose folder and variables stay from one command to the next."""

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / ".terminal").write_text(f"cd '{clone(home / 'sightline')}'\n")
        kept = ("PREFECT", "MLFLOW", "SIGHTLINE", "PYTHON", "VIRTUAL_ENV", "GIT", "DVC")
        own = {key: value for key, value in os.environ.items() if not key.startswith(kept)}
        # No command of the environment that the tests run in.
        path = [one for one in own["PATH"].split(":") if one != str(Path(sys.executable).parent)]
        self.env = {**own, "HOME": str(home), "PATH": ":".join(path)}

    def words(self, command: str) -> list[str]:
        """Bash for one command, after which it leaves its folder and variables to the next."""
        left = "export -p > ~/.terminal\necho \"cd '$PWD'\" >> ~/.terminal\n"
        return ["bash", "-c", f"set -euo pipefail\n. ~/.terminal\n{command}\n{left}"]

    def give(self, command: str) -> str:
        """Give a command; what it wrote. It has to end well."""
        done = subprocess.run(self.words(command), env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{(done.stdout + done.stderr)[-3000:]}"
        return done.stdout

    def leave(self, command: str, says: str) -> subprocess.Popen[bytes]:
        """Give a command that goes on until it is interrupted; returns once it has said `says`."""
        log = self.home / "left.log"
        with log.open("w") as file:
            process = subprocess.Popen(self.words(f"exec {command}"), env=self.env, stderr=file, start_new_session=True)
        waits = time.monotonic() + SECONDS
        while says not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < waits, log.read_text()
            time.sleep(0.1)
        return process


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_from_a_clone_to_an_answer(tmp_path: Path) -> None:
    """Every command ends well, and the champion that they made answers a photo."""
    make_images(tmp_path / "photos" / "parts")
    photo, port = next((tmp_path / "photos" / "parts" / "red").iterdir()), free_port()
    way, terminal, server, said = commands(), Terminal(tmp_path), None, ""
    assert len(way) <= MOST
    assert way[-1].startswith("curl ")
    try:
        for command in way:
            if command == "sightline serve":
                server = terminal.leave(f"{command} --port {port}", says="answers at")
                continue
            said = terminal.give(command.replace("photo.jpg", str(photo)).replace("8000", str(port)))
            if command.startswith("sightline init"):
                for key, value in FAST.items():
                    write_value(tmp_path / "parts", key, value)
        (answer,) = json.loads(said)["answers"]
    finally:
        if server:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    assert (answer["label"], answer["version"]) == ("red", "1")
    assert (tmp_path / "sightline" / ".demo" / "reports" / "index.html").exists()
