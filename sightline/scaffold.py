"""`sightline init`: a project folder around images, under git and DVC."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import config
from sightline.data import embedded
from sightline.data.sources import LABELS, scan
from sightline.errors import DataError, ProjectError
from sightline.project import environment

if TYPE_CHECKING:
    from collections.abc import Callable

EMBEDDED = "embedded:"
FILES = ("dvc.yaml", "prefect.yaml")
IGNORED = """\
/.prefect/
/runs/
/reports/
/mlflow/
/.dvc/site/
/data/cache/
/data/docs/
/data/code.yaml
/data/manifests/
/data/shards/
/data/validation/
"""
OWN_IMAGES: dict[str, Any] = {
    "datasets.target.train_per_class": None,
    "preprocess.size": 64,
    "pretrain.network": "resnet18",
    "pretrain.recipe.epochs": 12,
    "pretrain.recipe.flip": True,
    "finetune.recipe.epochs": 15,
    "finetune.recipe.min_steps": 300,
    "finetune.recipe.learning_rate": 0.03,
    "finetune.recipe.flip": True,
    "finetune.recipe.freeze_statistics": False,
    "finetune.scratch.epochs": 15,
    "finetune.scratch.min_steps": 600,
    "finetune.scratch.learning_rate": 0.1,
    "finetune.scratch.flip": True,
}
"""Where the values for images of one's own differ from those of the demonstration."""


def template(name: str) -> Path:
    """A file of the project template: inside the package when installed, at the root of a checkout."""
    package = Path(__file__).parent
    inside = package / "template" / name
    return inside if inside.is_file() else package.parent / name


def init(folder: Path, images: str, source: str | None, name: str | None, told: Callable[[str], None]) -> None:
    """Make a project at `folder` around `images`: a folder, a CSV file or `embedded:NAME`; `source` likewise.

    Nothing of the user's images is changed: they are copied (cloned where the file system can). `told` receives a line
    per step. Raises ProjectError where the folder holds a project already, DataError where there are no images.
    """
    if (folder / config.PARAMS).exists():
        raise ProjectError(f"{folder} holds a project already; run `sightline run` in it, or choose another folder")
    wanted = {"target": images} | ({"source": source} if source else {})
    for given in wanted.values():
        _check(given)
    folder.mkdir(parents=True, exist_ok=True)
    for use, given in wanted.items():
        count = _bring(given, folder / "data" / "raw" / use)
        told(f"{use}: {count} images from {given} are in {folder / 'data' / 'raw' / use}")
    for file in FILES:
        shutil.copyfile(template(file), folder / file)
    (folder / ".gitignore").write_text(IGNORED, encoding="utf-8")
    own = _version_control(folder)
    _write_params(folder, wanted, name)
    _run(folder, "dvc", "add", "--quiet", *(f"data/raw/{use}" for use in wanted))
    if own:
        _commit(folder)
    told(f"{folder / config.PARAMS} holds every value that you may want to change")


def _write_params(folder: Path, wanted: dict[str, str], name: str | None) -> None:
    """Last of all: where params.yaml stands, the project is whole."""

    def edit(values: Any) -> None:
        own = not wanted["target"].startswith(EMBEDDED)
        for key, value in (OWN_IMAGES if own else {}).items():
            config.place(values, key, value)
        if name or own:
            values["project"]["name"] = _model_name(name or folder.resolve().name)
            values["project"].yaml_add_eol_comment("registered models: NAME-backbone, NAME-classifier", "name")
        if "source" not in wanted:
            del values["datasets"]["source"]

    config.change(template(config.PARAMS), folder / config.PARAMS, edit)
    config.load(folder)


def _model_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in text).strip("-.") or "project"


def _check(given: str) -> None:
    if given.startswith(EMBEDDED):
        embedded.check(given)
        return
    path = Path(given)
    if path.is_dir():
        scan(path)
    elif not path.is_file():
        raise DataError(
            f"{given}: there is no such folder or CSV file; name a folder with a folder of images per class"
        )


def _bring(given: str, target: Path) -> int:
    if target.exists():
        shutil.rmtree(target)
    if given.startswith(EMBEDDED):
        return embedded.write(given, target)
    path = Path(given)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target, symlinks=True, copy_function=_clone)
    else:
        _bring_csv(path, target)
    return len(scan(target))


def _bring_csv(table: Path, target: Path) -> None:
    """The images that a CSV file lists, and the file itself as labels.csv."""
    target.mkdir(parents=True)
    shutil.copyfile(table, target / LABELS)
    with table.open(encoding="utf-8-sig", newline="") as handle:
        for row in csv.DictReader(handle):
            origin = table.parent / (row.get("path") or "")
            place = target / (row.get("path") or "")
            if origin.is_file() and place.resolve().is_relative_to(target.resolve()):
                place.parent.mkdir(parents=True, exist_ok=True)
                _clone(str(origin), str(place))


def _clone(origin: str, place: str) -> str:
    """Copy a file, sharing its blocks where the file system can."""
    from dvc_objects.fs.system import reflink

    try:
        reflink(origin, place)
    except OSError:
        shutil.copyfile(origin, place)
    return place


def _version_control(folder: Path) -> bool:
    """Git and DVC, each where it is not there yet; whether the git repository is new."""
    new = not _inside_git(folder)
    if new:
        _run(folder, "git", "init", "--quiet", "--initial-branch=main")
    if not (folder / ".dvc").is_dir():
        own = (folder / ".git").is_dir()
        _run(folder, "dvc", "init", "--quiet", *([] if own else ["--subdir"]))
        _run(folder, "dvc", "config", "core.analytics", "false")
        _run(folder, "dvc", "config", "core.check_update", "false")
        _run(folder, "dvc", "config", "core.autostage", "false")
    return new


def _commit(folder: Path) -> None:
    """The first commit of a new repository, so that every run can name the state that it started from."""
    known = subprocess.run(["git", "-C", str(folder), "config", "user.email"], capture_output=True, check=False)
    identity = [] if known.returncode == 0 else ["-c", "user.name=sightline", "-c", "user.email=sightline@localhost"]
    _run(folder, "git", "add", "--all")
    _run(folder, "git", *identity, "commit", "--quiet", "--message", "New Sightline project")


def _inside_git(folder: Path) -> bool:
    """Whether `folder` belongs to a git repository that does not ignore it."""
    if (folder / ".git").exists():
        return True
    inside = subprocess.run(["git", "-C", str(folder), "rev-parse"], capture_output=True, check=False).returncode == 0
    ignored = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "--quiet", "."], capture_output=True, check=False
    )
    return inside and ignored.returncode != 0


def _run(folder: Path, *words: str) -> None:
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment(folder.resolve(), os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError(f"{words[0]} is not on the PATH: install it, then try again") from None
    if done.returncode:
        raise ProjectError(f"{' '.join(words)} failed in {folder}: {done.stderr.strip() or done.stdout.strip()}")
