"""Digests: of values, of files, and of the code that a step executes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import asdict, is_dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGES = ("sightline", "tasks", "flows")


def digest_of(value: Any) -> str:
    """SHA-256 of `value` (dataclasses, mappings, lists, numbers, texts) in canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__, **asdict(value)}
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"{value!r} of type {type(value).__name__} has no digest: pass plain values")


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@cache
def _graph() -> Any:
    import grimp

    # The graph is built from the source each time: a stale one would hide an edit.
    return grimp.build_graph(*PACKAGES, cache_dir=None)


def code_modules(module: str) -> list[str]:
    """`module` and everything of ours that it imports, directly or not, sorted."""
    return sorted({module, *_graph().find_upstream_modules(module)} | _parents(module))


def _parents(module: str) -> set[str]:
    parts = module.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


@cache
def code_digest(module: str) -> str:
    """SHA-256 of the source of `module` and of its transitive import closure within our packages.

    Edit a helper two imports away and the digest changes; edit anything else and it stays.
    """
    sources = hashlib.sha256()
    for name in code_modules(module):
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        sources.update(name.encode() + b"\0" + Path(spec.origin).read_bytes() + b"\0")
    return sources.hexdigest()


def git_state(root: Path) -> dict[str, str]:
    """`commit` of the project and `patch`, the SHA-256 of uncommitted changes; empty texts where there is no git."""
    changes = git_patch(root)
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    return {"commit": commit, "patch": hashlib.sha256(changes).hexdigest() if changes else ""}


def git_patch(root: Path) -> bytes:
    """What differs below `root` from its last commit, for `git apply` there; files that git does not know are left out.

    Such files may hold anything, a password too; what Sightline needs of them stands in the plan and in DVC's store.
    """
    # A user's own settings for diffs (colours, prefixes, external tools) would make a patch that nobody can apply.
    plain = ("--binary", "--relative", "--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/")
    return _git(root, "diff", "HEAD", *plain, "--dst-prefix=b/")


def _git(root: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""
