"""Registered versions whose files were damaged, made whole from another copy in the project."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sightline.digests import file_digest, tree_digest
from sightline.errors import RegistryError
from sightline.files import replacing
from sightline.models.bundle import BUNDLE
from sightline.models.weights import WEIGHTS
from sightline.tracking.registered import BUNDLE_TAG

if TYPE_CHECKING:
    from sightline.tracking.runs import Tracker


def mend_classifier(tracker: Tracker, number: str) -> str | None:
    """Put the bundle of a version back where the store's copy is not as it was registered.

    What was done, in a sentence; None where there was nothing to do. Raises RegistryError where the project holds no
    whole copy, or where the files of the store lie elsewhere.
    """
    model, paths = tracker.classifier_model, tracker.paths
    try:
        tracker.download(model, number)
    except RegistryError as error:
        digest, folder = tracker.version(model, number).tags.get(BUNDLE_TAG), tracker.files(model, number)
        copies = [paths.mlflow / "bundles" / str(digest), *sorted(paths.runs.glob("*/*/bundle"))]
        whole = next((one for one in copies if one.is_dir() and tree_digest(one) == digest), None)
        if whole is None or not folder.is_relative_to(paths.mlflow):
            raise
        card = next(iter(folder.rglob(BUNDLE)), None)
        with replacing(card.parent if card else folder / "artifacts" / "bundle") as scratch:
            shutil.copytree(whole, scratch)
        tracker.download(model, number)
        source = whole.relative_to(paths.root)
        return f"the files of version {number} in MLflow were damaged, and are whole again out of {source} ({error})"
    return None


def trouble_of_backbone(tracker: Tracker, number: str) -> str | None:
    """What is wrong with the weights of a registered backbone; None where they are as they were registered."""
    model = tracker.backbone_model
    digest = tracker.version(model, number).tags.get("weights")
    try:
        file = next(tracker.files(model, number).rglob(WEIGHTS), None)
    except RegistryError as error:
        return str(error)
    if file is None:
        return f"{WEIGHTS} is missing"
    return None if digest in {None, file_digest(file)} else f"{file} was changed since it was registered"


def mend_backbone(tracker: Tracker, number: str) -> str:
    """Put the weights of a backbone back as they were registered; what was done, in words.

    Raises RegistryError where the project holds no whole copy, or where the files of the store lie elsewhere.
    """
    model, paths = tracker.backbone_model, tracker.paths
    folder, digest = tracker.files(model, number), tracker.version(model, number).tags.get("weights")
    known = (path for path in sorted(paths.runs.glob(f"*/*/{WEIGHTS}")) if file_digest(path) == digest)
    source = next(known, None)
    if source is None or not folder.is_relative_to(paths.mlflow):
        raise RegistryError("no whole copy of it is left in the project: run again, or put the artifacts back")
    with replacing(folder / WEIGHTS) as scratch:
        shutil.copyfile(source, scratch)
    return f"it came back out of {source.relative_to(paths.root)}"
