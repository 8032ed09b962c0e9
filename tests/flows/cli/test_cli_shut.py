"""The command line in a project that this user may read and not write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from conftest import copy_project

from sightline.report.about import facts

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

COMMANDS = (["report"], ["data", "diff", "now", "now"], ["why-retrain"], ["doctor", "--json"])
AS_ANOTHER = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner,-chown")
"""Root without the rights over what belongs to others."""
SHUT = "cannot be written: this user has no right to"


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which(AS_ANOTHER[0]) is None, reason="root gives rights up by setpriv")
def test_project_of_another_user(ingested_once: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks is told what there is, and why there is no page; no MLflow is said not to answer; the doctor knows."""
    paths = copy_project(ingested_once, tmp_path / "toy project", monkeypatch)
    paths.reports.mkdir()
    said = facts("1", "promoted", "version 1", 0.9).replace('"', "&#34;")
    (paths.reports / "otter.html").write_text(f'<meta name="sightline-run" content="{said}">', encoding="utf-8")
    for place in (paths.root, *paths.root.rglob("*")):
        os.chown(place, 65534, 65534, follow_symlinks=False)
    for key, value in (("COUNT", "1"), ("KEY_0", "safe.directory"), ("VALUE_0", "*")):
        monkeypatch.setenv(f"GIT_CONFIG_{key}", value)
    code = f"from flows.cli.app import answer\nfor words in {COMMANDS}: print('status', answer(words), flush=True)"
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run([*AS_ANOTHER, sys.executable, "-P", "-c", code], text=True, check=False, **both)  # type: ignore[call-overload]
    parts = done.stdout.split("status ")
    report, diff, why, doctor = (before + after[0] for before, after in pairwise(parts))
    assert "version 1, promoted, " in report
    assert "the same images, labels and roles" in diff
    for looked in (report, diff):
        assert ("without its page: " in looked, SHUT in looked, looked[-1]) == (True, True, "0"), looked
    assert (f"store.lock {SHUT}" in why, "does not answer" in why, why[-1]) == (True, False, "2"), why
    listed = json.loads(next(line for line in doctor.splitlines() if line.startswith("[")))
    rights = next(one for one in listed if one["what"] == "rights")
    assert not rights["good"]
    assert "this user has no right to write toy project, data, reports, mlflow" in rights["said"]
