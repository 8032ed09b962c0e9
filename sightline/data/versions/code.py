"""What decides the data stages besides data and values: the code behind them, labels and baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.versions import external, shut
from sightline.data.versions.external import is_raw
from sightline.digests import code_digest, digest_of, file_digest
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
    shut_files = {use: shut.close(paths.raw(use)) for use in paths.params.datasets if is_raw(paths, use)}
    text = "".join(f"{stage}: {code_digest(module)}\n" for stage, module in STAGES.items())
    for name, place in (("labels", paths.labels), ("baseline", paths.baseline)):
        digests = {use: file_digest(place(use)) if place(use).is_file() else "none" for use in USES}
        if name == "labels":
            # What DVC does not read it does not miss either: the quarantine list must.
            digests |= {use: digest_of([digests[use], files]) for use, files in shut_files.items() if files}
        text += f"{name}:\n" + "".join(f"  {use}: {digest}\n" for use, digest in digests.items())
    if not paths.code.is_file() or paths.code.read_bytes() != text.encode():
        write_atomically(paths.code, text)
