"""What a version was trained on is found again, also when the data have moved on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conftest import COLOURS, draw

from sightline.data.versions import archive, history
from sightline.digests import dvc_digest
from sightline.registry.trained import trained_on

if TYPE_CHECKING:
    from sightline.project import Paths


def test_folder_digest_is_that_of_dvc(ingested: Paths) -> None:
    """The manifest in the project is recognised without asking DVC."""
    assert dvc_digest(ingested.manifest("target").parent) == archive.current(ingested, "target").digest


def test_manifest_of_an_earlier_version_comes_from_dvc(ingested: Paths) -> None:
    """A version that was trained before the last images came is judged by its own manifest."""
    before = archive.current(ingested, "target").digest
    rows = trained_on(ingested, "target", before)
    draw(77, COLOURS["red"]).save(ingested.raw("target") / "red" / "new.png")
    history.ingest(ingested, "target")
    assert archive.current(ingested, "target").digest != before
    assert trained_on(ingested, "target", before)["sha256"].tolist() == rows["sha256"].tolist()
