"""`sightline init`: a whole project or a clear error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import chdir
from pathlib import Path
from socket import AF_UNIX, socket
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import make_images
from typer.testing import CliRunner

from flows.cli.app import app
from sightline import config, scaffold
from sightline.data.versions import repository
from sightline.errors import ConfigError, DataError, ProjectError
from sightline.models.shipped import FRACTALS
from sightline.project import enter, environment

if TYPE_CHECKING:
    from sightline.project import Paths


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


def test_place_that_databases_cannot_have_is_refused(tmp_path: Path, images: Path) -> None:
    """SQLAlchemy ends the name of a file at a question mark: ledger and registry would lie beside the project."""
    with pytest.raises(ProjectError, match=r"q\?x has a question mark .*: rename the folder"):
        init(tmp_path / "q?x", str(images))
    assert not list(tmp_path.glob("q*"))
    init(tmp_path / "q", str(images))
    (tmp_path / "q").rename(tmp_path / "q?x")
    with pytest.raises(ProjectError, match="rename the folder"):
        enter(tmp_path / "q?x")


def test_next_command_is_one_that_a_shell_takes(tmp_path: Path, images: Path) -> None:
    said = CliRunner().invoke(app, ["init", str(tmp_path / "it's mine"), "--images", str(images)]).output
    command = said.split("ready: ", 1)[1].split(" && ", 1)[0]
    there = subprocess.run(["sh", "-c", f"{command} && pwd"], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(tmp_path / "it's mine")


@pytest.mark.slow
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


def planted(folder: Path, outside: Path) -> dict[str, str]:
    """Put into the class folder `red` all that must not be read; path → why."""
    red = folder / "red"
    (outside / "users.png").write_text("root:x:0:0:")
    (red / "users.png").symlink_to(outside / "users.png")
    (red / "endless.png").symlink_to("/dev/zero")
    (red / "dead.png").symlink_to("nothing")
    (red / "loop.png").symlink_to("loop.png")
    (folder / "more").symlink_to(outside)
    os.mkfifo(red / "pipe.png")
    with socket(AF_UNIX) as listener, chdir(red):
        listener.bind("socket.png")
    leaves, nowhere, special = (
        "link that leaves the folder",
        "link that leads nowhere, or in a circle",
        "not a regular file",
    )
    return {
        "more": "link to a folder: not followed",
        "red/dead.png": nowhere,
        "red/endless.png": leaves,
        "red/loop.png": nowhere,
        "red/pipe.png": special,
        "red/socket.png": special,
        "red/users.png": leaves,
    }


def in_the_store(root: Path, secret: bytes) -> list[Path]:
    """Files of DVC's store that hold `secret`."""
    return [file for file in (root / ".dvc" / "cache").rglob("*") if file.is_file() and secret in file.read_bytes()]


@pytest.mark.timeout(60)
def test_what_leads_elsewhere_is_left_out_and_told(tmp_path: Path) -> None:
    """Of a folder with planted links, pipes and sockets a project is made, without them, and each is named."""
    photos, outside = make_images(tmp_path / "photos", per_class=3), tmp_path / "outside"
    outside.mkdir()
    why = planted(photos, outside)
    (photos / "red" / "again.png").symlink_to("0000.png")
    (photos / "red" / "whole.png").symlink_to(photos / "blue" / "0001.png")
    told: list[str] = []
    scaffold.init(tmp_path / "p", str(photos), None, None, told.append)
    raw = tmp_path / "p" / "data" / "raw" / "target"
    assert {path for path in why if os.path.lexists(raw / path)} == set()
    assert all(f"{path} ({reason})" in told[0] for path, reason in why.items())
    for name, origin in (("again", "red/0000"), ("whole", "blue/0001")):
        assert not (raw / "red" / f"{name}.png").is_symlink()
        assert (raw / "red" / f"{name}.png").read_bytes() == (photos / f"{origin}.png").read_bytes()
    assert not in_the_store(tmp_path / "p", b"root:x")


@pytest.mark.timeout(60)
def test_a_table_brings_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Links that a table names are left out too, by whatever folder they lead there."""
    photos, outside = make_images(tmp_path / "photos", per_class=3), tmp_path / "outside"
    outside.mkdir()
    planted(photos, outside)
    paths = [
        "red/0000.png",
        "red/users.png",
        "red/endless.png",
        "red/pipe.png",
        "more/users.png",
        "../outside/users.png",
    ]
    (photos / "table.csv").write_text("path,label\n" + "".join(f"{path},x\n" for path in paths))
    told: list[str] = []
    scaffold.init(tmp_path / "p", str(photos / "table.csv"), None, None, told.append)
    raw = tmp_path / "p" / "data" / "raw" / "target"
    assert sorted(file.name for file in raw.rglob("*.*")) == ["0000.png", "labels.csv"]
    assert all(path in told[0] for path in paths[1:])


@pytest.mark.parametrize("there", [False, True])
def test_where_nothing_may_be_read_no_project_is_left(tmp_path: Path, *, there: bool) -> None:
    """A folder of links alone gives an error; the folder of the project is as it was."""
    outside = make_images(tmp_path / "outside", per_class=2)
    (tmp_path / "in" / "red").mkdir(parents=True)
    (tmp_path / "in" / "red" / "1.png").symlink_to(outside / "red" / "0000.png")
    if there:
        (tmp_path / "p").mkdir()
        (tmp_path / "p" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="no images"):
        init(tmp_path / "p", str(tmp_path / "in"))
    assert [file.name for file in tmp_path.glob("p/*")] == (["notes.txt"] if there else [])
    assert (tmp_path / "p").exists() == there


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_what_is_planted_later_stays_unread_too(toy: Paths, tmp_path: Path) -> None:
    """DVC gets no byte from behind what lies in data/raw by hand; the quarantine list names it, and the run goes on."""
    from sightline.data.versions import history

    outside, raw = tmp_path / "outside", toy.raw("target")
    outside.mkdir()
    why = planted(raw, outside)
    odd = "red/a b!#[1]*\\\n.png"
    (raw / odd).symlink_to(outside / "users.png")
    (raw / "red" / "again.png").symlink_to("0000.png")
    history.ingest(toy, "target")
    left = pd.read_csv(toy.quarantine("target")).set_index("path")["reason"].to_dict()
    assert left == {**why, odd: "link that leaves the folder"}
    assert not in_the_store(toy.root, b"root:x")
    assert toy.raw("target").joinpath("red", "users.png").is_symlink()
    for path in (*why, odd):
        (raw / path).unlink()
    history.ingest(toy, "target")
    assert pd.read_csv(toy.quarantine("target")).empty
    assert not (raw.parent / ".dvcignore").read_text()


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


def test_hidden_classes_are_told(tmp_path: Path, images: Path) -> None:
    """Folders that begin with a dot are none of the copy; who calls a class `.5` must know."""
    photos = tmp_path / "photos"
    shutil.copytree(images, photos)
    (photos / "red").rename(photos / ".5")
    (photos / "blue" / ".hidden.png").write_bytes((photos / "blue" / "0000.png").read_bytes())
    number = len(list((photos / ".5").iterdir()))
    for name, external in (("copied", False), ("outside", True)):
        told: list[str] = []
        scaffold.init(tmp_path / name, str(photos), None, None, told.append, external=external)
        said = "\n".join(told)
        assert f"{number + 1} other files not read: " in said
        assert f"the folder .5 holds {number} images and is hidden: rename it" in said


def test_one_class_alone_is_told_by_its_own_name(tmp_path: Path, images: Path) -> None:
    """Not by that of the copy, which is gone; its classes are likely those beside it."""
    with pytest.raises(DataError, match="none has a label") as caught:
        init(tmp_path / "p", str(images / "red"))
    assert str(caught.value).startswith(f"{images / 'red'}: ")
    assert "or name the folder above, where red is one class of several" in str(caught.value)
    assert "data/raw" not in str(caught.value)


def test_lost_files_of_a_table_are_told_once(tmp_path: Path, images: Path) -> None:
    """By their names."""
    table = images.parent / "some.csv"
    names = [f"{images.name}/{name}/0000.png" for name in ("red", "blue")]
    table.write_text("path,label\n" + "".join(f"{name},x\n" for name in [*names, "gone.png"]))
    told: list[str] = []
    scaffold.init(tmp_path / "p", str(table), None, None, told.append)
    table.unlink()
    assert [one for one in told if "there is no such file" in one] == [
        "target: left out, unread: gone.png (there is no such file)"
    ]


def test_unknown_embedded_set_is_told(tmp_path: Path) -> None:
    """A misspelt embedded set is told with those that exist."""
    with pytest.raises(DataError, match="embedded:digits"):
        init(tmp_path / "p", "embedded:dogs")


@pytest.mark.parametrize("place", [".", "project"])
def test_project_among_its_images_is_refused(tmp_path: Path, images: Path, place: str) -> None:
    """The images would be copied into themselves, without an end: told before anything is written."""
    own = Path(shutil.copytree(images, tmp_path / "photos"))
    before = sorted(own.rglob("*"))
    with pytest.raises(ProjectError, match=r"copied into themselves; make the project beside .*photos-project"):
        scaffold.init(own / place, str(own), None, None, lambda _: None)
    assert sorted(own.rglob("*")) == before


def test_images_in_the_project_are_not_committed(tmp_path: Path, images: Path) -> None:
    """A project may be made around a folder that lies in it: git leaves that to DVC's copy. Classes are counted."""
    said: list[str] = []
    shutil.copytree(images, tmp_path / "photos")
    scaffold.init(tmp_path, str(tmp_path / "photos"), None, None, said.append)
    kept = subprocess.run(["git", "ls-files"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert not [line for line in kept.splitlines() if line.endswith(".png")]
    assert "180 images of 3 classes: blue 60, green 60, red 60" in said[0]


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


def test_archive_becomes_a_project(tmp_path: Path, images: Path) -> None:
    """A zip is unpacked into the raw folder; what else lies in it is told by number."""
    archive = Path(shutil.make_archive(str(tmp_path / "blobs"), "zip", images.parent, images.name))
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("blobs/red/notes.txt", "hello")
        file.writestr("../evil.png", "hello")
    said: list[str] = []
    scaffold.init(tmp_path / "p", str(archive), None, None, said.append)
    raw = tmp_path / "p" / "data" / "raw" / "target"
    assert (raw / "blobs" / "red" / "0000.png").read_bytes() == (images / "red" / "0000.png").read_bytes()
    assert said[:3] == [
        "target: left out, unread: ../evil.png (path that leaves the folder)",
        f"target: 180 images of 3 classes: blue 60, green 60, red 60, in {raw}",
        "target: 1 other file not read: 1 .txt",
    ]
    assert not (tmp_path / "evil.png").exists()
    git = ["git", "-C", str(tmp_path / "p"), "status", "--porcelain"]
    assert not subprocess.run(git, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("dvc", "add", "nowhere"), "ERROR: .*nowhere"),
        (("sh", "-c", "exit 3"), "it ended with status 3 and said nothing"),
    ],
)
def test_why_a_command_failed_is_told(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    """What it said of it, or else its status: never nothing."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q"], cwd=tmp_path, check=True)
    with pytest.raises(ProjectError, match=f"failed in .*: {why}"):
        repository.run(tmp_path, *words)


def test_formulas_are_a_source_for_ones_own_images(tmp_path: Path, images: Path) -> None:
    """Images made by formulas are brought as a source, as many as are asked for, at the side of one's own images."""
    init(tmp_path / "p", str(images), "embedded:fractals:2x3")
    assert len(list((tmp_path / "p" / "data" / "raw" / "source").glob("*/*.png"))) == 6
    params = config.load(tmp_path / "p")
    assert (set(params.datasets), params.preprocess.size) == ({"source", "target"}, 64)


@pytest.mark.slow
def test_own_images_begin_with_the_shipped_backbone(tmp_path: Path, images: Path) -> None:
    """Without a source it is the one that comes with Sightline, said with how to do without; else none is set."""
    told: list[str] = []
    scaffold.init(tmp_path / "own", str(images), None, None, told.append)
    assert config.load(tmp_path / "own").pretrain.init == "embedded:fractals"
    assert [line for line in told if "pretrain.init=null" in line]
    for name, source in (("source", str(images)), ("digits", None)):
        target = "embedded:digits" if name == "digits" else str(images)
        told.clear()
        scaffold.init(tmp_path / name, target, source, None, told.append)
        assert config.load(tmp_path / name).pretrain.init is None
        assert not [line for line in told if "pretrain.init" in line]


def test_backbones_at_hand_are_what_a_new_project_begins_with(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest for the network, named with its place; without one the shipped one, which is said."""
    folder, said = tmp_path / "backbones", list[str]()
    monkeypatch.setenv("SIGHTLINE_BACKBONES", str(folder))
    with pytest.raises(ConfigError, match=r"SIGHTLINE_BACKBONES = .* is no folder"):
        init(tmp_path / "p", str(images))
    assert not (tmp_path / "p").exists()
    folder.mkdir()
    scaffold.init(tmp_path / "p", str(images), None, None, said.append)
    assert config.load(tmp_path / "p").pretrain.init == FRACTALS
    assert any("SIGHTLINE_BACKBONES has none for cnn" in one for one in said)
    for age, name in enumerate(("new-cnn", "old-cnn", "newest-resnet18")):
        (folder / f"{name}.safetensors").touch()
        os.utime(folder / f"{name}.safetensors", (1000 - age, 1000 - age))
    scaffold.init(tmp_path / "q", str(images), None, None, said.append)
    assert config.load(tmp_path / "q").pretrain.init == str(folder / "new-cnn.safetensors")
    assert any(one.startswith(f"backbone: {folder / 'new-cnn.safetensors'}") for one in said)
