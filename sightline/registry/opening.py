"""Where the promotion ledger lies, and what is said where it does not answer or says nothing."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sightline import space
from sightline.errors import RegistryError
from sightline.registry.ledger import TABLE, Ledger
from sightline.tracking import databases
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.project import Paths


def open_ledger(paths: Paths) -> Ledger:
    """The ledger at `SIGHTLINE_LEDGER_URI`; by default beside the project's own MLflow store.

    Raises RegistryError where MLflow is remote and no address is given, for want of a shared truth, or where the
    address leads to no database that answers.
    """
    uri, table = os.environ.get("SIGHTLINE_LEDGER_URI"), None
    if not uri:
        tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
        if tracking and not tracking.startswith("sqlite:"):
            raise RegistryError(
                f"MLflow is at {tracking}, shared by several machines: "
                "set SIGHTLINE_LEDGER_URI to a database that they share too, such as postgresql://…"
            )
        paths.mlflow.mkdir(exist_ok=True)
        # Whoever names an address may keep other tables there.
        uri, table = f"sqlite:///{paths.mlflow / 'ledger.db'}", TABLE
    databases.check(uri, "the promotion ledger", table)
    try:
        return Ledger(uri)
    except sa.exc.ArgumentError:
        # What is no address may be a password, so it is not shown.
        raise RegistryError(
            "SIGHTLINE_LEDGER_URI is no address of a database: it has the form postgresql://USER:PASSWORD@HOST/NAME"
        ) from None
    except ModuleNotFoundError as error:
        raise RegistryError(
            f"the ledger's database needs the driver {error.name}: pip install 'sightline[postgres]' brings "
            "PostgreSQL's"
        ) from None
    except sa.exc.DBAPIError as error:
        place, why = sa.make_url(uri).render_as_string(), str(error.orig).strip().splitlines()
        shut = space.shut(paths.root, error)
        raise RegistryError(shut or f"the ledger at {place} does not answer: {' '.join(why)}") from None


def uncrowned(paths: Paths, ledger: Ledger) -> str:
    """Why nothing is champion: not yet, or a ledger that says nothing of what is registered."""
    model = classifier_of(paths.params.project.name)
    if not ledger.history(model) and any((paths.mlflow / "versions" / model).glob("*.json")):
        return (
            f"the promotion ledger says nothing of {model}, of which versions are registered: where it was lost put a "
            "copy of it back, else promote one of them (`sightline promote N --reason …`)"
        )
    return f"{model} has no champion yet: run `sightline run`, or name a version"


def history(paths: Paths, warn: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """Every row about the project's classifier, oldest first; `warn` hears why there is none."""
    ledger = open_ledger(paths)
    try:
        found = [asdict(entry) for entry in ledger.history(classifier_of(paths.params.project.name))]
        if not found:
            warn(uncrowned(paths, ledger))
        return found
    finally:
        ledger.close()
