"""Everything that a project stores, compared with its digests; what can be made whole again is, where it is asked."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sightline import stored
from sightline.verify import answered, artifacts, data, registered, runs
from sightline.verify.finding import DAMAGED as DAMAGED
from sightline.verify.finding import Finding, shortened

if TYPE_CHECKING:
    from sightline.project import Paths


def everything(paths: Paths, *, fix: bool = False) -> list[Finding]:
    """Data, caches, shards, runs, versions, releases, ledger, aliases and captured answers; every byte is read.

    What is whole is counted by kind, what is or was not is told one by one. Nothing is changed unless `fix`.
    """
    shutil.rmtree(paths.root / stored.NOTES, ignore_errors=True)
    rooms = (data, runs, registered, artifacts, answered)
    return shortened(one for room in rooms for one in room.findings(paths, fix=fix))
