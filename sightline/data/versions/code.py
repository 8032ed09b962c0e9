"""What decides the data stages besides data and values: the code behind them, labels and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.versions import external
from sightline.digests import code_digest, file_digest
from sightline.files import write_atomically
from sightline.project import USES

if TYPE_CHECKING:
    from sightline.project import Paths

STAGES = {
    "ingest": "sightline.data.ingest",
    "validate": "sightline.data.validation.expectations",
    "preprocess": "sightline.data.shards",
}
"""Stage → module whose import closure decides what it does."""


def write_code_digests(paths: Paths) -> None:
    """Write what DVC cannot see by itself: code, labels, baselines and external folders; the same is left alone."""
    external.write_listings(paths)
    text = "".join(f"{stage}: {code_digest(module)}\n" for stage, module in STAGES.items())
    for name, place in (("labels", paths.labels), ("baseline", paths.baseline)):
        digests = {use: file_digest(place(use)) if place(use).is_file() else "none" for use in USES}
        text += f"{name}:\n" + "".join(f"  {use}: {digest}\n" for use, digest in digests.items())
    if not paths.code.is_file() or paths.code.read_bytes() != text.encode():
        write_atomically(paths.code, text)
