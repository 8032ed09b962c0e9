"""The MLflow run above all others of a flow run: where it started from, and with which values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sightline.digests import git_patch, git_state
from sightline.lineage.origin import patch_path
from sightline.tracking.runs import flatten

if TYPE_CHECKING:
    from sightline.params import Params
    from sightline.tracking.runs import Tracker


def open_run(tracker: Tracker, flow: str, name: str, flow_run: str, params: Params) -> tuple[str, dict[str, str]]:
    """Start the run of the flow run `flow_run` (its id; empty without Prefect); the run's id and its tags.

    Those that were killed before it are ended first.
    """
    tracker.settle()
    root = tracker.paths.root
    state = git_state(root)
    tags = {"prefect.flow": flow, "prefect.flow_run": flow_run, "git.commit": state["commit"]}
    if state["patch"]:
        tags["git.patch"] = state["patch"]
    run = tracker.start(f"{flow} {name}".strip(), tags)
    tracker.params(run, {key: value for key, value in flatten(asdict(params)).items() if value is not None})
    if state["patch"]:
        tracker.store(run, git_patch(root), patch_path(state["patch"]))
    return run, tags
