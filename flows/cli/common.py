"""What the command line's files share."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sightline import config, project

if TYPE_CHECKING:
    from sightline.project import Paths

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text for people.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Change a value for this command, such as evaluate.release=r2."
    ),
]


def enter() -> Paths:
    """The project that the command is about, its environment set before Prefect and MLflow are imported."""
    os.environ.setdefault("COLUMNS", "120")
    return project.enter(config.find_root())


def leave(status: str | int | None) -> NoReturn:
    """End the program: what waits to be sent goes first, the second of taking libraries apart is saved."""
    code = status if isinstance(status, int) else int(status is not None)
    if isinstance(status, str):
        print(status, file=sys.stderr)
    # The order of a usual end: threads, then what was registered for it (Prefect sends its logs, and ends its server).
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
