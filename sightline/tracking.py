"""MLflow: runs, metrics, models, versions and aliases. The one place in the library that speaks to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.models.predictor import GOLDEN, Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow.entities.model_registry import ModelVersion

    from sightline.project import Paths

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
TOLERANCE = 1e-5
"""Largest difference of a probability between the logging and the loading process."""


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

    def log(self, run: str, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log metrics of one step in one call; what is no finite number is left out."""
        from math import isfinite

        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        batch = [Metric(key, float(value), now, step) for key, value in metrics.items() if isfinite(value)]
        self.client.log_batch(run, metrics=batch)

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

    def versions(self, model: str) -> list[ModelVersion]:
        """All versions of a registered model."""
        return list(self.client.search_model_versions(f"name = '{model}'"))

    def set_alias(self, model: str, alias: str, number: str | None) -> None:
        """Point `alias` at a version, or at none."""
        if number is None:
            self.client.delete_registered_model_alias(model, alias)
        else:
            self.client.set_registered_model_alias(model, alias, str(number))

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
        example = pd.DataFrame({"image": [_bytes(golden[0]["image"])]})
        outputs: list[ColSpec | TensorSpec] = [
            ColSpec("string", "label"),
            ColSpec("double", "probability"),
            ColSpec(Array(DataType.double), "probabilities"),
        ]
        package = Path(__file__).parent
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

    def download(self, model: str, number: str) -> Path:
        """The bundle folder of a classifier version, on this machine.

        Raises RegistryError where its files cannot be fetched.
        """
        return next(iter(self.files(model, number).rglob("bundle.json"))).parent

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


def answers_in_fresh_process(uri: str) -> str | None:
    """Load the model at `uri` in a new process and ask for its golden images: None if it answers the same, else why."""
    done = subprocess.run(
        [sys.executable, "-m", "sightline.tracking", uri], capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]


def check_golden(uri: str) -> None:
    """Load a classifier as MLflow serves it and compare its answers with those at logging.

    Raises RegistryError where one differs by more than 1e-5.
    """
    import mlflow.artifacts
    import mlflow.pyfunc
    import numpy as np
    import pandas as pd

    folder = Path(mlflow.artifacts.download_artifacts(uri))
    golden = json.loads(next(iter(folder.rglob(GOLDEN))).read_text(encoding="utf-8"))
    answers = mlflow.pyfunc.load_model(str(folder)).predict(
        pd.DataFrame({"image": [_bytes(one["image"]) for one in golden]})
    )
    difference = np.abs(
        np.array(answers["probabilities"].tolist()) - np.array([one["probabilities"] for one in golden])
    )
    if not (difference <= TOLERANCE).all():
        raise RegistryError(
            f"{uri} answers its golden images differently: a probability is off by {difference.max():.2g}"
        )


def _bytes(text: str) -> bytes:
    import base64

    return base64.b64decode(text)


def _requirements() -> list[str]:
    """What the logged model needs to answer, at the versions in use; a local build tag such as +cpu is dropped."""
    names: Sequence[str] = ("torch", "torchvision", "pillow", "numpy", "pandas", "safetensors")
    return [f"{name}=={installed(name).partition('+')[0]}" for name in names]


if __name__ == "__main__":
    check_golden(sys.argv[1])
