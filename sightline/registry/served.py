"""Which bundle answers: the champion by the ledger, or a version that is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.digests import tree_digest
from sightline.errors import RegistryError
from sightline.models.backend import quicken
from sightline.models.predictor import Predictor
from sightline.registry.ledger import open_ledger
from sightline.serve.batcher import Version
from sightline.tracking import bundles
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


@dataclass(frozen=True)
class Served:
    """A version of the classifier on this machine."""

    version: str
    bundle: Path


def named(paths: Paths) -> str:
    """What the ledger says of the champion, in a word that changes with it: no file is read.

    Raises RegistryError where there is none.
    """
    model = classifier_of(paths.params.project.name)
    ledger = open_ledger(paths)
    try:
        champion = ledger.standing(model).champion
    finally:
        ledger.close()
    if champion is None:
        raise RegistryError(f"{model} has no champion yet: run `sightline run`, or name a version")
    return str(champion)


def served(paths: Paths, version: str | None = None) -> Served:
    """The champion, or another version; MLflow is asked only where the project lacks the bundle of the ledger's row.

    Raises RegistryError where there is no such version, or its bundle can be had nowhere.
    """
    model = classifier_of(paths.params.project.name)
    ledger = open_ledger(paths)
    try:
        number = version or ledger.champion(model)
        if number is None:
            raise RegistryError(f"{model} has no champion yet: run `sightline run`, or name a version")
        known = ledger.identity(model, number)
    finally:
        ledger.close()
    digest, weights = (known.bundle, known.weights) if known else (None, None)
    kept = bundles.held(paths, digest) if digest else None
    if kept is None:
        from sightline.tracking.runs import connect

        kept = connect(paths).bundle(model, number, digest, weights)
    return Served(number, kept)


def answering(paths: Paths, version: str | None = None, *, quick: bool = False) -> Version:
    """The same, loaded; `quick`: for so many images that the seconds of making a faster form are worth it.

    Raises as `served`, and ModelError where the bundle is not whole.
    """
    found = served(paths, version)
    predictor = Predictor.load(found.bundle)
    if quick:
        quicken(predictor, found.bundle)
    return Version(found.version, tree_digest(found.bundle), predictor)
