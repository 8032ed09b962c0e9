"""The stages of the training flow as tasks: the data made ready, then `sightline.train.chain` through the caches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sightline.data.reference import DataRef, describe
from sightline.data.versions.warm import one_process
from sightline.heads.labels import LABELS
from sightline.lineage import origin
from sightline.models.backend import start_ahead
from sightline.models.shipped import is_shipped
from sightline.processes import importing
from sightline.registry.backbones import fetched
from sightline.registry.learned import INIT
from sightline.tracking.versions import CHAMPION
from tasks.box_errors import find_box_errors
from tasks.finetuning import finetune, scratch
from tasks.ingestion import ingest
from tasks.labels import find_label_errors
from tasks.preprocessing import preprocess
from tasks.pretraining import pretrain
from tasks.promotion import register_backbone
from tasks.transfer import transfer
from tasks.validation import validate
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.evaluate.evaluation import Evaluated
    from sightline.params import Params, Pretrain, Transfer
    from sightline.project import Paths
    from sightline.recipe import Chance, Recipe
    from sightline.report.label_errors import LabelErrors
    from sightline.train.chain import Candidates
    from sightline.train.result import Trained
    from tasks.journal import Journal

FLOW = "flows.train"
"""Module whose import closure is the code of a version: all of the flow's tasks, evaluation and gate too."""
AHEAD = ("scipy.stats", "torch._dynamo", "sklearn.metrics")
"""What training and evaluation begin with: imported while another process does the data stages."""


@dataclass(frozen=True)
class Data:
    """The data sets of a run, ready for training."""

    target: DataRef
    source: DataRef | None

    @property
    def all(self) -> tuple[DataRef, ...]:
        """The source first, where there is one."""
        return (self.source, self.target) if self.source is not None else (self.target,)


@dataclass(frozen=True)
class Tasks:
    """Carries the stages out as tasks: what was done before comes from the cache."""

    journal: Journal
    data: Data
    init: str | None
    """The weights that the backbone begins with, as `pinned` names them."""

    def pretrain(self, params: Pretrain, chance: Chance) -> Trained:
        """The backbone, registered."""
        paths = self.journal.context.paths
        start = replace(params, init=fetched(paths, self.init))
        backbone = self.journal.cached(pretrain, data=self.data.source or self.data.target, params=start, chance=chance)
        tags = origin.data_tags(paths, self.data.source) | {"code": version_of(FLOW), **began_with(self.init)}
        self.journal.plain(register_backbone, backbone=backbone, tags=tags)
        return backbone

    def transfer(self, backbone: Trained, params: Transfer, augmentation: Recipe, chance: Chance) -> Trained:
        """A linear head on the frozen backbone."""
        return self.journal.cached(
            transfer, data=self.data.target, backbone=backbone, params=params, augmentation=augmentation, chance=chance
        )

    def finetune(self, head: Trained, recipe: Recipe, chance: Chance) -> Trained:
        """Backbone and head together."""
        return self.journal.cached(finetune, data=self.data.target, head=head, recipe=recipe, chance=chance)

    def scratch(self, network: str, recipe: Recipe, chance: Chance) -> Trained:
        """The network from random weights."""
        return self.journal.cached(scratch, data=self.data.target, network=network, recipe=recipe, chance=chance)


def prepare(journal: Journal, params: Params) -> Data:
    """Ingest, validate and preprocess every data set; nothing is trained before all of them have passed."""
    ready: dict[str, DataRef] = {}
    ahead = None
    with one_process():
        for use in sorted(params.datasets):
            manifest = journal.data(ingest, use)
            if not ready and journal.rows[-1].outcome == "ran":
                # Not earlier: until the first data set is read, all cores import.
                ahead = importing(*AHEAD)
            verdict = journal.data(validate, use)
            shards = journal.data(preprocess, use)
            ready[use] = describe(journal.context.paths, use, manifest.digest, verdict.digest, shards.digest)
    if ahead is not None:
        ahead.join()
    return Data(ready["target"], ready.get("source"))


def graph_ahead(journal: Journal) -> None:
    """Where something new was trained its version will need a graph: the process that writes it starts now."""
    if journal.rows[-1].outcome == "ran":
        start_ahead()


def label_errors_of(
    journal: Journal, params: Params, data: Data, trained: Candidates, tested: Evaluated
) -> LabelErrors:
    """Labels that look wrong by the features of a backbone that learned from photographs, not from these labels.

    Of boxes those that the answers of the best detector contradict: where an object is no frozen features tell.
    """
    if LABELS[data.target.task].are_boxes:
        return journal.cached(find_box_errors, data=data.target, detector=tested)
    init = params.pretrain.init or ""
    # What learned from formulas alone has not been shown to see more than colours and textures do.
    neutral = None if init == CHAMPION or (is_shipped(init) and data.source is None) else trained.backbone
    return journal.cached(find_label_errors, data=data.target, backbone=neutral)


def began_with(init: str | None) -> dict[str, str]:
    """The tag of a backbone that began with other weights."""
    return {INIT: init} if init else {}


def lineage_tags(paths: Paths, data: Data, trained: Candidates, choice: str, init: str | None) -> dict[str, str]:
    """What a version must remember of where it came from."""
    tags = {"choice": choice, "code": version_of(FLOW), **origin.data_tags(paths, *data.all)}
    if trained.backbone is not None:
        tags |= {"backbone.weights": trained.backbone.weights, "backbone.network": trained.backbone.network}
        tags |= began_with(init)
    return tags
