"""The project folder: where everything lies, and the environment in which its tools run."""

from __future__ import annotations

import os
import pwd
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sightline import config
from sightline.errors import ProjectError
from sightline.masking import parted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.params import Params

USES = ("source", "target")
NAMES = ("LOGNAME", "USER", "LNAME", "USERNAME")
"""Variables that getpass takes for the name of the user."""


@dataclass(frozen=True)
class Paths:
    """Every folder of the project at `root`."""

    root: Path

    @cached_property
    def params(self) -> Params:
        """The values of `params.yaml` as they stand."""
        return config.load(self.root)

    def raw(self, use: str) -> Path:
        """Raw images of a data set."""
        return self.root / self.params.dataset(use).images

    def manifest(self, use: str) -> Path:
        """The manifest of a data set."""
        return self.root / "data" / "manifests" / use / "manifest.parquet"

    def quarantine(self, use: str) -> Path:
        """What was left out, and why."""
        return self.manifest(use).with_name("quarantine.csv")

    def traits(self, use: str) -> Path:
        """What its files have in common, where that is worth a word."""
        return self.manifest(use).with_name("traits.json")

    def verdict(self, use: str) -> Path:
        """The verdict of Great Expectations."""
        return self.root / "data" / "validation" / use / "verdict.json"

    def docs(self, use: str) -> Path:
        """Data Docs: pages, made anew when they are missing, in no version."""
        return self.root / "data" / "docs" / use

    def docs_page(self, use: str) -> Path:
        """The page of Data Docs that people open."""
        return self.docs(use) / f"{use}.html"

    def quality(self, use: str) -> Path:
        """The page that shows what is odd about the images; in no version, as Data Docs."""
        return self.docs(use) / "quality.html"

    def boxes(self, use: str) -> Path:
        """Every box that was found in the raw folder, and what became of it; where images have boxes."""
        return self.manifest(use).with_name("boxes.parquet")

    def shards(self, use: str) -> Path:
        """Images ready for training."""
        return self.root / "data" / "shards" / use

    def cache(self, use: str) -> Path:
        """What this machine knows of files that it has read already."""
        return self.root / "data" / "cache" / f"{use}.parquet"

    def ingested(self, use: str) -> Path:
        """Digest of what the last ingestion on this machine was made from."""
        return self.root / "data" / "cache" / f"{use}.inputs"

    def decoded(self, use: str) -> Path:
        """Digest of the code that made the shards on this machine."""
        return self.root / "data" / "cache" / f"{use}.decoded"

    def near(self, use: str) -> Path:
        """The near duplicates that this machine has found already."""
        return self.root / "data" / "cache" / f"{use}.near.parquet"

    def history(self, use: str) -> Path:
        """The log of a data set's versions, a line each; kept in git."""
        return self.root / "data" / "history" / f"{use}.jsonl"

    def labels(self, use: str) -> Path:
        """Labels that people gave, before those of the raw folder; kept in git."""
        return self.root / "data" / "labels" / f"{use}.csv"

    def baseline(self, use: str) -> Path:
        """What later versions of a data set are compared with; kept in git."""
        return self.root / "data" / "baseline" / f"{use}.json"

    @property
    def code(self) -> Path:
        """Digests of what decides the data stages besides data and values: code, labels and baselines."""
        return self.root / "data" / "code.yaml"

    @property
    def runs(self) -> Path:
        """Training outputs, a folder for each set of inputs."""
        return self.root / "runs"

    @property
    def reports(self) -> Path:
        """Pages about runs."""
        return self.root / "reports"

    @property
    def mlflow(self) -> Path:
        """The embedded MLflow store."""
        return self.root / "mlflow"


def environment(root: Path, given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables that make Prefect, DVC, MLflow and Great Expectations stay inside the project and quiet.

    Whatever is set already wins; passwords in web addresses move into variables of their own.
    """
    scripts = os.path.dirname(sys.executable)  # noqa: PTH120 — a link to another environment's python must stay a link
    ours = {
        # A user's own tasks.py or torch.py in a working directory must not be imported instead of what bears that name.
        "PYTHONSAFEPATH": "1",
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        # Beside a server it prints links at the end of each run, into the middle of --json too.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_TRACKING_URI": f"sqlite:///{root / 'mlflow' / 'mlflow.db'}",
        # Seconds that a PostgreSQL server has to answer: without it a command waits for ever.
        "PGCONNECT_TIMEOUT": "10",
        "GX_ANALYTICS_ENABLED": "false",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(root / ".dvc" / "site"),
        "GIT_PYTHON_REFRESH": "quiet",
    }
    if "PREFECT_API_URL" not in given:
        ours["PREFECT_HOME"] = str(root / ".prefect")
    path = given.get("PATH", os.defpath)
    if scripts not in path.split(os.pathsep):
        path = scripts + os.pathsep + path
    return parted({**ours, **_person(root, given), **given, "PATH": path, "SIGHTLINE_PROJECT": str(root)})


def _person(root: Path, given: Mapping[str, str]) -> dict[str, str]:
    """A name and a home for a user who has none, as in many containers: DVC, MLflow and torch ask for both."""
    try:
        person = pwd.getpwuid(os.getuid())
    except KeyError:
        person = None
    name = {} if person or any(key in given for key in NAMES) else {"LOGNAME": f"uid-{os.getuid()}"}
    return name if person or "HOME" in given else {**name, "HOME": str(root / ".prefect" / "home")}


def machine_cache() -> Path | None:
    """Where this machine keeps what is the same in all projects of a user; None where nothing can be kept."""
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("sightline")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # RuntimeError: there is no home.
        return None
    return folder if os.access(folder, os.W_OK) else None


def check_place(root: Path) -> None:
    """Raise ProjectError where a project at `root` would keep its databases elsewhere."""
    if "?" in str(root):
        raise ProjectError(
            f"{root} has a question mark in its path, at which the address of a database ends: rename the folder"
        )


def enter(root: Path) -> Paths:
    """Make this process work in the project at `root`: variables that are not set yet, and the working directory.

    Raises ProjectError where its databases could not lie there.
    """
    check_place(root)
    os.environ.update(environment(root))
    os.chdir(root)
    return Paths(root)
