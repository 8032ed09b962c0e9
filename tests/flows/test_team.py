"""The page about teams: its commands, as they stand there, given by several people to real servers."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from compose import SECRETS, team
from conftest import COLOURS, FAST, commit, make_images, make_project

from sightline.config import write_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = Path(__file__).parents[2] / "docs" / "team.md"
BLOCKS = re.findall(r"^```sh (\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
"""Who gives which commands, in their order."""
KEPT = ("PREFECT", "MLFLOW", "SIGHTLINE", "AWS", "GIT", "DVC")


class Person:
    """Somebody with a home and a terminal, which stays open from one block of the page to the next."""

    def __init__(self, name: str, home: Path, images: Path) -> None:
        self.home, self.images = home, images
        home.mkdir()
        shutil.copytree(images, home / "photos")
        shutil.copyfile(next((images / "blue").iterdir()), home / "photo.png")
        (home / ".gitconfig").write_text(f"[user]\nname = {name}\nemail = {name}@example.org\n")
        (home / ".terminal").write_text(f"cd '{home}'\n")
        own = {key: value for key, value in os.environ.items() if not key.startswith(KEPT)}
        path = f"{Path(sys.executable).parent}:{own['PATH']}"
        self.env = {**own, **SECRETS, "HOME": str(home), "PATH": path, "AWS_DEFAULT_REGION": "us-east-1"}

    @property
    def project(self) -> Path:
        """Where the page has them work."""
        return self.home / "parts"

    def give(self, commands: str) -> str:
        """Give the commands; what they wrote. Each has to end well."""
        left = "export -p > ~/.terminal\necho \"cd '$PWD'\" >> ~/.terminal\n"
        script = f"set -euo pipefail\n. ~/.terminal\n{commands}\n{left}"
        done = subprocess.run(["bash", "-c", script], env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{commands}\n{(done.stdout + done.stderr)[-3000:]}"
        assert "Traceback" not in done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Person], Mapping[str, str]]]:
    """Everybody on the page, and where what it names is on this machine."""
    home = tmp_path_factory.mktemp("team")
    images = make_images(home / "images", per_class=20)
    found = {name: Person(name, home / name, images) for name in ("admin", "ann", "ben", "zoe")}
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(home / "parts.git")], check=True)
    with team(home) as addresses:
        yield found, {**addresses, "git@git.example.org:parts.git": str(home / "parts.git")}


def make_quick(person: Person) -> None:
    """Values with which toys train in seconds."""
    for key, value in FAST.items():
        write_value(person.project, key, value)


def label(person: Person) -> None:
    """Give a training image another class, in a copy of the table with this row alone."""
    with (person.project / "todo.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(row["suggestion"] in COLOURS for row in rows)
    rows[0]["label"] = next(one for one in COLOURS if one != rows[0]["label"])
    with (person.project / "done.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerow(rows[0])


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_commands_of_the_page_work_for_two_people(people: tuple[dict[str, Person], Mapping[str, str]]) -> None:
    """Two clones share one server, one ledger and one remote; both are asked by the same champion, with one history."""
    persons, here = people
    wrote: dict[str, list[str]] = {name: [] for name in persons}
    after = {"sightline init": make_quick, "label export": label}
    alone = make_project(persons["zoe"].home / "alone", persons["zoe"].images)
    commit(alone, "first")
    persons["zoe"].give(f"cd {alone.root}")
    for name, commands in BLOCKS:
        for there, place in here.items():
            commands = commands.replace(there, place)  # noqa: PLW2901
        wrote[name].append(persons[name].give(commands))
        for word, then in after.items():
            if word in commands:
                then(persons[name])
    assert [persons[name].give("sightline history --json") for name in ("ann", "ben")]
    ann, ben = ("\n".join(wrote[name]) for name in ("ann", "ben"))
    assert "champion  version 1" in ann
    assert "identical" in ben
    assert persons["ann"].give("sightline predict ../photo.png") == persons["ben"].give(
        "sightline predict ../photo.png"
    )
    assert persons["ann"].give("sightline history") == persons["ben"].give("sightline history")
    assert "champion  version 1" in wrote["zoe"][-1]
