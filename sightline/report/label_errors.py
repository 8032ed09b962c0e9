"""The page about labels that a run thinks are wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.report.quality import write_page
from sightline.words import with_verb

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.evaluate.label_errors import Suspected
    from sightline.project import Paths

PAGE = "labels.html"


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """What was found: the page that shows it, relative to the project, and the sentence."""

    path: str
    digest: str
    """SHA-256 of the page."""
    labels: int
    """Images whose labels are probably wrong."""
    sentence: str

    @property
    def words(self) -> str:
        """What came out, in a few words."""
        return f"{with_verb(self.labels, 'looks', 'look')} wrong: {self.path}" if self.labels else self.sentence

    def is_whole(self, root: Path) -> bool:
        """Whether the page is there and unchanged."""
        page = root / self.path
        return page.is_file() and file_digest(page) == self.digest


def write_label_errors(paths: Paths, use: str, suspected: Suspected, folder: Path) -> LabelErrors:
    """Show the suspected labels of data set `use` on a page in `folder`."""
    found = [suspected.finding] if suspected.finding else []
    name = f"the labels of {paths.params.project.name}-{use}"
    page = write_page(found, suspected.rows, paths.raw(use), folder / PAGE, name)
    return LabelErrors(
        path=page.relative_to(paths.root).as_posix(),
        digest=file_digest(page),
        labels=sum(one.cases for one in found),
        sentence=suspected.sentence,
    )
