"""MLflow's registry: registered models, their versions and aliases."""

from __future__ import annotations

import json
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.digests import file_digest, tree_digest
from sightline.errors import RegistryError
from sightline.heads.labels import CLASSIFY
from sightline.models import sealed
from sightline.models.bundle import BUNDLE, GOLDEN
from sightline.models.weights import WEIGHTS
from sightline.tracking import bundles, records
from sightline.tracking.digest_tag import SEALS_TAG, folded, unfolded
from sightline.tracking.records import Record, RunRecord
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow.entities.model_registry import ModelVersion as ModelVersion  # noqa: PLC0414 — others name it from here

    from sightline.models.predictor import Predictor
    from sightline.project import Paths

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
ALIAS_TRIES = 5
"""Times that a registry is asked to move an alias that another process moves too."""
BUNDLE_TAG = "bundle"
"""Tag that holds the `tree_digest` of the bundle as it was registered; older versions have none."""
VERDICT_TAG = "verdict"
"""Tag that holds what was decided of the version last; the ledger alone decides."""


@dataclass(frozen=True, kw_only=True)
class Versions:
    """The registered models of a project."""

    paths: Paths
    name: str
    """Name of the project: the experiment, and the stem of its registered models."""
    client: Any

    @property
    def backbone_model(self) -> str:
        """Registered name of the backbone."""
        return backbone_of(self.name)

    @property
    def classifier_model(self) -> str:
        """Registered name of the classifier."""
        return classifier_of(self.name)

    def find_version(self, model: str, weights: str) -> ModelVersion | None:
        """The version of `model` that was registered with these weights, the newest where there are several."""
        found = self.client.search_model_versions(f"name = '{model}' and tags.weights = '{weights}'")
        return unfolded(max(found, key=lambda version: int(version.version), default=None))

    def holding(self, weights: str) -> ModelVersion | None:
        """A version of any registered model that was registered with these weights; of several the oldest."""
        found = self.client.search_model_versions(f"tags.weights = '{weights}'")
        return unfolded(min(found, key=lambda version: version.creation_timestamp, default=None))

    def aliased(self, model: str, alias: str) -> ModelVersion | None:
        """The version that carries `alias`, if any."""
        from mlflow.exceptions import MlflowException

        try:
            found: ModelVersion = self.client.get_model_version_by_alias(model, alias)
        except MlflowException:
            return None
        return unfolded(found)

    def version(self, model: str, number: str) -> ModelVersion:
        """One version of a registered model.

        Raises RegistryError where it does not exist.
        """
        from mlflow.exceptions import MlflowException

        try:
            found: ModelVersion | None = self.client.get_model_version(model, number)
        except MlflowException:
            found = None
        # MLflow takes 01 for 1, and what the ledger says of 1 would not be found under 01.
        if found is None or str(found.version) != str(number):
            known = ", ".join(sorted((str(one.version) for one in self.versions(model)), key=int)) or "none"
            raise RegistryError(f"{model} has no version {number}; its versions: {known}")
        return unfolded(found)

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a registered model."""
        return [unfolded(one) for one in self.client.search_model_versions(f"name = '{model}'")]

    def set_alias(self, model: str, alias: str, number: str | None) -> None:
        """Point `alias` at a version, or at none."""
        from mlflow.exceptions import MlflowException

        if number is None:
            self.client.delete_registered_model_alias(model, alias)
            return
        for left in reversed(range(ALIAS_TRIES)):
            try:
                self.client.set_registered_model_alias(model, alias, str(number))
            except MlflowException:
                # MLflow looks, then inserts: of two processes at once the second breaks a unique key, and updates next.
                if not left:
                    raise
            else:
                return

    def tag_version(self, model: str, number: str, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        with self.changing(model, number):
            for key, value in tags.items():
                self.client.set_model_version_tag(model, str(number), key, value)

    @contextmanager
    def changing(self, model: str, number: str) -> Iterator[None]:
        """Around whatever changes what MLflow says of a version: the project's own record of it follows."""
        with records.lock(self.paths):
            # Killed inside the block, there is no record, and MLflow is asked.
            records.drop(self.paths, model, str(number))
            yield
            self._remember(self.version(model, str(number)))

    def record(self, found: ModelVersion) -> Record:
        """What MLflow says of a version, recorded in the project too."""
        with records.lock(self.paths):
            return self._remember(found)

    def _remember(self, found: ModelVersion) -> Record:
        tags = dict(found.tags)
        weights, flow = tags.get("backbone.weights"), self._run(tags.get("flow.run"))
        backbone = self.find_version(self.backbone_model, weights) if weights else None
        run = self._run(found.run_id)
        record = Record(
            model=found.name,
            version=str(found.version),
            aliases=sorted(map(str, found.aliases)),
            created=found.creation_timestamp,
            run=found.run_id,
            tags=tags,
            facts=run and RunRecord(run.info.run_name, run.info.status, run.info.start_time, dict(run.data.metrics)),
            backbone=(str(backbone.version), backbone.run_id) if backbone else None,
            artifacts=records.below(self.paths, flow.info.artifact_uri) if flow else None,
        )
        records.write(self.paths, record)
        return record

    def _run(self, run: str | None) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run) if run else None
        except MlflowException:
            return None

    def describe_version(self, number: str, verdict: str, markdown: str) -> None:
        """What MLflow's page says of a version of the classifier: the word of the ledger as a tag, and all of it."""
        self.client.update_model_version(self.classifier_model, number, markdown)
        self.tag_version(self.classifier_model, number, {VERDICT_TAG: verdict})

    def register_classifier(self, run: str, bundle: Path, tags: Mapping[str, str]) -> str:
        """Log the bundle as a pyfunc model that takes image bytes, and register it; its version."""
        import mlflow.artifacts
        import pandas as pd
        from mlflow.models import ModelSignature
        from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

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
        if not of(card.get("task", CLASSIFY)).is_exclusive:
            outputs.append(ColSpec(Array(DataType.string), "labels"))
        with mlflow.start_run(run_id=run), sealed.uncompiled():
            logged = mlflow.pyfunc.log_model(
                name="classifier",
                python_model=str(sealed.PACKAGE / "models" / sealed.SERVING),
                artifacts={"bundle": str(bundle)},
                signature=ModelSignature(Schema([ColSpec("binary", "image")]), Schema(outputs)),
                input_example=example,
                pip_requirements=_requirements(),
                code_paths=[str(sealed.PACKAGE)],
            )
        # Read back from where it is stored: what cannot be had again as it was written is not registered.
        found = sealed.seals(Path(mlflow.artifacts.download_artifacts(logged.model_uri)))
        own = {BUNDLE_TAG: tree_digest(bundle), SEALS_TAG: json.dumps(found)}
        return self._register(self.classifier_model, logged.model_uri, run, {**tags, **own}, logged.model_id)

    def register_backbone(self, run: str, folder: Path, tags: Mapping[str, str]) -> str:
        """Store the backbone's files with its run and register them; the version."""
        self.client.log_artifacts(run, str(folder), "backbone")
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


def backbone_of(project: str) -> str:
    """Registered name of the backbone of the project with that name."""
    return f"{project}-backbone"


def classifier_of(project: str) -> str:
    """Registered name of the classifier of the project with that name."""
    return f"{project}-classifier"


def find(versions: Versions, model: str) -> ModelVersion:
    """The version that `[NAME][@alias|/version]` means.

    Raises RegistryError where there is none.
    """
    name, alias, number = split(model)
    name = name or versions.classifier_model
    if number:
        return versions.version(name, number)
    found = versions.aliased(name, alias)
    if found is None:
        known = {one.name: sorted(one.aliases) for one in versions.client.search_registered_models()}
        said = f"{name} has no version with the alias {alias}{suggestion(alias, known.get(name, []))}"
        if name not in known:
            said = f"{name}@{alias}: there is no such registered model{suggestion(name, known)}"
        raise RegistryError(f"{said}; registered models: {', '.join(sorted(known)) or 'none yet'}")
    return found


def split(model: str) -> tuple[str, str, str]:
    """Name, alias and version in `[NAME][@alias|/version]`; what is not said is empty, but for the alias."""
    name, at, alias = model.partition("@")
    if at:
        return name, alias or CHAMPION, ""
    name, _, number = model.partition("/")
    return name, "" if number else CHAMPION, number


def _recorded(tag: str) -> dict[str, str]:
    """The seals in a tag; none where it holds something else, so that whatever is found differs from them."""
    try:
        found = json.loads(tag)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _requirements() -> list[str]:
    """What the logged model needs to answer, at the versions in use; a local build tag such as +cpu is dropped."""
    return [f"{name}=={installed(name).partition('+')[0]}" for name in sealed.LIBRARIES]
