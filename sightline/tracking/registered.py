"""The files of MLflow's registered models: how versions are stored, and had again as they were stored."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.digests import file_digest, tree_digest
from sightline.errors import RegistryError
from sightline.heads.labels import CLASSIFY
from sightline.models import sealed
from sightline.models.bundle import BUNDLE, GOLDEN
from sightline.models.weights import WEIGHTS
from sightline.tracking import bundles
from sightline.tracking.artifacts import Artifacts
from sightline.tracking.digest_tag import SEALS_TAG, folded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.models.predictor import Predictor

BUNDLE_TAG = "bundle"
"""Tag that holds the `tree_digest` of the bundle as it was registered; older versions have none."""


@dataclass(frozen=True, kw_only=True)
class Registered(Artifacts):
    """The registered models of a project, with their files."""

    def register_classifier(self, run: str, bundle: Path, tags: Mapping[str, str]) -> str:
        """Log the bundle as a pyfunc model that takes image bytes, and register it; its version."""
        import mlflow.artifacts
        import pandas as pd
        from mlflow.models import ModelSignature
        from mlflow.types.schema import Array, ColSpec, DataType, Object, Property, Schema, TensorSpec

        from sightline.heads.known import of

        golden = json.loads((bundle / GOLDEN).read_text(encoding="utf-8"))
        example = pd.DataFrame({"image": [b64decode(golden[0]["image"])]})
        outputs: list[ColSpec | TensorSpec] = [
            ColSpec("string", "label"),
            ColSpec("double", "probability"),
            ColSpec(Array(DataType.double), "probabilities"),
            ColSpec(Array(DataType.string), "set", required=False),
            ColSpec("boolean", "abstain", required=False),
            ColSpec("boolean", "foreign", required=False),
            ColSpec("double", "foreign_score", required=False),
            ColSpec("string", "version", required=False),
            ColSpec("string", "digest"),
        ]
        card = json.loads((bundle / BUNDLE).read_text(encoding="utf-8"))
        head = of(card.get("task", CLASSIFY))
        edges = [Property(name, DataType.double) for name in ("probability", "x1", "y1", "x2", "y2")]
        if not head.is_exclusive:
            outputs.append(ColSpec(Array(DataType.string), "labels"))
        if head.is_located:
            outputs.append(ColSpec(Array(Object([Property("label", DataType.string), *edges])), "boxes"))
        with mlflow.start_run(run_id=run), sealed.uncompiled():
            logged = mlflow.pyfunc.log_model(
                name="classifier",
                python_model=str(sealed.PACKAGE / "models" / sealed.SERVING),
                artifacts={"bundle": str(bundle)},
                signature=ModelSignature(Schema([ColSpec("binary", "image")]), Schema(outputs)),
                input_example=example,
                pip_requirements=_requirements(card["network"]),
                code_paths=[str(sealed.PACKAGE)],
            )
        # Read back from where it is stored: what cannot be had again as it was written is not registered.
        found = sealed.seals(Path(mlflow.artifacts.download_artifacts(logged.model_uri)))
        own = {BUNDLE_TAG: tree_digest(bundle), SEALS_TAG: json.dumps(found)}
        return self._register(self.classifier_model, logged.model_uri, run, {**tags, **own}, logged.model_id)

    def register_backbone(self, run: str, folder: Path, tags: Mapping[str, str]) -> str:
        """Store the backbone's files with its run and register them; the version."""
        for file in sorted(folder.iterdir()):
            self.artifact(run, file, "backbone")
        return self._register(self.backbone_model, f"{self.client.get_run(run).info.artifact_uri}/backbone", run, tags)

    def _register(self, model: str, source: str, run: str, tags: Mapping[str, str], logged: str | None = None) -> str:
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_registered_model(model)
        except MlflowException:
            self.client.create_registered_model(model)
        # A server takes a logged model for a source only from who names its id as well.
        created = self.client.create_model_version(model, source, run_id=run, tags=folded(tags), model_id=logged)
        self.record(self.version(model, str(created.version)))
        return str(created.version)

    def files(self, model: str, number: str) -> Path:
        """The files of a version, on this machine.

        Raises RegistryError where they cannot be fetched.
        """
        import mlflow.artifacts
        from mlflow.exceptions import MlflowException

        try:
            return Path(mlflow.artifacts.download_artifacts(f"models:/{model}/{number}"))
        except (MlflowException, OSError) as error:
            raise RegistryError(f"the files of {model} version {number} cannot be fetched: {error}") from None

    def download(self, model: str, number: str) -> Path:
        """The bundle folder of a classifier version, on this machine, as it was registered.

        Raises RegistryError where its files cannot be fetched or were changed, ModelError where one is no model's.
        """
        return self.sealed(model, number)[0]

    def sealed(self, model: str, number: str) -> tuple[Path, dict[str, str]]:
        """The bundle folder of a classifier version, and the seals of the folder around it; raises as `download`."""
        tags, folder = self.version(model, number).tags, self.files(model, number)
        card = folder / sealed.CARD
        if not card.is_file():
            raise RegistryError(f"{model} version {number} holds no {card.name}: it is no classifier of ours")
        if folder.resolve().is_relative_to(self.paths.root.resolve()):
            sealed.sweep(folder)
        found = sealed.seals(folder)
        other = sealed.changed(_recorded(tags[SEALS_TAG]), found) if SEALS_TAG in tags else None
        if other is None and tags.get(BUNDLE_TAG) not in {None, tree_digest(card.parent)}:
            other = card.parent.relative_to(folder).as_posix()
        if other is not None:
            raise RegistryError(
                f"{other} of {model} version {number} in {folder} was changed since it was registered: "
                "do not use it; put the artifacts back, or train and register it again"
            )
        if SEALS_TAG not in tags:
            sealed.refuse_strange_code(folder)
        return card.parent, found

    def digest(self, model: str, number: str) -> str | None:
        """`tree_digest` of a version's bundle as it was registered; None where there is no such bundle."""
        try:
            told = self.version(model, number).tags.get(BUNDLE_TAG)
            folder = (self.files(model, number) / sealed.CARD).parent if told is None else None
        except RegistryError:
            return None
        return tree_digest(folder) if folder is not None and folder.is_dir() else told

    def bundle(self, model: str, number: str, digest: str | None, weights: str | None = None) -> Path:
        """The project's copy of the bundle with that `digest`, fetched as version `number` where there is none yet.

        Where the digest is not known, the SHA-256 of the weights must be `weights`, if that is. Raises RegistryError
        where it can be had nowhere.
        """
        kept = bundles.held(self.paths, digest) if digest else None
        if kept is not None:
            return kept
        folder = self.download(model, number)
        wanted = (digest, tree_digest(folder)) if digest else (weights, file_digest(folder / WEIGHTS))
        if wanted[0] not in {None, wanted[1]}:
            raise RegistryError(
                f"{model} version {number} in MLflow ({wanted[1][:12]}…) is not the one of that number in the ledger "
                f"({wanted[0][:12]}…), which the project no longer holds: put the old MLflow store back"
            )
        return bundles.keep(self.paths, folder)

    def predictor(self, model: str, number: str) -> Predictor:
        """The classifier of a version, loaded."""
        from sightline.models.predictor import Predictor

        return Predictor.load(self.download(model, number), self.paths.params.ingest.max_pixels)


def _recorded(tag: str) -> dict[str, str]:
    """The seals in a tag; none where it holds something else, so that whatever is found differs from them."""
    try:
        found = json.loads(tag)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _requirements(network: str) -> list[str]:
    """What the logged model needs to answer, at the versions in use; a local build tag such as +cpu is dropped."""
    from sightline.models.hub import is_of_timm

    names = [*sealed.LIBRARIES, *([sealed.TIMM] if is_of_timm(network) else [])]
    return [f"{name}=={installed(name).partition('+')[0]}" for name in names]
