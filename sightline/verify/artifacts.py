"""What runs stored in the project's own MLflow store beside versions: figures, plots, pages, patches, references."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.errors import RegistryError, SightlineError
from sightline.files import write_atomically
from sightline.tracking import records
from sightline.tracking.artifacts import sums
from sightline.tracking.runs import connect
from sightline.verify.finding import Finding, settled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

COPIES = ("runs/**/{name}", "reports/{name}", "mlflow/references/*")
"""Where another copy of an artifact may lie in the project."""


def findings(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Every artifact of which its run says the digest."""
    if not records.is_own(paths):
        return
    try:
        stored = list(connect(paths).with_artifacts())
    except SightlineError:
        # It is told of the store itself.
        return
    for run in stored:
        below = records.below(paths, run.info.artifact_uri)
        for name, digest in sums(run).items() if below else ():
            file = paths.root / str(below) / name
            trouble = None if file.is_file() else "it is missing"
            if trouble is None and file_digest(file) != digest:
                trouble = "it was changed since it was stored"

            def put_back(file: Path = file, digest: str = digest) -> str:
                return _copied(paths, file, digest)

            yield settled("artifact of a run", f"{run.info.run_name} {name}", trouble, put_back, fix=fix)


def _copied(paths: Paths, file: Path, digest: str) -> str:
    places = (place for pattern in COPIES for place in sorted(paths.root.glob(pattern.format(name=file.name))))
    twin = next((one for one in places if one.is_file() and file_digest(one) == digest), None)
    if twin is None:
        raise RegistryError("there is no other copy in the project: put it back from a backup")
    write_atomically(file, twin.read_bytes())
    return f"it came back out of {twin.relative_to(paths.root)}"
