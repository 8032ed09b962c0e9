"""What `params.yaml` may say: a frozen dataclass for each section, with the meaning and the limits of its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sightline import names
from sightline.errors import ProjectError
from sightline.params.data import ROLES, Against, Dataset, Fractions, Grouping, Ingest, Preprocess, Validate
from sightline.params.learning import PRESET_KEYS, Evaluate, Finetune, Gate, Pretrain, Train, Transfer
from sightline.params.section import Section, Task
from sightline.params.upkeep import Capture, Monitor, Retrain

__all__ = [
    "PRESET_KEYS",
    "ROLES",
    "Against",
    "Capture",
    "Dataset",
    "Evaluate",
    "Finetune",
    "Fractions",
    "Gate",
    "Grouping",
    "Ingest",
    "Monitor",
    "Params",
    "Preprocess",
    "Pretrain",
    "Project",
    "Retrain",
    "Task",
    "Train",
    "Transfer",
    "Validate",
]


@dataclass(frozen=True, kw_only=True)
class Project(Section):
    """Names and the seed."""

    name: str
    """Stem of the registered models: NAME-backbone and NAME-classifier."""
    seed: int = 0
    """Decides every random choice of a run; 0 … 2**63 - 1."""
    deterministic: bool = False
    """On a GPU: whether the same run gives the same weights bit for bit, as it does on a CPU anyway. Takes time."""
    task: Task = "classify"
    """What an image is labelled with: one class, any number of them (`multilabel`), none included, or boxes around
    objects (`detect`), each of a class."""
    preset: str | None = None
    """Name of an entry of `presets`: values for the three recipes. Set for one run it comes before those in the
    recipes; written beside them it must not differ from them. Null set for one run leaves the recipes the values that
    the written preset gave them."""

    def __post_init__(self) -> None:
        names.check("name", self.name)
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed = {self.seed} is outside 0 … {2**63 - 1}")


@dataclass(frozen=True, kw_only=True)
class Params(Section):
    """All of `params.yaml`."""

    project: Project
    datasets: dict[str, Dataset]
    ingest: Ingest
    validate: Validate
    preprocess: Preprocess
    pretrain: Pretrain
    transfer: Transfer
    finetune: Finetune
    evaluate: Evaluate
    gate: Gate
    train: Train = field(default_factory=Train)
    capture: Capture = field(default_factory=Capture)
    monitor: Monitor = field(default_factory=Monitor)
    retrain: Retrain = field(default_factory=Retrain)

    def task_of(self, use: str) -> Task:
        """How the labels of a data set are meant."""
        return self.dataset(use).task or self.project.task

    def dataset(self, use: str) -> Dataset:
        """A data set of the project. Raises ProjectError where it has none of that name."""
        if use not in self.datasets:
            raise ProjectError(f"{use}: this project has no such data set; params.yaml has {', '.join(self.datasets)}")
        return self.datasets[use]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.datasets) - {"source", "target"})
        if unknown:
            raise ValueError(f"datasets.{unknown[0]}: a project has the data sets source and target, no others")
        for name, dataset in self.datasets.items():
            if dataset.raw == "external" and not Path(dataset.images).is_absolute():
                raise ValueError(
                    f"datasets.{name}.images = {dataset.images!r}: name an external folder by its full path"
                )
            if dataset.raw == "raw" and Path(dataset.images) != Path("data/raw", name):
                raise ValueError(
                    f"datasets.{name}.images = {dataset.images!r}: images under DVC lie in data/raw/{name}; for a "
                    f"folder elsewhere set datasets.{name}.raw to external"
                )
        if "target" not in self.datasets:
            raise ValueError("datasets has no target: name the images that the model shall learn")
        if self.evaluate.wanted_precision is not None and self.task_of("target") == "classify":
            raise ValueError(
                "evaluate.wanted_precision is for several labels and for boxes: of one class per image each has an "
                "answer; evaluate.wanted_accuracy says how sure one must be"
            )
