"""The README's way from a folder of one's own images to an answer over HTTP, as commands of a shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import FAST, make_images
from servers import free_port

from sightline.config import write_value

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WAY = (
    "sightline init parts --images FOLDER",
    "cd parts && sightline run",
    "sightline serve",
    "curl -s --data-binary @photo.jpg http://127.0.0.1:8000/predict",
)
MOST = 6
"""Commands that it may take."""
SECONDS = 60
"""In which a server must answer."""


def environment() -> dict[str, str]:
    """Variables of a person who has set none of ours."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_a_folder_to_an_answer(tmp_path: Path) -> None:
    """Each command stands in the README; the champion that they made answers a photo."""
    assert len(WAY) <= MOST
    assert all(command in README for command in WAY)
    make_images(tmp_path / "FOLDER")
    photo, port = next((tmp_path / "FOLDER" / "red").iterdir()), free_port()
    init, run, serve, curl = (
        command.replace("sightline", f"{sys.executable} -P -m flows.cli")
        .replace("photo.jpg", str(photo))
        .replace("8000", str(port))
        for command in WAY
    )

    def give(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        return done.stdout

    give(init)
    for key, value in FAST.items():
        write_value(tmp_path / "parts", key, value)
    give(run)
    words = [*serve.split(), "--port", str(port)]
    with (tmp_path / "serve.log").open("w") as log:
        server = subprocess.Popen(words, cwd=tmp_path / "parts", env=environment(), stderr=log, start_new_session=True)
    try:
        waits = time.monotonic() + SECONDS
        while "answers at" not in (tmp_path / "serve.log").read_text():
            assert server.poll() is None, (tmp_path / "serve.log").read_text()
            assert time.monotonic() < waits
            time.sleep(0.1)
        (answer,) = json.loads(give(curl.replace("curl", "curl --retry 20 --retry-connrefused")))["answers"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert (answer["label"], answer["version"]) == ("red", "1")
