"""MLflow's registry: registered models, their versions and aliases."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.tracking import records
from sightline.tracking.digest_tag import unfolded
from sightline.tracking.records import Record, RunRecord
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow.entities.model_registry import ModelVersion as ModelVersion  # noqa: PLC0414 — others name it from here

    from sightline.project import Paths

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
ALIAS_TRIES = 5
"""Times that a registry is asked to move an alias that another process moves too."""
USUAL = "accuracy 0.99"
"""What versions were made to keep that do not say it: backbones, and those older than the tag."""
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

    def find_version(self, model: str, weights: str, wanted: str = USUAL) -> ModelVersion | None:
        """The version of `model` that was registered with these weights, the newest where there are several.

        One that says that its answers were wanted otherwise is another one.
        """
        found = self.client.search_model_versions(f"name = '{model}' and tags.weights = '{weights}'")
        alike = (one for one in found if one.tags.get("wanted", USUAL) == wanted)
        return unfolded(max(alike, key=lambda version: int(version.version), default=None))

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
    """Name, alias and version in `[NAME][@alias|/version]`; what is not said is empty, but for the alias.

    A number alone is a version, as `promote` takes it.
    """
    if model.isdecimal():
        return "", "", model
    name, at, alias = model.partition("@")
    if at:
        return name, alias or CHAMPION, ""
    name, _, number = model.partition("/")
    return name, "" if number else CHAMPION, number
