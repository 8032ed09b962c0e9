"""DVC: the raw data and the data stages, by name, in process."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline import yamls
from sightline.data.versions import busy, shut
from sightline.digests import is_under_git
from sightline.errors import DataError, ValidationFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths


MEND = "where one of its files is damaged, bring it back with `git checkout -- FILE`; `dvc.lock` may be removed too"
MARK = b"<<<<<<< "
"""With which git begins what two sides of a merge say otherwise."""
READ = ("params.yaml", "dvc.yaml", "dvc.lock")
"""What DVC reads of a project as YAML, without looking first what it would become."""


@dataclass(frozen=True)
class Reproduced:
    """What DVC did with a stage."""

    stage: str
    ran: bool
    digest: str
    """DVC digest of the stage's output."""

    @property
    def words(self) -> str:
        """What came out, in a few words."""
        return f"version {self.digest[:8]}"


class StoreBusy(DataError):
    """Another process holds DVC's lock: worth a retry."""


def put_back(root: Path, path: Path) -> str:
    """How a file that git keeps becomes whole, where it is damaged or holds the two sides of a merge."""
    name = path.relative_to(root).as_posix()
    if is_unmerged(path):
        side = (
            f"`git checkout --ours -- {name}` takes this side"
            if path.suffix in {".lock", ".dvc", ".yaml"}
            else "keep the lines of both sides, and remove the lines of git's marks"
        )
        return f"git is in the middle of a merge: {side}; docs/team.md tells how the data of both become one version"
    if not is_under_git(root):
        return f"{root} is not under git, which would hold it (`git init` there): put it back from a backup"
    return f"bring it back with `git checkout -- {name}`"


def is_unmerged(path: Path) -> bool:
    """Whether git left its marks of a merge in the file."""
    return any(line.startswith(MARK) for line in path.read_bytes().splitlines())


@contextmanager
def opened(root: Path) -> Iterator[Any]:
    """The DVC repository at `root`, quiet.

    Raises DataError where there is none, or one that may cost more to read than it holds.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.ERROR)
    for name in READ:
        try:
            if (root / name).is_file():
                yamls.text(root / name)
        except yamls.Unreadable as error:
            raise DataError(f"{root / name} is damaged ({error}): {put_back(root, root / name)}") from None
    repo = None
    try:
        repo = Repo(os.fspath(root))
        busy.shed(repo)
        yield repo
    except NotDvcRepoError:
        raise DataError(
            f"{root} is not under DVC: run `dvc init` there, or make a project with `sightline init`"
        ) from None
    except LockError as error:
        raise StoreBusy(f"another DVC command is at work in {root}: {error}") from error
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            raise
        # What DVC remembers of files by their stamps: without it, it reads them.
        shutil.rmtree(os.environ.get("DVC_SITE_CACHE_DIR") or root / ".dvc" / "site", ignore_errors=True)
        raise StoreBusy(f"what DVC remembers of files was damaged ({error}), and is removed: try again") from error
    except DvcException as error:
        mend = MEND if is_under_git(root) else "`git init` there, then try again"
        raise DataError(f"DVC cannot go on in {root}: {_line(error)}; {mend}") from error
    finally:
        if repo is not None:
            repo.close()


def _line(error: BaseException) -> str:
    """An error and its causes in one line: DVC names the file in one, what is wrong with it in another."""
    said = []
    one: BaseException | None = error
    while one is not None:
        said.append(" ".join(str(one).split())[:300])
        one = one.__cause__
    return ": ".join(part for part in said if part)


def track_raw(paths: Paths, use: str) -> bool:
    """Bring the raw folder of a data set under DVC as it is now; whether it had changed.

    What must not be opened stays out of it, and comes to stand in the quarantine list. Raises DataError where the
    folder is missing, or a link.
    """
    folder = paths.raw(use)
    check_raw(paths, use)
    shut.close(folder)
    for one in paths.params.datasets:
        _drop_damaged(paths, _pointer(paths.raw(one)), paths.raw(one).name)
    pointer = _pointer(folder)
    before = pointer.read_bytes() if pointer.is_file() else b""
    with opened(paths.root) as repo:
        if not pointer.is_file() or repo.status(targets=[os.fspath(pointer)]):
            repo.add([os.fspath(folder)])
    return pointer.read_bytes() != before


def check_raw(paths: Paths, use: str) -> None:
    """Raise DataError where the raw folder of a data set under DVC is missing, or a link."""
    folder = paths.raw(use)
    if folder.is_symlink():
        raise DataError(
            f"{folder} is a link to {os.path.realpath(folder)}: put the images there, or name that folder as external"
        )
    if not folder.is_dir():
        held = _pointer(folder).is_file()
        remedy = (
            "`dvc pull` brings it from the remote, `dvc checkout` from this machine's store"
            if held
            else f"params.yaml names it as datasets.{use}.images: put images there, a folder per class"
        )
        raise DataError(f"{folder}: there is no folder of images; {remedy}")


def _pointer(folder: Path) -> Path:
    return folder.with_name(folder.name + ".dvc")


def _drop_damaged(paths: Paths, pointer: Path, name: str) -> None:
    """Remove a pointer that is none to the folder `name`: one that is broken stops DVC, and is made anew.

    Raises DataError where it holds both sides of a merge: the images of one are elsewhere.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not pointer.is_file():
        return
    if is_unmerged(pointer):
        raise DataError(f"{pointer} names two versions: {put_back(paths.root, pointer)}")
    try:
        (out,) = YAML(typ="safe").load(pointer.read_text(encoding="utf-8"))["outs"]
        whole = out["path"] == name and out["md5"].endswith(".dir")
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        pointer.unlink()


def reproduce(paths: Paths, stage: str, use: str) -> Reproduced:
    """Run `stage` of a data set where anything that it depends on has changed, as `dvc repro` does.

    Raises ValidationFailed where the validation said no, DataError where the stage failed otherwise.
    """
    from dvc.exceptions import ReproductionError

    name = f"{stage}@{use}"
    with opened(paths.root) as repo:
        try:
            with _stdout_to_stderr():
                done = repo.reproduce([name], single_item=True)
        except ReproductionError as error:
            if stage == "validate":
                raise ValidationFailed(_verdict(paths, use)) from None
            if said := _said(error):
                raise DataError(said) from None
            raise DataError(f"DVC stage {name} failed; its message stands above ({error})") from error
        return Reproduced(name, bool(done), _out_digest(repo, name))


def _said(error: BaseException | None) -> str:
    """What the stage said of its own failure, where it came here; empty where it was printed."""
    while error is not None and not isinstance(error, DataError):
        error = error.__cause__
    return str(error or "")


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """The stages' own lines must not mix with what a command prints for scripts; they inherit file descriptor 1."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _out_digest(repo: Any, name: str) -> str:
    (stage,) = repo.stage.collect(name)
    return str(stage.outs[0].hash_info.value)


def _verdict(paths: Paths, use: str) -> str:
    """The failed critical expectations in words, and the page that shows them."""
    from sightline.data.validation.verdict import Verdict, sentences

    path = paths.verdict(use)
    if not path.is_file():
        return f"data set {use}: the validation did not finish, its message stands above; nothing was trained"
    verdict = Verdict.from_json(path.read_text(encoding="utf-8"))
    page = paths.docs(use) / verdict.page
    return "\n".join([f"data set {use} is not fit, nothing was trained:", *sentences(verdict), f"Data Docs: {page}"])
