"""Databases, ledger, registered versions with their bundles, and aliases."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from sightline import stored
from sightline.digests import tree_digest
from sightline.errors import Damaged, RegistryError, SightlineError
from sightline.registry import mending, strangers
from sightline.registry.champion import project
from sightline.registry.opening import open_ledger
from sightline.tracking import databases
from sightline.tracking.records import Record
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHAMPION, PREVIOUS
from sightline.verify.finding import Finding, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths
    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker


def findings(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """What registry and ledger hold; where one of them cannot be opened, that alone is said."""
    yield from _prefect(fix=fix)
    try:
        ledger = open_ledger(paths)
    except SightlineError as error:
        yield settled("ledger", "promotions", str(error), None, fix=fix)
        return
    try:
        tracker = connect(paths)
        yield settled("MLflow's store", tracker.name, None, None, fix=fix)
        yield from _ledger(tracker, ledger, fix=fix)
        yield from _versions(tracker, fix=fix)
        yield from _copies(tracker, fix=fix)
    except SightlineError as error:
        yield settled("MLflow's store", "registry", str(error), None, fix=fix)
    finally:
        ledger.close()


def _prefect(*, fix: bool) -> Iterator[Finding]:
    place = Path(os.environ.get("PREFECT_HOME", ""), "prefect.db")
    if "PREFECT_API_URL" in os.environ or not place.is_file():
        return

    def aside() -> str:
        return f"it is now {databases.set_aside(place).name}, and Prefect's pages begin anew"

    yield settled("Prefect's database", place.name, databases.lasting(place, databases.PREFECT), aside, fix=fix)


def _ledger(tracker: Tracker, ledger: Ledger, *, fix: bool) -> Iterator[Finding]:
    """The rows, then the aliases, which follow them."""
    model = tracker.classifier_model
    try:
        rows, standing = ledger.history(model), ledger.standing(model)
    except RegistryError as error:
        yield settled("ledger", "promotions", str(error), None, fix=fix)
        return
    for _ in rows:
        yield settled("ledger", "promotions", None, None, fix=fix)
    yield settled("ledger", "champion", strangers.told(tracker, standing.champion), None, fix=fix)
    for alias, crowned in ((CHAMPION, standing.champion), (PREVIOUS, standing.previous)):
        present, wanted = tracker.aliased(model, alias), strangers.registered(tracker, crowned)
        number = str(present.version) if present else None
        trouble = f"it stands at {number or 'none'}, by the ledger at {wanted or 'none'}" if number != wanted else None

        def follow() -> str:
            project(tracker, ledger)
            return "it follows the ledger again"

        yield settled("alias", alias, trouble, follow, fix=fix)


def _versions(tracker: Tracker, *, fix: bool) -> Iterator[Finding]:
    for one in tracker.versions(tracker.classifier_model):
        number = str(one.version)
        try:
            tracker.download(one.name, number)
            trouble = None
        except RegistryError as error:
            trouble = str(error)

        def mend(number: str = number) -> str:
            return mending.mend_classifier(tracker, number) or "it is whole"

        yield settled("version", f"{one.name} {number}", trouble, mend, fix=fix)
    for one in tracker.versions(tracker.backbone_model):
        number = str(one.version)

        def put_back(number: str = number) -> str:
            return mending.mend_backbone(tracker, number)

        trouble = mending.trouble_of_backbone(tracker, number)
        yield settled("version", f"{one.name} {number}", trouble, put_back, fix=fix)


def _copies(tracker: Tracker, *, fix: bool) -> Iterator[Finding]:
    """The project's own copies of bundles, and its records of versions: both are made anew from the registry."""
    folder = tracker.paths.mlflow
    for place in sorted(folder.glob("bundles/*")):
        whole = tree_digest(place) == place.name
        trouble = None if whole else "it is not what its name says"

        def remove(place: Path = place) -> str:
            shutil.rmtree(place)
            return "it is gone, and comes back out of the registry when it is needed"

        yield settled("bundle", place.name[:12], trouble, remove, fix=fix)
    for record in sorted(folder.glob("versions/*/*.json")):
        try:
            stored.unseal(record, [one.name for one in fields(Record)])
            trouble = None
        except Damaged as error:
            trouble = str(error)

        def drop(record: Path = record) -> str:
            record.unlink()
            return "it is gone, and MLflow is asked again"

        yield settled("record of a version", f"{record.parent.name} {record.stem}", trouble, drop, fix=fix)
