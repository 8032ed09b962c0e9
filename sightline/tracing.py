"""Lineage of a registered version, from its tags and the ledger: no server has to be up."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.ledger import open_ledger
from sightline.tracking import CHAMPION, connect

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from sightline.project import Paths
    from sightline.tracking import Tracker


def trace(paths: Paths, model: str) -> dict[str, Any]:
    """Where `model` (`[NAME][@alias|/version]`, by default the champion of the classifier) came from.

    Raises RegistryError where there is no such version.
    """
    tracker = connect(paths)
    found = find(tracker, model)
    tags = dict(found.tags)
    groups: dict[str, Any] = {"model": found.name, "version": str(found.version)}
    groups["weights"] = {"sha256": tags.get("weights", "unknown"), "mlflow run": found.run_id}
    groups["choice"] = {"said": tags["choice"]} if "choice" in tags else {}
    for group in ("data", "validation", "shards", "backbone", "git", "prefect"):
        groups[group] = {
            key.partition(".")[2]: value for key, value in sorted(tags.items()) if key.startswith(group + ".")
        }
    backbone = tracker.find_version(tracker.backbone_model, tags.get("backbone.weights", ""))
    if backbone is not None:
        groups["backbone"]["version"] = f"{backbone.name} version {backbone.version}"
    groups["code"] = {"digest": tags["code"]} if "code" in tags else {}
    groups["evaluation"] = {key: tags[key] for key in ("evaluation", "release") if key in tags}
    groups["decisions"] = _decisions(paths, found)
    return {key: value for key, value in groups.items() if value}


def find(tracker: Tracker, model: str) -> ModelVersion:
    """The version that `[NAME][@alias|/version]` names; NAME by default the classifier, the alias the champion.

    Raises RegistryError where there is none.
    """
    name, at, alias = model.partition("@")
    if not at:
        name, _, number = model.partition("/")
        if number:
            return tracker.version(name or tracker.classifier_model, number)
    name = name or tracker.classifier_model
    found = tracker.aliased(name, alias or CHAMPION)
    if found is None:
        known = ", ".join(sorted({one.name for one in tracker.client.search_registered_models()})) or "none yet"
        raise RegistryError(f"{name} has no version with the alias {alias or CHAMPION}; registered models: {known}")
    return found


def _decisions(paths: Paths, found: ModelVersion) -> dict[str, str]:
    ledger = open_ledger(paths)
    try:
        entries = [asdict(entry) for entry in ledger.history(found.name) if entry.version == str(found.version)]
    finally:
        ledger.close()
    return {f"{entry['at']} {entry['decision']}": f"{entry['reason']} (by {entry['actor']})" for entry in entries}
