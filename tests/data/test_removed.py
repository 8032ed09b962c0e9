"""Images that go while a run is at work."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from sightline.data.versions import dvc, history
from sightline.data.versions.warm import one_process
from sightline.errors import DataError
from sightline.stage import run_stage

if TYPE_CHECKING:
    from sightline.project import Paths


@pytest.mark.slow
def test_removed_image_is_told_as_that_and_once(ingested: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    """After it was listed and before it was decoded: its path and the remedy, and no other error beside it."""
    with one_process():
        dvc.reproduce(ingested, "validate", "target")
        (ingested.raw("target") / "red" / "0001.png").unlink()
        with pytest.raises(DataError, match=r"^red/0001\.png was removed while the run was at work: put it back"):
            dvc.reproduce(ingested, "preprocess", "target")
    assert not re.search("error|removed", capfd.readouterr().err, re.IGNORECASE)
    with pytest.raises(DataError, match=r"red/0001\.png was removed"):
        run_stage(ingested, "preprocess", "target")


def test_folder_that_cannot_be_read_is_told_once(ingested: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    """Outside of a run as well, such as when labels are imported."""
    for image in ingested.raw("target").rglob("*.png"):
        image.unlink()
    with pytest.raises(DataError, match="no images in class folders"):
        history.ingest(ingested, "target")
    assert "no images" not in capfd.readouterr().err
