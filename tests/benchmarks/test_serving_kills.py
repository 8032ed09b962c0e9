"""Two kills of the real server and of the real batch job."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kills_leave_whole_files_and_every_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captured files are whole or absent, no answer is there twice; the job goes on where it was."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import serving
    import serving_kills

    images, moments = serving.photos(None)[:8], random.Random(0)  # noqa: S311 — the same moments each time
    serving.made(tmp_path, "cnn", 16, images[0])
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(200):
        (folder / f"{number:03}.jpg").write_bytes(images[number % len(images)])
    of_server = serving_kills.serve(tmp_path / "project", images, 2, moments)
    assert of_server["answers_recorded"] > 0
    assert (of_server["server_killed"], of_server["files_damaged"], of_server["answers_twice"]) == (2, 0, 0)
    of_job = serving_kills.score(tmp_path / "project", folder, 2, moments)
    assert of_job["job_killed"] == 2
    assert (of_job["images_missing_or_twice"], of_job["images_answered_otherwise"]) == (0, 0)
