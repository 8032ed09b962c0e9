"""What the command line's files share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from sightline import config, project

if TYPE_CHECKING:
    from sightline.project import Paths

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text for people.")]


def enter() -> Paths:
    """The project that the command is about, its environment set before Prefect and MLflow are imported."""
    os.environ.setdefault("COLUMNS", "120")
    return project.enter(config.find_root())
