"""Lineage of a registered version, from its record, DVC's store and the ledger: no server has to be up."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sightline.data.manifest import OK, QUARANTINED
from sightline.data.validation.verdict import Verdict, sentences
from sightline.data.versions import archive
from sightline.digests import digest_of
from sightline.errors import DataError, RegistryError
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.lineage import origin
from sightline.lineage.decided import decisions
from sightline.project import USES
from sightline.registry.ledger import INSUFFICIENT, REFUSED, WAITING
from sightline.registry.opening import open_ledger
from sightline.tracking import records
from sightline.tracking.versions import CHALLENGER, CHAMPION, PREVIOUS, backbone_of, classifier_of, find, split

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths
    from sightline.tracking.records import Record

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
    known, aliases = _recorded(paths, model)
    if known is None:
        from sightline.tracking.runs import connect

        try:
            tracker = connect(paths)
        except RegistryError as error:
            return _from_ledger(paths, model, error)
        known = tracker.record(find(tracker, model))
        aliases = known.aliases
    missing: list[str] = []
    tags = known.tags
    answer = {
        "format": FORMAT,
        "model": known.model,
        "version": known.version,
        "aliases": aliases,
        "created": _time(known.created),
        "weights": {"sha256": tags.get("weights"), "stage": tags.get("stage"), "choice": tags.get("choice")},
        "run": _run(known, missing),
        "plan": _plan(tags, missing),
        "training": [asdict(one) for one in origin.stages_of(tags)],
        "backbone": _backbone(paths, known, missing),
        "data": {use: _data(paths, use, tags, missing) for use in USES if f"data.{use}" in tags},
        "code": {"digest": tags.get("code"), "training": tags.get("code.training")},
        "git": _git(paths, known, missing),
        "prefect": {"flow": tags.get("prefect.flow"), "flow_run": tags.get("prefect.flow_run")},
        "evaluation": {"digest": tags.get("evaluation"), "release": tags.get("release")},
        **decisions(paths, known.model, known.version, missing),
        "reproduced": _group(tags, "reproduced") or None,
    }
    needed = _NEEDED if known.model == classifier_of(paths.params.project.name) else _NEEDED_OF_BACKBONE
    return answer | {
        "missing": [*(f"{sentence}: no tag says it" for name, sentence in needed if name not in tags), *missing]
    }


def _recorded(paths: Paths, model: str) -> tuple[Record | None, list[str]]:
    """The project's own record of a version, and its aliases as the ledger has them; None where MLflow must say."""
    if not records.is_own(paths):
        return None, []
    name, alias, number = split(model)
    name = name or classifier_of(paths.params.project.name)
    held = _aliases(paths, name)
    number = number or held.get(alias, "")
    known = records.read(paths, name, number) if number else None
    if known is None:
        return None, []
    others = set(known.aliases) - {CHAMPION, PREVIOUS, CHALLENGER}
    return known, sorted(others | {alias for alias, version in held.items() if version == number})


def _aliases(paths: Paths, model: str) -> dict[str, str]:
    """Alias → version, as the ledger wants them."""
    ledger = open_ledger(paths)
    try:
        standing, rows = ledger.standing(model), ledger.history(model)
    finally:
        ledger.close()
    crowned = {CHAMPION: standing.champion, PREVIOUS: standing.previous}
    found = {alias: one.version for alias, one in crowned.items() if one}
    tried = [row.version for row in rows if row.decision in {REFUSED, INSUFFICIENT, WAITING}]
    if tried and tried[-1] != found.get(CHAMPION):
        found[CHALLENGER] = tried[-1]
    return found


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


def _run(known: Record, missing: list[str]) -> dict[str, Any]:
    """The MLflow run that trained the weights, and the one of the flow above it."""
    facts = known.facts
    if facts is None:
        missing.append(f"run {known.run} is no longer in the MLflow store")
        return {"id": known.run, "name": None, "status": None, "started": None, "flow_run": None, "metrics": {}}
    return {
        "id": known.run,
        "name": facts.name,
        "status": facts.status,
        "started": _time(facts.started),
        "flow_run": known.tags.get("flow.run"),
        "metrics": dict(sorted(facts.metrics.items())),
    }


def _plan(tags: Mapping[str, str], missing: list[str]) -> dict[str, Any] | None:
    plan = origin.plan_of(tags)
    if plan is None:
        return None
    if not isinstance(plan.get("params"), dict):
        missing.append("the plan: its tag holds no values")
    return {"digest": digest_of(plan), **plan}


def _backbone(paths: Paths, known: Record, missing: list[str]) -> dict[str, Any] | None:
    weights = known.tags.get("backbone.weights")
    if weights is None:
        return None
    model = backbone_of(paths.params.project.name)
    version, run = known.backbone or (None, None)
    if version is None:
        missing.append(f"no version of {model} in the registry has the weights {weights[:12]}…")
    return {
        "model": model,
        "version": version,
        "weights": weights,
        "network": known.tags.get("backbone.network"),
        "run": run,
        "part": COMPARED if known.tags.get("stage") == origin.SCRATCH else BUILT_ON,
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
    from pyarrow import parquet

    try:
        file = archive.member(paths, version, "manifest.parquet")
    except DataError as error:
        missing.append(f"the manifest of {use}: {error}")
        return None
    # Read and counted by hand: pyarrow's data sets and comparisons import pandas, which takes half a second.
    table = parquet.ParquetFile(file).read(columns=["status", "label", "role"])
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    usable = [(label, role) for status, label, role in rows if status == OK]
    roles = Counter(role for _, role in usable if role is not None)
    task = paths.params.task_of(use) if use in paths.params.datasets else CLASSIFY
    return {
        "images": len(rows),
        "usable": len(usable),
        "quarantined": sum(status == QUARANTINED for status, _, _ in rows),
        "classes": len({name for label, _ in usable if label is not None for name in LABELS[task].names(label)}),
        "roles": dict(sorted(roles.items())),
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


def _git(paths: Paths, known: Record, missing: list[str]) -> dict[str, Any]:
    tags = known.tags
    digest, patch = tags.get("git.patch"), None
    if digest:
        size = _patch_size(paths, known, origin.patch_path(digest))
        patch = {"sha256": digest, "bytes": size, "run": tags.get("flow.run")}
        if size is None:
            missing.append(f"the patch {digest[:12]}… of the dirty tree is not among the artifacts of its run")
    if tags.get("git.commit") == "":
        missing.append("the project's commit: git held none when it was trained")
    return {"commit": tags.get("git.commit") or None, "patch": patch}


def _patch_size(paths: Paths, known: Record, path: str) -> int | None:
    """Bytes of an artifact of the flow run; None where it is gone."""
    if known.artifacts is not None:
        file = paths.root / known.artifacts / path
        return file.stat().st_size if file.is_file() else None
    from sightline.tracking.runs import connect

    data = connect(paths).stored(known.tags.get("flow.run", ""), path)
    return len(data) if data else None


def _from_ledger(paths: Paths, model: str, error: RegistryError) -> dict[str, Any]:
    """What the ledger alone knows; the error again where it does not know the version either."""
    name, alias, number = split(model)
    name = name or classifier_of(paths.params.project.name)
    missing = [f"the registry was not asked: {error}"]
    ledger = open_ledger(paths)
    try:
        number = number or (ledger.champion(name) if alias == CHAMPION else None) or ""
    finally:
        ledger.close()
    answer = decisions(paths, name, number, missing)
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
