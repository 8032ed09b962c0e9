"""Versioned tasks: a cached result is used again only for the same inputs, the same code and whole outputs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from prefect.cache_policies import CachePolicy

from sightline.digests import code_digest, digest_of, handed_modules
from tasks.results import typed_results

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from prefect import Task
    from prefect.context import TaskRunContext

LIBRARIES = ("torch", "torchvision", "numpy")
CONTEXT = "context"
"""The task parameter that says where and for whom a task runs; it does not decide what comes out, nor does its code."""


P = ParamSpec("P")


class Told(Protocol):
    """What a task returns: it says in words what came out."""

    @property
    def words(self) -> str:
        """A few words for people."""
        ...


class Output(Told, Protocol):
    """What a cached task returns: it knows where its files lie, and whether they are still there and unchanged."""

    @property
    def path(self) -> str:
        """Its files, in the task's folder; relative to the project."""
        ...

    def is_whole(self, root: Path) -> bool:
        """Whether every file stands below `root` as it was written."""
        ...


OutputT = TypeVar("OutputT", bound=Output)


def version_of(module: str) -> str:
    """The `version` of the tasks in `module`: a digest of our code that decides what comes out, and of torch."""
    return digest_of([code_digest(module, f"tasks.{CONTEXT}"), [installed(name) for name in LIBRARIES]])[:16]


def key_of(module: str, name: str, inputs: Mapping[str, Any]) -> str:
    """Cache key of a task run, and the name of the folder that its outputs lie in.

    The methods of what a task is given are code that it executes, whoever imports them.
    """
    given = {key: value for key, value in inputs.items() if key != CONTEXT}
    handed = [code_digest(one) for one in sorted(handed_modules(given))]
    return digest_of([version_of(module), handed, name, given])


@dataclass
class InputsAndCode(CachePolicy):
    """Prefect's cache key for a training task: its inputs and the code digest of its module."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],  # noqa: ARG002 — the flow's parameters decide nothing by themselves
        **kwargs: Any,  # noqa: ARG002
    ) -> str:
        """The key."""
        function = task_ctx.task.fn
        return key_of(function.__module__, function.__name__, inputs)


def work_folder(root: Path, function: Callable[..., Any], **inputs: Any) -> Path:
    """The folder of a task's outputs, named by its cache key, so that a killed run finds its checkpoint again."""
    folder = root / _place(function, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _place(function: Callable[..., Any], inputs: Mapping[str, Any]) -> str:
    name = function.__name__.removesuffix("_task")
    return f"runs/{name}/{key_of(function.__module__, function.__name__, inputs)[:16]}"


def run_trusted(task: Task[P, OutputT], root: Path, *args: P.args, **inputs: P.kwargs) -> tuple[OutputT, bool]:
    """Run a cached task, again where its cached output is missing or damaged; the output, and whether it ran."""
    with typed_results(root):
        state = task(*args, return_state=True, **inputs)
        if state.name != "Cached":
            return state.result(), True
        try:
            output: OutputT = state.result()
            # A result under another one's name would be whole too.
            place = _place(task.fn, inputs)
            trusted = output.path.startswith(place) and output.is_whole(root)
            # When it was used last: what nobody uses may be cleared away.
            os.utime(root / place)
        except Exception:  # noqa: BLE001 — whatever a damaged file makes of it: what it kept is made anew
            trusted = False
        return (output, False) if trusted else (task.with_options(refresh_cache=True)(*args, **inputs), True)
