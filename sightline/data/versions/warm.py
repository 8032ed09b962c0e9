"""One process for the data stages of a run: their libraries are imported once.

DVC does all that it does by hand; only who executes the commands of our own stages differs: a process that stays, in
place of a new one each. `python -m sightline.stage serve` is that process.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import DataError
from sightline.processes import run_tied, tied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sightline.project import Paths

COMMAND = re.compile(r"python (?:-P )?-m sightline\.stage (\w+ \w+)")
SERVE, AHEAD = "serve", "ahead"
_ahead: list[Shared] = []
"""The process that was started before it is needed, until somebody takes it."""
_now: list[Shared] = []
"""The process of the block that this one is in."""


def start_ahead(paths: Paths) -> None:
    """Start the process of `one_process` now, where data were never validated here: its imports take seconds."""
    if not all(paths.verdict(use).is_file() for use in paths.params.datasets):
        _ahead.append(Shared())
        _ahead[0].start({"cwd": str(paths.root), "env": dict(os.environ)}, AHEAD)


@contextmanager
def one_process() -> Iterator[Shared]:
    """Inside the block DVC has our stages done by one process, which starts with the first of them."""
    from dvc.stage import run

    if _now:
        yield _now[0]
        return
    usual, shared = run._run, _ahead.pop() if _ahead else Shared()  # noqa: SLF001 — DVC has no public place to say who executes a command
    run._run = shared.executing()  # noqa: SLF001
    _now.append(shared)
    try:
        yield shared
    finally:
        _now.pop()
        run._run = usual  # noqa: SLF001
        shared.close()


class Shared:
    """The process, once it is there."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._folder = ""

    @property
    def pid(self) -> int | None:
        """Its number; None before the first stage, and where it ended."""
        return self._process.pid if self._process else None

    def executing(self) -> Callable[..., None]:
        """What DVC calls to execute a command; one not of ours, or for another Python, gets a process of its own."""

        def execute(executable: str | None, command: str, **settings: Any) -> None:
            from dvc.stage import exceptions, run

            ours = COMMAND.fullmatch(command.strip())
            if ours is None or not _is_our_python(settings["env"]):
                status = run_tied(run._make_cmd(executable, command), **settings)  # noqa: SLF001 — as DVC itself starts it
            else:
                status, told = self._ask(ours[1], settings)
                if told:
                    # Told once, by whoever asked for the stage.
                    raise exceptions.StageCmdFailedError(command, status) from DataError("\n".join(told))
            if status:
                raise exceptions.StageCmdFailedError(command, status)

        return execute

    def start(self, settings: Mapping[str, Any], *words: str) -> subprocess.Popen[str]:
        """Start it in the folder `cwd` with the environment `env`."""
        command = [sys.executable, "-P", "-m", "sightline.stage", SERVE, *words]
        self._folder = str(settings["cwd"])
        where = {"cwd": self._folder, **tied(settings["env"])}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **where)
        return self._process

    def _ask(self, stage: str, settings: Mapping[str, Any]) -> tuple[int, list[str]]:
        """The status with which the process did the stage, and why it failed in words.

        Where the process ended it is its own status, and the next stage gets another process.
        """
        if self._process is not None and self._folder != str(settings["cwd"]):
            # It was started ahead for a project on which nothing was done then.
            self.close()
            self._process = None
        if self._process is None:
            self._process = self.start(settings)
        assert self._process.stdin is not None  # noqa: S101 — both are pipes
        assert self._process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            print(stage, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if answer:
            status, told = json.loads(answer)
            return int(status), list(told)
        status = self._process.wait()
        self._process = None
        return status or 1, []

    def close(self) -> None:
        """End the process, if it is there, at once where it is at work."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()


def _is_our_python(env: Mapping[str, str]) -> bool:
    """Whether `python` means the one of this process there."""
    found = shutil.which("python", path=env.get("PATH"))
    return found is not None and Path(found).parent == Path(sys.executable).parent
