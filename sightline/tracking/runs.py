"""MLflow's runs: parameters, metrics, data sets and artifacts."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sightline import servers, space
from sightline.errors import RegistryError
from sightline.processes import has_died, identity
from sightline.tracking import databases, places, records, store
from sightline.tracking.records import own_store
from sightline.tracking.registered import Registered
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow.entities import Run

    from sightline.project import Paths

_LOGGER = logging.getLogger(__name__)
PROCESS = "process"
"""Tag of a run: the identity of the process that it runs in."""
PARENT = "mlflow.parentRunId"
"""Tag of a run inside another one, by which MLflow shows it there."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """A flow run as its MLflow run tells of it."""

    name: str
    began: datetime
    ended: datetime | None
    """None while it runs."""
    idle: bool
    """Whether it found nothing changed and did nothing."""


@dataclass(frozen=True, kw_only=True)
class Tracker(Registered):
    """The MLflow store of a project, its experiment opened."""

    def start(self, name: str, tags: Mapping[str, str], parent: str | None = None) -> str:
        """Start a run; its id."""
        own = {PROCESS: identity(), **({PARENT: parent} if parent else {})}
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

    def address(self, run: str, path: str) -> str | None:
        """Of the page that shows the artifact at `path`; None beside a store that no server shows."""
        if not self.client.tracking_uri.startswith(("http://", "https://")):
            return None
        where = f"experiments/{self.experiment}/runs/{run}/artifacts/{quote(path)}"
        return f"{self.client.tracking_uri.rstrip('/')}/#/{where}"

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

    def check_open(self, run: str) -> None:
        """Raise RegistryError where nothing can be logged to a run any more."""
        found = self.run(run)
        if found is None or found.info.lifecycle_stage != "active":
            raise RegistryError(
                f"the MLflow run {run} was deleted, and nothing can be kept with it: `mlflow runs restore --run-id "
                f"{run}` brings it back, unless `mlflow gc` removed it for good"
            )

    def finish(self, run: str, status: str = "FINISHED") -> None:
        """End a run: FINISHED, FAILED or KILLED."""
        self.client.set_terminated(run, status)

    def past(self, flow: str) -> list[Past]:
        """The runs of a flow, the newest first; one whose process was killed here has ended when it was last seen."""
        found = self.client.search_runs(
            [self.experiment], f"tags.`prefect.flow` = '{flow}'", order_by=["start_time DESC"]
        )
        return [self._past(one) for one in found]

    def settle(self) -> None:
        """End the runs whose process was killed on this machine, when it was last seen: nobody else does."""
        for run in self.client.search_runs([self.experiment], "attributes.status = 'RUNNING'"):
            if has_died(run.data.tags.get(PROCESS, "")):
                self.client.set_terminated(run.info.run_id, "KILLED", self._last_seen(run))

    def _last_seen(self, run: Run) -> int:
        """When the run, or one inside it, was begun, ended or told a figure last; milliseconds since 1970."""
        runs = [run, *self.client.search_runs([self.experiment], f"tags.`{PARENT}` = '{run.info.run_id}'")]
        told = [
            figure.timestamp
            for one in runs
            for key in one.data.metrics
            for figure in self.client.get_metric_history(one.info.run_id, key)
        ]
        return int(max(*(max(one.info.start_time, one.info.end_time or 0) for one in runs), 0, *told))

    def _past(self, run: Run) -> Past:
        ended = run.info.end_time
        if not ended and has_died(run.data.tags.get(PROCESS, "")):
            ended = self._last_seen(run)
        return Past(
            name=run.info.run_name,
            began=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
            ended=datetime.fromtimestamp(ended / 1000, UTC) if ended else None,
            idle="unchanged.since" in run.data.tags,
        )


def how_it_ended(error: BaseException) -> str:
    """MLflow's word for a run that `error` ends: what is no Exception asked for its end from outside."""
    return "FAILED" if isinstance(error, Exception) else "KILLED"


def check_version(paths: Paths, number: str) -> None:
    """Raises RegistryError where the project's classifier has no such version; MLflow is asked only where need be."""
    model = classifier_of(paths.params.project.name)
    if records.read(paths, model, number) is None:
        connect(paths).version(model, number)


def connect(paths: Paths) -> Tracker:
    """Open the store that `MLFLOW_TRACKING_URI` names, by default the project's own.

    Raises RegistryError where it does not answer, or where it is a server that knows nothing of the project and the
    project's own store does.
    """
    import mlflow
    from filelock import FileLock
    from mlflow.exceptions import MlflowException

    # It tells each error of the database with its traceback; the same error is raised.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    given = os.environ.get("MLFLOW_TRACKING_URI")
    uri = given or own_store(paths)
    if uri.startswith(servers.WEB) or servers.is_slip(uri):
        trouble = servers.trouble(uri, servers.MLFLOW)
        if trouble:
            raise RegistryError(trouble)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    if not given:
        # MLflow sets the variable, and the next project of this process would open the store of this one.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    paths.mlflow.mkdir(exist_ok=True)
    name = paths.params.project.name
    embedded = uri.startswith("sqlite:")
    try:
        # A new store migrates when its first client is built, and two processes at once would break it.
        with FileLock(paths.mlflow / "store.lock"):
            databases.check(uri, "MLflow's store", store.TABLE if uri == own_store(paths) else None)
            if uri == own_store(paths):
                store.make(paths)
            client = mlflow.MlflowClient(uri, uri)
            if embedded:
                _lead_here(paths)
            found = client.get_experiment_by_name(name)
            places.check_shared(uri, found.artifact_location if found else None)
            if found is None:
                if not embedded and places.holds(paths, name):
                    raise RegistryError(_left_behind(paths, name, uri))
                location = places.location(paths) if embedded else None
                experiment = client.create_experiment(name, artifact_location=location)
            elif found.lifecycle_stage == "active":
                experiment = found.experiment_id
            else:
                raise RegistryError(
                    f"the MLflow experiment {name} was deleted: `mlflow experiments restore --experiment-id "
                    f"{found.experiment_id}` brings it back (with MLFLOW_TRACKING_URI={uri})"
                )
    except (MlflowException, OSError) as error:
        # Not `from error`, here and elsewhere: what it says of the address would stand in logs.
        shut = space.shut(paths.root, error)
        raise RegistryError(shut or f"the MLflow store at {uri} does not answer: {error}") from None
    return Tracker(paths=paths, name=name, client=client, experiment=str(experiment))


def _lead_here(paths: Paths) -> None:
    """Where the project came here from elsewhere, let its store follow, and say so."""
    from mlflow.tracking._tracking_service import utils

    for old in places.follow(paths):
        _LOGGER.warning(f"the project came here from elsewhere: its MLflow store led to {old}, now it leads here")
    # MLflow remembers by the number of a run where its files lie, which a copy in the same process has elsewhere.
    utils._artifact_repos_cache.clear()  # noqa: SLF001


def _left_behind(paths: Paths, name: str, uri: str) -> str:
    return (
        f"the MLflow server at {uri} knows nothing of project {name}, whose runs, models and ledger lie in "
        f"{paths.mlflow}: move that folder away and run `sightline run`, which registers the present model there and "
        "trains nothing anew (docs/team.md), or unset MLFLOW_TRACKING_URI"
    )


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values as dotted names."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
