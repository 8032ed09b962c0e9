"""Where teams run it: users without a name or a home, other languages, odd paths, any umask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_images

from sightline.project import environment, machine_cache

ROOT = Path(__file__).parents[1]
NOBODY = ["unshare", "--user", "--map-user=12345"]
"""What gives a process a user number that stands in no list of users."""
ASK = """
import getpass, json, os
from pathlib import Path
from sightline.project import environment, machine_cache
kept = machine_cache()
os.environ.update(environment(Path("/p")))
import platformdirs
print(json.dumps([kept and str(kept), getpass.getuser(), platformdirs.user_config_dir("x")]))
"""


def nobody(*words: str, cwd: Path, umask: int = 0o22, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of a user without a name and, unless `variables` say so, without a home, in the language C."""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LC_ALL": "C", **variables}
    try:
        subprocess.run([*NOBODY, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody have a user of that kind")
    command = [*NOBODY, sys.executable, "-P", *words]
    return subprocess.run(
        command, cwd=cwd, env=env, umask=umask, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_a_user_without_name_and_home_gets_both(tmp_path: Path) -> None:
    """For the libraries that ask for them; what is kept for the machine is kept nowhere."""
    done = nobody("-c", ASK, cwd=tmp_path)
    assert json.loads(done.stdout) == [None, "uid-12345", "/p/.prefect/home/.config/x"], done.stderr


def test_whoever_has_a_name_and_a_home_keeps_them() -> None:
    """Nothing is set where nothing is missing."""
    found = environment(Path("/p"), {"USER": "me", "HOME": "/home/me"})
    assert (found["USER"], found["HOME"], "LOGNAME" in found) == ("me", "/home/me", False)


def test_a_home_that_takes_no_files_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept for the machine there, and nothing fails."""
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert machine_cache() is None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("umask", "home"), [(0o77, {}), (0, {"HOME": "/proc/none"})], ids=["077", "000"])
def test_the_whole_way_in_strange_surroundings(tmp_path: Path, umask: int, home: dict[str, str]) -> None:
    """From images to a champion, in a path with blanks and 200 characters, with classes of another script."""
    images = make_images(tmp_path / "photos", per_class=20)
    (images / "red").rename(images / "猫 é")
    place = tmp_path / f"a b {'x' * 100}" / ("y" * 100)
    sets = [f"--set={one}" for one in ("project.preset=fast", "preprocess.size=16")]
    for words in (["init", str(place), "--images", str(images)], ["run", "--json", *sets], ["doctor"], ["history"]):
        where = place if place.exists() else tmp_path
        done = nobody("-m", "flows.cli", *words, cwd=where, umask=umask, **home)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "Traceback" not in done.stderr
    assert "uid-12345" in done.stdout
