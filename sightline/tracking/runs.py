"""MLflow: runs, metrics, models, versions and aliases. The one place in the library that speaks to it."""

from __future__ import annotations

import json
import os
import time
from base64 import b64decode
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.models.predictor import BUNDLE, GOLDEN, Predictor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from sightline.project import Paths

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
ALIAS_TRIES = 5
"""Times that a registry is asked to move an alias that another process moves too."""


@dataclass(frozen=True)
class Tracker:
    """The MLflow store of a project, its experiment opened."""

    paths: Paths
    name: str
    """Name of the project: the experiment, and the stem of its registered models."""
    experiment: str
    client: Any

    @property
    def backbone_model(self) -> str:
        """Registered name of the backbone."""
        return f"{self.name}-backbone"

    @property
    def classifier_model(self) -> str:
        """Registered name of the classifier."""
        return f"{self.name}-classifier"

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Start a run; its id."""
        own = {"mlflow.parentRunId": parent} if parent else {}
        return str(self.client.create_run(self.experiment, run_name=name, tags={**tags, **own}).info.run_id)

    def log(
        self,
        run: str,
        metrics: Mapping[str, float],
        step: int = 0,
        *,
        model: str | None = None,
        data: tuple[str, str] | None = None,
    ) -> None:
        """Log metrics of one step in one call; what is no finite number is left out.

        They hold for `model` (the id that MLflow gave a logged model) on `data` (name and digest of a data set).
        """
        from math import isfinite

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        name, digest = (data[0], data[1][:36]) if data else (None, None)
        batch = [
            Metric(key, float(value), now, step, model_id=model, dataset_name=name, dataset_digest=digest)
            for key, value in metrics.items()
            if isfinite(value)
        ]
        self.client.log_batch(run, metrics=batch)

    @contextmanager
    def watched(self, run: str, every: float = 10.0) -> Iterator[None]:
        """Log how busy the processors, GPUs and memory are, each `every` seconds, as MLflow's system metrics."""
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

        monitor = SystemMetricsMonitor(run, sampling_interval=every)  # type: ignore[no-untyped-call]
        monitor.start()  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            monitor.finish()  # type: ignore[no-untyped-call]

    def params(self, run: str, params: Mapping[str, Any]) -> None:
        """Log parameters in one call."""
        from mlflow.entities import Param

        self.client.log_batch(run, params=[Param(key, str(value)[:6000]) for key, value in params.items()])

    def tag(self, run: str, tags: Mapping[str, str]) -> None:
        """Set tags of a run in one call."""
        from mlflow.entities import RunTag

        self.client.log_batch(run, tags=[RunTag(key, value) for key, value in tags.items()])

    def dataset(self, run: str, name: str, digest: str, source: str, profile: Mapping[str, Any], context: str) -> None:
        """Log a data set as an input of a run, with its DVC digest."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        entity = Dataset(
            name=name,
            digest=digest[:36],
            source_type="dvc",
            source=json.dumps({"path": source, "digest": digest}),
            profile=json.dumps(dict(profile)),
        )
        self.client.log_inputs(run, [DatasetInput(entity, [InputTag("mlflow.data.context", context)])])

    def artifact(self, run: str, path: Path, folder: str | None = None) -> None:
        """Store a file with a run."""
        self.client.log_artifact(run, str(path), folder)

    def store(self, run: str, data: bytes, path: str) -> None:
        """Store bytes with a run at `path` among its artifacts."""
        folder, _, name = path.rpartition("/")
        with TemporaryDirectory() as scratch:
            file = Path(scratch, name)
            file.write_bytes(data)
            self.artifact(run, file, folder)

    def stored(self, run: str, path: str) -> bytes | None:
        """The bytes at `path` among the artifacts of a run; None where they are gone or cannot be fetched."""
        from mlflow.exceptions import MlflowException

        with TemporaryDirectory() as scratch:
            try:
                return Path(self.client.download_artifacts(run, path, scratch)).read_bytes()
            except (MlflowException, OSError):
                return None

    def run(self, run: str) -> Run | None:
        """A run with its parameters, metrics and tags; None where the store does not hold it."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_run(run)  # type: ignore[no-any-return]
        except MlflowException:
            return None

    def finish(self, run: str, status: str = "FINISHED") -> None:
        """End a run: FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run, status)

    def exists(self, run: str) -> bool:
        """Whether the store holds the run."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self.client.get_run(run).info.lifecycle_stage) == "active"
        except MlflowException:
            return False

    def find_version(self, model: str, weights: str) -> ModelVersion | None:
        """The version of `model` that was registered with these weights, the newest where there are several."""
        found = self.client.search_model_versions(f"name = '{model}' and tags.weights = '{weights}'")
        return max(found, key=lambda version: int(version.version), default=None)

    def aliased(self, model: str, alias: str) -> ModelVersion | None:
        """The version that carries `alias`, if any."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version_by_alias(model, alias)  # type: ignore[no-any-return]
        except MlflowException:
            return None

    def version(self, model: str, number: str) -> ModelVersion:
        """One version of a registered model.

        Raises RegistryError where it does not exist.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_model_version(model, number)  # type: ignore[no-any-return]
        except MlflowException:
            known = ", ".join(sorted((str(one.version) for one in self.versions(model)), key=int)) or "none yet"
            raise RegistryError(f"{model} has no version {number}; its versions: {known}") from None

    def asked_for(self, model: str, number: str | None) -> ModelVersion:
        """The version with that number, by default the champion.

        Raises RegistryError where it does not exist.
        """
        if number is not None:
            return self.version(model, number)
        champion = self.aliased(model, CHAMPION)
        if champion is None:
            raise RegistryError(f"{model} has no champion yet: run `sightline run`, or name a version")
        return champion

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a registered model."""
        return list(self.client.search_model_versions(f"name = '{model}'"))

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
        for key, value in tags.items():
            self.client.set_model_version_tag(model, str(number), key, value)

    def register_classifier(self, run: str, bundle: Path, tags: Mapping[str, str]) -> str:
        """Log the bundle as a pyfunc model that takes image bytes, and register it; its version."""
        import mlflow
        import pandas as pd
        from mlflow.models import ModelSignature
        from mlflow.types.schema import Array, ColSpec, DataType, Schema, TensorSpec

        golden = json.loads((bundle / GOLDEN).read_text(encoding="utf-8"))
        example = pd.DataFrame({"image": [b64decode(golden[0]["image"])]})
        outputs: list[ColSpec | TensorSpec] = [
            ColSpec("string", "label"),
            ColSpec("double", "probability"),
            ColSpec(Array(DataType.double), "probabilities"),
        ]
        package = Path(__file__).parents[1]
        with mlflow.start_run(run_id=run):
            logged = mlflow.pyfunc.log_model(
                name="classifier",
                python_model=str(package / "models" / "serving.py"),
                artifacts={"bundle": str(bundle)},
                signature=ModelSignature(Schema([ColSpec("binary", "image")]), Schema(outputs)),
                input_example=example,
                pip_requirements=_requirements(),
                code_paths=[str(package)],
            )
        return self._register(self.classifier_model, logged.model_uri, run, tags)

    def register_backbone(self, run: str, folder: Path, tags: Mapping[str, str]) -> str:
        """Store the backbone's files with its run and register them; the version."""
        self.client.log_artifacts(run, str(folder), "backbone")
        return self._register(self.backbone_model, f"{self.client.get_run(run).info.artifact_uri}/backbone", run, tags)

    def _register(self, model: str, source: str, run: str, tags: Mapping[str, str]) -> str:
        from mlflow.exceptions import MlflowException

        try:
            self.client.get_registered_model(model)
        except MlflowException:
            self.client.create_registered_model(model)
        created = self.client.create_model_version(model, source, run_id=run, tags=dict(tags))
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
            raise RegistryError(f"the files of {model} version {number} cannot be fetched: {error}") from error

    def download(self, model: str, number: str) -> Path:
        """The bundle folder of a classifier version, on this machine.

        Raises RegistryError where its files cannot be fetched.
        """
        card = next(iter(self.files(model, number).rglob(BUNDLE)), None)
        if card is None:
            raise RegistryError(f"{model} version {number} holds no {BUNDLE}: it is no classifier of ours")
        return card.parent

    def predictor(self, model: str, number: str) -> Predictor:
        """The classifier of a version, loaded."""
        return Predictor.load(self.download(model, number))


def connect(paths: Paths) -> Tracker:
    """Open the store that `MLFLOW_TRACKING_URI` names, by default the project's own.

    Raises RegistryError where it does not answer.
    """
    import mlflow
    from filelock import FileLock
    from mlflow.exceptions import MlflowException

    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.mlflow / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    paths.mlflow.mkdir(exist_ok=True)
    name = paths.params.project.name
    client = mlflow.MlflowClient(uri, uri)
    try:
        # A new SQLite store migrates at first touch, and two processes at once would break it.
        with FileLock(paths.mlflow / "store.lock"):
            found = client.get_experiment_by_name(name)
            if found is None:
                location = (paths.mlflow / "artifacts").as_uri() if uri.startswith("sqlite:") else None
                experiment = client.create_experiment(name, artifact_location=location)
            else:
                experiment = found.experiment_id
    except (MlflowException, OSError) as error:
        raise RegistryError(f"the MLflow store at {uri} does not answer: {error}") from error
    return Tracker(paths, name, str(experiment), client)


def load_served(folder: Path) -> Any:
    """The model whose files lie in `folder` (as `Tracker.files` gives it), as MLflow serves it."""
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


def _requirements() -> list[str]:
    """What the logged model needs to answer, at the versions in use; a local build tag such as +cpu is dropped."""
    names: Sequence[str] = ("torch", "torchvision", "pillow", "numpy", "pandas", "safetensors")
    return [f"{name}=={installed(name).partition('+')[0]}" for name in names]
