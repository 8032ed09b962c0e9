"""Lineage of a registered version, from its tags, DVC's store and the ledger: no server of Prefect has to be up."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sightline.data.manifest import OK, QUARANTINED
from sightline.data.validation.verdict import Verdict, sentences
from sightline.data.versions import archive
from sightline.digests import digest_of
from sightline.errors import DataError, RegistryError, SightlineError
from sightline.lineage import origin
from sightline.project import USES
from sightline.registry.ledger import open_ledger
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHAMPION, find, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths
    from sightline.tracking.runs import Tracker
    from sightline.tracking.versions import ModelVersion

FORMAT = 1
"""Raised when a reader of the JSON would have to change."""
SCHEMA = "lineage.schema.json"
BUILT_ON, COMPARED = "the weights are built on it", "compared with only: the weights come from scratch"


def schema_path() -> Path:
    """The JSON schema of what `trace` returns."""
    from pathlib import Path

    return Path(__file__).with_name(SCHEMA)


def trace(paths: Paths, model: str) -> dict[str, Any]:
    """Where `model` (`[NAME][@alias|/version]`, by default the champion of the classifier) came from.

    Answers as `lineage.schema.json` says; `missing` tells in sentences what should be known and is not. Where the
    MLflow store is out of reach, the ledger still answers. Raises RegistryError where there is no such version.
    """
    try:
        tracker = connect(paths)
    except RegistryError as error:
        return _from_ledger(paths, model, error)
    found = find(tracker, model)
    missing: list[str] = []
    tags = dict(found.tags)
    answer = {
        "format": FORMAT,
        "model": found.name,
        "version": str(found.version),
        "aliases": sorted(map(str, found.aliases)),
        "created": _time(found.creation_timestamp),
        "weights": {"sha256": tags.get("weights"), "stage": tags.get("stage"), "choice": tags.get("choice")},
        "run": _run(tracker, found, missing),
        "plan": _plan(tags, missing),
        "training": [asdict(one) for one in origin.stages_of(tags)],
        "backbone": _backbone(tracker, tags, missing),
        "data": {use: _data(paths, use, tags, missing) for use in USES if f"data.{use}" in tags},
        "code": {"digest": tags.get("code"), "training": tags.get("code.training")},
        "git": _git(tracker, tags, missing),
        "prefect": {"flow": tags.get("prefect.flow"), "flow_run": tags.get("prefect.flow_run")},
        "evaluation": {"digest": tags.get("evaluation"), "release": tags.get("release")},
        **_decisions(paths, found.name, str(found.version), missing),
        "reproduced": _group(tags, "reproduced") or None,
    }
    needed = _NEEDED if found.name == tracker.classifier_model else _NEEDED_OF_BACKBONE
    return answer | {
        "missing": [*(f"{sentence}: no tag says it" for name, sentence in needed if name not in tags), *missing]
    }


_NEEDED_OF_BACKBONE = (
    ("weights", "the digest of the weights"),
    ("code", "the code digest"),
    ("git.commit", "the project's commit"),
    ("prefect.flow_run", "Prefect's flow run"),
)
_NEEDED = (
    *_NEEDED_OF_BACKBONE,
    ("training", "the training stages and their machine"),
    ("plan", "the plan"),
    ("data.target", "the version of the target"),
    ("validation.target", "the Great Expectations result"),
    ("evaluation", "the evaluation"),
)


def _run(tracker: Tracker, found: ModelVersion, missing: list[str]) -> dict[str, Any]:
    """The MLflow run that trained the weights, and the one of the flow above it."""
    run = tracker.run(found.run_id or "")
    if run is None:
        missing.append(f"run {found.run_id} is no longer in the MLflow store")
        return {"id": found.run_id, "name": None, "status": None, "started": None, "flow_run": None, "metrics": {}}
    return {
        "id": found.run_id,
        "name": run.info.run_name,
        "status": run.info.status,
        "started": _time(run.info.start_time),
        "flow_run": found.tags.get("flow.run"),
        "metrics": dict(sorted(run.data.metrics.items())),
    }


def _plan(tags: Mapping[str, str], missing: list[str]) -> dict[str, Any] | None:
    plan = origin.plan_of(tags)
    if plan is None:
        return None
    if not isinstance(plan.get("params"), dict):
        missing.append("the plan: its tag holds no values")
    return {"digest": digest_of(plan), **plan}


def _backbone(tracker: Tracker, tags: Mapping[str, str], missing: list[str]) -> dict[str, Any] | None:
    weights = tags.get("backbone.weights")
    if weights is None:
        return None
    found = tracker.find_version(tracker.backbone_model, weights)
    if found is None:
        missing.append(f"no version of {tracker.backbone_model} in the registry has the weights {weights[:12]}…")
    return {
        "model": tracker.backbone_model,
        "version": str(found.version) if found else None,
        "weights": weights,
        "network": tags.get("backbone.network"),
        "run": found.run_id if found else None,
        "part": COMPARED if tags.get("stage") == origin.SCRATCH else BUILT_ON,
    }


def _data(paths: Paths, use: str, tags: Mapping[str, str], missing: list[str]) -> dict[str, Any]:
    """One data set: its version, what its manifest lists, and what Great Expectations said of it."""
    version = tags[f"data.{use}"]
    compared = use == "source" and tags.get("stage") == origin.SCRATCH
    return {
        "version": version,
        "part": COMPARED if compared else BUILT_ON,
        "commit": archive.commits(paths).get(version),
        "raw": tags.get(f"raw.{use}"),
        "manifest": _manifest(paths, use, version, missing),
        "validation": _validation(paths, tags.get(f"validation.{use}"), missing),
        "shards": tags.get(f"shards.{use}"),
    }


def _manifest(paths: Paths, use: str, version: str, missing: list[str]) -> dict[str, Any] | None:
    try:
        rows = archive.rows(paths, archive.Version(use, version, None))
    except DataError as error:
        missing.append(f"the manifest of {use}: {error}")
        return None
    usable = rows[rows["status"] == OK]
    return {
        "images": len(rows),
        "usable": len(usable),
        "quarantined": int((rows["status"] == QUARANTINED).sum()),
        "classes": int(usable["label"].nunique()),
        "roles": {str(role): int(count) for role, count in usable["role"].value_counts().sort_index().items()},
    }


def _validation(paths: Paths, digest: str | None, missing: list[str]) -> dict[str, Any] | None:
    if digest is None:
        return None
    try:
        verdict = Verdict.from_json(archive.member(paths, digest, "verdict.json").read_text("utf-8"))
    except DataError as error:
        missing.append(f"the Great Expectations result: {error}")
        return None
    return {
        "digest": digest,
        "passed": verdict.passed,
        "declared": verdict.declared,
        "executed": verdict.executed,
        "failed": sentences(verdict),
    }


def _git(tracker: Tracker, tags: Mapping[str, str], missing: list[str]) -> dict[str, Any]:
    digest, patch = tags.get("git.patch"), None
    if digest:
        data = tracker.stored(tags.get("flow.run", ""), origin.patch_path(digest))
        patch = {"sha256": digest, "bytes": len(data) if data else None, "run": tags.get("flow.run")}
        if data is None:
            missing.append(f"the patch {digest[:12]}… of the dirty tree is not among the artifacts of its run")
    if tags.get("git.commit") == "":
        missing.append("the project's commit: git held none when it was trained")
    return {"commit": tags.get("git.commit") or None, "patch": patch}


def _decisions(paths: Paths, model: str, version: str, missing: list[str]) -> dict[str, Any]:
    """The ledger's rows of a version, and the last of them as what the gate said."""
    try:
        ledger = open_ledger(paths)
    except SightlineError as error:
        missing.append(f"the promotion ledger: {error}")
        return {"gate": None, "ledger": []}
    try:
        rows = [asdict(entry) for entry in ledger.history(model) if entry.version == version]
        champion = ledger.champion(model)
    finally:
        ledger.close()
    if champion == version and not rows:
        missing.append("the ledger holds no row of this version")
    last = rows[-1] if rows else None
    gate = last and {
        "decision": last["decision"],
        "sentence": last["reason"],
        "at": last["at"],
        "against": last["champion_before"],
    }
    return {"gate": gate, "ledger": rows}


def _from_ledger(paths: Paths, model: str, error: RegistryError) -> dict[str, Any]:
    """What the ledger alone knows; the error again where it does not know the version either."""
    name, alias, number = split(model)
    name = name or f"{paths.params.project.name}-classifier"
    missing = [f"the registry was not asked: {error}"]
    ledger = open_ledger(paths)
    try:
        number = number or (ledger.champion(name) if alias == CHAMPION else None) or ""
    finally:
        ledger.close()
    answer = _decisions(paths, name, number, missing)
    if not answer["ledger"]:
        raise error
    nothing = dict.fromkeys(("created", "weights", "run", "plan", "backbone", "code", "git", "prefect", "evaluation"))
    empty: dict[str, Any] = {"aliases": [], "training": [], "data": {}, "reproduced": None}
    return {"format": FORMAT, "model": name, "version": number, **nothing, **empty, **answer, "missing": missing}


def _group(tags: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Tags below `prefix`, and the one of that name as `verdict`."""
    below = {key.removeprefix(f"{prefix}."): value for key, value in tags.items() if key.startswith(f"{prefix}.")}
    return ({"verdict": tags[prefix]} | below) if prefix in tags else {}


def _time(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def as_json(found: Mapping[str, Any]) -> str:
    """The lineage as JSON text."""
    return json.dumps(found, indent=1, ensure_ascii=False)
