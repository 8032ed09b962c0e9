"""Files that runs store in MLflow, and the digests by which they are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.tracking.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mlflow.entities import Run

FILES = "sightline.files"
"""Tag of a run: SHA-256 of each of its artifacts, by its path, as JSON."""


def sums(run: Run) -> dict[str, str]:
    """Path → SHA-256 of the artifacts of a run; those that an earlier release stored are not known.

    What somebody wrote into the tag that is no such thing counts for nothing.
    """
    try:
        found = dict(json.loads(run.data.tags.get(FILES, "{}")))
    except (ValueError, TypeError):
        return {}
    return {str(name): str(digest) for name, digest in found.items() if _is_below(PurePosixPath(str(name)))}


def _is_below(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts


@dataclass(frozen=True, kw_only=True)
class Artifacts(Versions):
    """What the runs of a project store."""

    experiment: str

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run in one call."""
        from mlflow.entities import RunTag

        self.client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def artifact(self, run: str, path: Path, folder: str | None = None) -> None:
        """Store a file with a run, which says its digest from then on."""
        self.client.log_artifact(run, str(path), folder)
        known = sums(self.client.get_run(run))
        self.tag(run, {FILES: json.dumps(known | {f"{folder or '.'}/{path.name}": file_digest(path)})})

    def with_artifacts(self) -> Iterator[Run]:
        """The runs of the project that say digests of artifacts."""
        token = ""
        while token is not None:
            page = self.client.search_runs([self.experiment], f"tags.`{FILES}` != ''", page_token=token or None)
            yield from page
            token = page.token
