"""Digests: of values, of files, and of the code that a step executes."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
from dataclasses import asdict, fields, is_dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sightline.errors import ProjectError
from sightline.masking import masked

PACKAGES = ("sightline", "tasks", "flows")
TEMPLATES = (".j2", ".json")
"""Endings of the files beside the code that decide what it makes."""


def digest_of(value: Any) -> str:
    """SHA-256 of `value` (dataclasses, mappings, lists, numbers, texts) in canonical JSON.

    Fields of a dataclass that count for nothing when two are compared do not count here either.
    """
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        counted = {one.name for one in fields(value) if one.compare}
        kept = {name: inner for name, inner in asdict(value).items() if name in counted}
        return {"type": type(value).__name__, **kept}
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{value!r} of type {type(value).__name__} has no digest: pass plain values")


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def tree_digest(folder: Path) -> str:
    """SHA-256 over every file below `folder`, its path and its bytes: one that is added, renamed or changed shows."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return digest_of([[path.relative_to(folder).as_posix(), file_digest(path)] for path in files])


def dvc_digest(folder: Path) -> str:
    """The digest by which DVC knows a folder with these files: MD5 of the sorted list of them with their MD5s."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listing = [
        {"md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), "relpath": name}
        for path, name in ((path, path.relative_to(folder).as_posix()) for path in files)
    ]
    text = json.dumps(sorted(listing, key=lambda one: one["relpath"]), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


@cache
def _graph() -> Any:
    import grimp

    # The graph is built from the source each time: a stale one would hide an edit. What is imported for its types alone
    # is not executed by who imports it; of the objects that are handed to a task, `handed_modules` tells.
    return grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)


def code_modules(module: str, without: str = "") -> list[str]:
    """`module` and all of ours that it imports when it runs, directly or not, sorted; nothing by way of `without`."""
    graph, found, fresh = _graph(), {module}, {module}
    while fresh:
        fresh = {one for name in fresh for one in graph.find_modules_directly_imported_by(name)} - found - {without}
        found |= fresh
    return sorted(found.union(*map(_parents, found)))


def _parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


def code_files(module: str, without: str = "") -> list[Path]:
    """The source files of `code_modules`, and the templates and schemas beside them that their source names."""
    sources = [_source(name) for name in code_modules(module, without)]
    named = {path for source in sources for path in _named(source.read_text(encoding="utf-8"), source.parent)}
    return [*sources, *sorted(named)]


def _source(module: str) -> Path:
    # The packages on the way are not imported, as `find_spec` would: some import pandas.
    package, *rest = module.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module}: its package has no source files here; install Sightline again")
    place = Path(spec.origin).parent.joinpath(*rest)
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _named(text: str, folder: Path) -> list[Path]:
    """Those templates and schemas of a package that `text` names, and those that these name."""
    found = {path for path in _templates(folder) if f'{path.name}"' in text}
    further = {
        inside for path in found for inside in _named(path.read_text(encoding="utf-8"), folder) if inside != path
    }
    return sorted(found | further)


@cache
def _templates(folder: Path) -> list[Path]:
    return [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.suffix in TEMPLATES]


@cache
def code_digest(module: str, without: str = "") -> str:
    """SHA-256 of the source of `module` and of its transitive import closure within our packages, templates included.

    Edit a helper two imports away and the digest changes; edit anything else, or what is imported by way of the module
    `without` alone, and it stays.
    """
    names = code_modules(module, without)
    return digest_of([names, [file_digest(path) for path in code_files(module, without)]])


def handed_modules(value: Any) -> set[str]:
    """Modules of ours that hold methods of `value`, or of what it holds: code that comes with what a task is given."""
    if isinstance(value, dict):
        return handed_modules(list(value.values()))
    if isinstance(value, (list, tuple)):
        return {module for one in value for module in handed_modules(one)}
    if not is_dataclass(value) or isinstance(value, type):
        return set()
    inside = handed_modules([getattr(value, field.name) for field in fields(value)])
    return inside | {kind.__module__ for kind in type(value).__mro__ if _has_methods(kind)}


def _has_methods(kind: type) -> bool:
    ours = kind.__module__.partition(".")[0] in PACKAGES
    own = (one for name, one in vars(kind).items() if not name.startswith("__"))
    return ours and any(callable(one) or isinstance(one, (property, cached_property)) for one in own)


def git_state(root: Path) -> dict[str, str]:
    """`commit` of the project and `patch`, the SHA-256 of uncommitted changes; empty texts where there is no git."""
    changes = git_patch(root)
    commit = git(root, "rev-parse", "HEAD").decode().strip()
    return {"commit": commit, "patch": hashlib.sha256(changes).hexdigest() if changes else ""}


def git_patch(root: Path) -> bytes:
    """What differs below `root` from its last commit, without the lines beside it.

    Files that git does not know are left out.
    Such files may hold anything, a password too; what Sightline needs of them stands in the plan and in DVC's store.
    Passwords in addresses are masked: a patch is stored beside the run, for all who may read it. It is applied as
    `masking.fitting` makes it.
    """
    # A user's own settings for diffs (colours, prefixes, external tools) would make a patch that nobody can apply.
    plain = ("--binary", "--relative", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/")
    # Lines beside a change might hold a password too, and would not fit their commit once it is masked.
    bare = ("--dst-prefix=b/", "--submodule=short", "--unified=0", "--inter-hunk-context=0")
    patch = git(root, "diff", "HEAD", *plain, *bare)
    return masked(patch.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def git(root: Path, *words: str) -> bytes:
    """What git says in `root`, or nothing where there is no git, no commit or no such revision.

    Raises ProjectError where there is a repository that git refuses to read: a version must not lack its commit so.
    """
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    if done.returncode == 0:
        return done.stdout
    _check_readable(root)
    return b""


def is_under_git(root: Path) -> bool:
    """Whether `root` belongs to a git repository."""
    return bool(git(root, "rev-parse", "--git-dir"))


def _check_readable(root: Path) -> None:
    asked = subprocess.run(
        ["git", "-C", str(root), "rev-parse", "--git-dir"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    said = asked.stderr.partition("\n")[0].removeprefix("fatal: ")
    if asked.returncode == 0 or ("not a git repository" in said and not (root / ".git").exists()):
        return
    remedy = (
        f"if you trust it, `git config --global --add safe.directory {shlex.quote(str(root))}`"
        if "dubious ownership" in said
        else "`git status` there says more"
    )
    raise ProjectError(
        f"git does not read the repository of {root} ({said}), so no version could name its commit: {remedy}"
    )
