"""`sightline init`: a project around somebody's images."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from flows.cli.common import say


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project; made where it is missing.")],
    images: Annotated[
        str,
        typer.Option(
            help="What the model is for: FOLDER/CLASS/image, FOLDER/train/CLASS/image, a table of path,label[,split]"
            "[,group] (CSV, JSONL, Label Studio's JSON), several labels as path,labels, boxes as COCO JSON, Pascal VOC "
            "XML, YOLO text, a table of edges or what CVAT, Labelme, Label Studio, Create ML and VGG's annotator save, "
            "a .zip or .tar of such, tar shards, Parquet as Hugging Face's, .npz as MedMNIST's, torchvision:NAME, or "
            "embedded:digits."
        ),
    ] = "embedded:digits",
    source: Annotated[
        str | None,
        typer.Option(
            help="What the backbone is pretrained on, in the same forms; embedded:glyphs for the digits, "
            "embedded:fractals (or embedded:fractals:CLASSESxIMAGES) for images made by formulas."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Stem of the registered models; by default the name of DIR.")] = None,
    external: Annotated[
        bool, typer.Option("--external", help="Leave folders where they are: for those too large to copy.")
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Let torchvision fetch a set that torchvision:NAME asks for.")
    ] = False,
) -> None:
    """Make a project around a folder of images, under git and DVC. Your images are copied, never changed.

    Without --source it begins with the backbone that comes with Sightline, or with the newest NAME-NETWORK.safetensors
    (`runs/pretrain/*/weights.safetensors` of another project, renamed) in the folder that SIGHTLINE_BACKBONES names.
    """
    from flows.cli.prefect_tables import tables_ready
    from sightline import scaffold

    if source is None and images == "embedded:digits":
        source = "embedded:glyphs"
    with tables_ready():
        scaffold.init(folder, images, source, name, say, external=external, download=download)
    say(f"ready: cd {quote(str(folder))} && sightline run")
