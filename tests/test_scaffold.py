"""`sightline init`: a whole project or a clear error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sightline import config, scaffold
from sightline.errors import DataError, ProjectError
from sightline.project import environment


def init(folder: Path, images: str, source: str | None = None) -> None:
    scaffold.init(folder, images, source, None, lambda _: None)


def test_project_is_whole(tmp_path: Path, images: Path) -> None:
    """Images are copied, git and DVC are there, params.yaml loads and names the project after its folder."""
    init(tmp_path / "my parts", str(images))
    root = tmp_path / "my parts"
    assert (root / "data" / "raw" / "target" / "red" / "0000.png").read_bytes() == (
        images / "red" / "0000.png"
    ).read_bytes()
    assert all((root / name).exists() for name in (".git", ".dvc", "dvc.yaml", "prefect.yaml"))
    params = config.load(root)
    assert params.project.name == "my-parts"
    assert set(params.datasets) == {"target"}


def test_own_prefect_commands_see_the_runs_of_the_project(tmp_path: Path, images: Path) -> None:
    """Prefect's server, started by hand in a clone, opens the database of `sightline run` and reports nothing home."""
    init(tmp_path / "p", str(images))
    subprocess.run(["git", "clone", "--quiet", str(tmp_path / "p"), str(tmp_path / "clone")], check=True)
    ask = (
        "import asyncio\n"
        "from prefect.server.database import provide_database_interface\n"
        "from prefect.settings import get_current_settings\n"
        "asyncio.run(provide_database_interface().create_db())\n"
        "print(get_current_settings().server.analytics_enabled)\n"
    )
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT")}
    env = {**plain, "PREFECT_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", ask]
    said = subprocess.run(command, cwd=tmp_path / "clone", env=env, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False"]
    of_runs = Path(environment(tmp_path / "clone", plain)["PREFECT_HOME"]) / "prefect.db"
    assert of_runs.is_file()
    assert not (tmp_path / "home" / "prefect.db").exists()


def test_csv_brings_the_images_that_it_lists(tmp_path: Path, images: Path) -> None:
    """A CSV file of path,label becomes labels.csv beside copies of its images."""
    table = images / "table.csv"
    table.write_text("path,label\nred/0000.png,warm\nblue/0001.png,cold\n")
    init(tmp_path / "p", str(table))
    table.unlink()
    raw = tmp_path / "p" / "data" / "raw" / "target"
    assert sorted(path.relative_to(raw).as_posix() for path in raw.rglob("*.*")) == [
        "blue/0001.png",
        "labels.csv",
        "red/0000.png",
    ]


@pytest.mark.parametrize("make", [lambda _: None, lambda folder: folder.mkdir()])
def test_folder_without_images_is_told(tmp_path: Path, make: object) -> None:
    """A folder that is missing or empty gives an error that names it, and nothing is left behind."""
    make(tmp_path / "empty")  # type: ignore[operator]
    with pytest.raises(DataError, match="empty"):
        init(tmp_path / "p", str(tmp_path / "empty"))
    assert not (tmp_path / "p").exists()


def test_unknown_embedded_set_is_told(tmp_path: Path) -> None:
    """A misspelt embedded set is told with those that exist."""
    with pytest.raises(DataError, match="embedded:digits"):
        init(tmp_path / "p", "embedded:dogs")


def test_second_init_changes_nothing(tmp_path: Path, images: Path) -> None:
    """A folder that is a project already is left as it is."""
    init(tmp_path / "p", str(images))
    before = (tmp_path / "p" / "params.yaml").read_text()
    with pytest.raises(ProjectError, match="holds a project already"):
        init(tmp_path / "p", str(images))
    assert (tmp_path / "p" / "params.yaml").read_text() == before


def test_project_inside_an_ignored_folder_gets_its_own_repository(tmp_path: Path, images: Path) -> None:
    """A folder that the surrounding repository ignores is versioned by itself, so that the outer one stays clean."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("/p/\n")
    init(tmp_path / "p", str(images))
    assert (tmp_path / "p" / ".git").is_dir()


def test_new_project_is_committed_without_its_images(tmp_path: Path, images: Path) -> None:
    """Git holds the project's files and the pointer to the images; DVC holds the images; the tree is clean."""
    init(tmp_path / "p", str(images))
    git = ["git", "-C", str(tmp_path / "p")]
    files = subprocess.run([*git, "ls-files"], capture_output=True, text=True, check=True).stdout.split()
    assert {"params.yaml", "dvc.yaml", "data/raw/target.dvc"} <= set(files)
    assert not [name for name in files if name.endswith(".png")]
    assert not subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
