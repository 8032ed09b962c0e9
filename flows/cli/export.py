"""The command line: `sightline export`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.cli.common import AsJson, enter, say


def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; new or empty.")],
    form: Annotated[
        Literal["onnx", "torch", "openvino"],
        typer.Option(
            "--format", help="An ONNX graph (with a layout for Triton), torch.export's .pt2, or OpenVINO's IR."
        ),
    ],
    version: Annotated[str | None, typer.Option(help="A version of the classifier; by default the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the champion (or another version) as a folder that runs without Sightline: pixels in, answers out.

    It appears only when it answers its golden images as the version does. A README and a client lie in it.
    """
    # Relative to where the command was given, not to the project.
    folder = folder.absolute()
    paths = enter()
    from sightline.registry.served import served
    from sightline.tracking.versions import classifier_of

    found = served(paths, version)
    from sightline.export.folder import check_free
    from sightline.export.folder import export as write

    check_free(folder)
    done = write(found.bundle, classifier_of(paths.params.project.name), found.version, form, folder)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    say(done.sentence)
