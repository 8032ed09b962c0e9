"""Which bundle answers: the champion by the ledger, or a version that is named.

torch is imported once that is known: a version that is not there is told before.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.digests import tree_digest
from sightline.errors import RegistryError
from sightline.registry.opening import open_ledger, uncrowned
from sightline.tracking import bundles, forms
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.models.predictor import Predictor
    from sightline.project import Paths
    from sightline.serve.batcher import Version

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A version of the classifier on this machine."""

    version: str
    bundle: Path
    graph: Path | None = None
    """By which ONNX Runtime answers, as the gate has seen it; None where there is none here."""
    settled: bool = False
    """Whether the gate has tried: where there is no graph then, torch answers."""


def named(paths: Paths) -> str:
    """What the ledger says of the champion, in a word that changes with it: no file is read.

    Raises RegistryError where there is none.
    """
    model = classifier_of(paths.params.project.name)
    ledger = open_ledger(paths)
    try:
        champion = ledger.standing(model).champion
        if champion is None:
            raise RegistryError(uncrowned(paths, ledger))
    finally:
        ledger.close()
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
            raise RegistryError(uncrowned(paths, ledger))
        known = ledger.identity(model, number)
        form = ledger.serving(model, number, known.bundle) if known and known.bundle else None
    finally:
        ledger.close()
    digest, weights = (known.bundle, known.weights) if known else (None, None)
    kept = bundles.held(paths, digest) if digest else None
    if kept is None:
        from sightline.tracking.runs import connect

        kept = connect(paths).bundle(model, number, digest, weights)
    digest = (form or {}).get("graph")
    graph = forms.held(paths, digest) if digest else None
    return Served(number, kept, graph, settled=bool(form and form["tried"] and (digest is None or graph)))


def answering(paths: Paths, version: str | None = None, *, quick: bool = False) -> Version:
    """The same, loaded, in the form that the gate chose.

    `quick`: for so many images that the seconds of making a faster form are worth it, where the gate has made none.
    Raises as `served`, and ModelError where the bundle is not whole.
    """
    found = served(paths, version)
    from sightline.models.backend import quicken
    from sightline.models.predictor import Predictor
    from sightline.serve.batcher import Version

    predictor = Predictor.load(found.bundle, paths.params.ingest.max_pixels)
    if not _adopted(predictor, found) and quick:
        quicken(predictor, found.bundle)
    return Version(found.version, tree_digest(found.bundle), predictor)


def _adopted(predictor: Predictor, found: Served) -> bool:
    """Whether the gate chose a form that can answer here; this processor may compute otherwise than the gate's."""
    from sightline.models.backend import adopt, is_installed

    if found.graph is None or not is_installed():
        return found.settled and found.graph is None
    try:
        adopt(predictor, found.bundle, found.graph)
    except Exception as error:  # noqa: BLE001 — torch answers, as before
        log.warning("torch answers: on this machine %s", " ".join(str(error).split())[:300])
    return True
