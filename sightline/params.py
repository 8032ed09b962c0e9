"""What `params.yaml` may say: a frozen dataclass for each section, with the meaning and the limits of its values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from sightline import names
from sightline.recipe import STRICT, Recipe

ROLES = ("train", "val", "calib", "test")
Task = Literal["classify", "multilabel", "detect"]
"""What there is to learn of an image: `heads` has one implementation for each."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Base of every section: unknown keys and wrong types are errors."""

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT


@dataclass(frozen=True, kw_only=True)
class Project(Section):
    """Names and the seed."""

    name: str
    """Stem of the registered models: NAME-backbone and NAME-classifier."""
    seed: int = 0
    """Decides every random choice of a run."""
    deterministic: bool = False
    """On a GPU: whether the same run gives the same weights bit for bit, as it does on a CPU anyway. Takes time."""
    task: Task = "classify"
    """What an image is labelled with: one class, any number of them (`multilabel`), none included, or boxes around
    objects (`detect`), each of a class."""
    preset: str | None = None
    """Name of an entry of `presets`: values for the three recipes. Set for one run it comes before those in the
    recipes; written beside them it must not differ from them."""

    def __post_init__(self) -> None:
        names.check("name", self.name)


@dataclass(frozen=True, kw_only=True)
class Fractions(Section):
    """Shares of the four roles; they sum to 1."""

    train: float
    val: float
    calib: float = 0.0
    test: float = 0.0

    def __post_init__(self) -> None:
        values = [getattr(self, role) for role in ROLES]
        if min(values) < 0 or abs(sum(values) - 1) > 1e-6 or self.train == 0 or self.val == 0:
            raise ValueError(f"roles {dict(zip(ROLES, values, strict=True))} must sum to 1, with train and val above 0")


@dataclass(frozen=True, kw_only=True)
class Grouping(Section):
    """Which images belong together where no table names their group."""

    pattern: str | None = None
    """Regular expression searched in the path below the raw folder; its brackets name the group."""
    burst: float | None = None
    """Shots of one camera at most so many seconds apart, by EXIF, belong together."""

    def __post_init__(self) -> None:
        if self.burst is not None and self.burst < 0:
            raise ValueError(f"group.burst = {self.burst:g} must be at least 0 seconds, or null")
        if self.pattern is None:
            return
        try:
            brackets = re.compile(self.pattern).groups
        except re.error as error:
            raise ValueError(f"group.pattern {self.pattern!r} is no regular expression: {error}") from None
        if not brackets:
            raise ValueError(f"group.pattern {self.pattern!r} needs brackets around what names the group")


@dataclass(frozen=True, kw_only=True)
class Dataset(Section):
    """One data set of the project."""

    images: str
    """Folder of the raw images: data/raw/NAME, or an absolute path where they are external."""
    roles: Fractions
    """Shares of the roles, by hash of the group."""
    raw: Literal["raw", "external"] = "raw"
    """`raw`: the images lie in data/raw/NAME, under DVC. `external`: their folder stays where it is, for sets too large
    to copy; the manifest's digests are their version, and `dvc pull` cannot bring them back."""
    group: Grouping = field(default_factory=Grouping)
    """Images of one group stay on one side of every split."""
    task: Task | None = None
    """How its labels are meant, where not as `project.task` says: a source may have one class for each image."""
    train_per_class: int | None = None
    """Keep at most so many training images per class (the rest is held back): a few-shot experiment."""

    def __post_init__(self) -> None:
        if self.train_per_class is not None and self.train_per_class < 1:
            raise ValueError(f"train_per_class = {self.train_per_class} must be at least 1, or null for all")


@dataclass(frozen=True, kw_only=True)
class Ingest(Section):
    """Limits for reading files."""

    max_megapixels: float = 25.0
    """Larger images are quarantined before they are decoded."""
    max_megabytes: float = 64.0
    """Larger files are quarantined unread."""
    max_seconds: float = 20.0
    """A file that takes more computing time than this to decode is quarantined."""
    max_memory: float = 320.0
    """A file is quarantined if reading and decoding it takes more than so many MB."""

    def __post_init__(self) -> None:
        if not 0 < self.max_megapixels <= 89:
            raise ValueError(f"max_megapixels = {self.max_megapixels:g} is outside 0 … 89: beyond, Pillow sees a bomb")
        if min(self.max_megabytes, self.max_seconds, self.max_memory) <= 0:
            raise ValueError("max_megabytes, max_seconds and max_memory must be above 0")

    @property
    def max_pixels(self) -> float:
        """`max_megapixels`, in pixels."""
        return self.max_megapixels * 1e6


@dataclass(frozen=True, kw_only=True)
class Against(Section):
    """Largest changes against the version that `sightline data baseline` accepted; smaller ones are told."""

    new_classes: int = 0
    """Classes that it does not have."""
    lost_classes: int = 0
    """Classes that it has and that are gone."""
    loss: float = 0.5
    """Share of a class's images by which their number may fall."""
    shift: float = 0.25
    """Distance of a distribution (classes, formats, modes, sizes …): 0 = alike, 1 = nothing in common."""


@dataclass(frozen=True, kw_only=True)
class Validate(Section):
    """What a data set must fulfil before anything is trained on it."""

    min_images_per_class: int = 2
    """Fewest images of each class in each role that the data set uses."""
    min_side: int = 8
    """Shortest side that an image may have, pixels."""
    max_side: int = 8192
    """Longest side that an image may have, pixels."""
    modes: list[str] = field(default_factory=lambda: ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B"])
    """Pillow's modes that are accepted."""
    max_quarantined: float = 0.05
    """Largest share of files that may be quarantined."""
    max_blank: float = 0.05
    """Largest share of usable images that may be blank."""
    blank: float = 0.01
    """Told: images whose grey levels spread less than this (standard deviation; black is 0, white 1)."""
    dark: float = 0.1
    """Told: images of which 95 % of the pixels are darker than this."""
    bright: float = 0.8
    """Told: images of which 95 % of the pixels are brighter than this."""
    blurred: float = 0.25
    """Told: images less than this many times as sharp as the median."""
    little_to_see: float = 0.5
    """Told: images with less than this many times the median entropy of the grey levels."""
    odd_size: float = 4.0
    """Told: images whose side is more than this many times larger or smaller than the median."""
    odd_shape: float = 2.0
    """Told: images more than this many times wider or taller, for their size, than the median."""
    imbalance: float = 20.0
    """Told: the largest class has more than this many times the images of the smallest."""
    shortcut: float = 0.95
    """Told: a class that size, brightness, format … alone tells with at least this balanced accuracy."""
    ungrouped: float = 0.6
    """Told: at least this share of images without a group resembles the next file (0.5 by chance)."""
    large_group: float = 0.01
    """Told: groups of near copies above this share of the set."""
    baseline: Against = field(default_factory=Against)
    """Where a version was accepted as the baseline: what later ones must keep."""

    def __post_init__(self) -> None:
        if not 1 <= self.min_side <= self.max_side:
            raise ValueError(f"min_side = {self.min_side} and max_side = {self.max_side} leave no image: give 1 … 8192")
        for name in ("max_quarantined", "max_blank"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} = {getattr(self, name):g} is no share between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Preprocess(Section):
    """How images become training data."""

    size: int = 64
    """Height and width of the stored images, pixels."""
    fit: Literal["auto", "squeeze", "fold", "pad", "crop"] = "auto"
    """How images become square: both sides to `size` each by itself; long images cut into pieces that lie side by side;
    the longer side to `size` and the rest filled with the image's mirrored edges; or the largest square in the middle.
    `auto`: `fold` for a set in which one image in ten is more than twice as long as wide, or as wide as long, else
    `squeeze`."""
    store: Literal["raw", "jpeg"] = "raw"
    """How training images are stored: as pixels, or as JPEGs where pixels would not fit the disk: a tenth of the room,
    half of the speed. Images of the other roles are always stored as pixels."""
    quality: int = 90
    """Of the JPEGs."""

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 1024:
            raise ValueError(f"size = {self.size} is outside 8 … 1024 pixels")
        if not 50 <= self.quality <= 100:
            raise ValueError(f"quality = {self.quality} is outside 50 … 100")


@dataclass(frozen=True, kw_only=True)
class Pretrain(Section):
    """The backbone."""

    network: str
    """`cnn` (small images), any classification network of torchvision, such as resnet18, or timm:NAME of timm."""
    recipe: Recipe
    init: str | None = None
    """Start from a backbone that comes with Sightline (embedded:fractals), a torchvision weights name
    (ResNet18_Weights.IMAGENET1K_V1), timm:NAME or hf-hub:USER/NAME, a .pt/.safetensors file, a registered version
    (registry:NAME/VERSION or registry:NAME@alias), or the present `champion`, for a warm start."""


@dataclass(frozen=True, kw_only=True)
class Transfer(Section):
    """The linear head on frozen features."""

    penalties: list[float] = field(default_factory=lambda: [1e-3, 1e-2, 1e-1, 1.0, 10.0])
    """L2 penalties to try; cross-validation on the training images picks one."""


@dataclass(frozen=True, kw_only=True)
class Finetune(Section):
    """Both target runs: from the backbone with its fitted head (LP-FT), and from scratch."""

    recipe: Recipe
    scratch: Recipe


@dataclass(frozen=True, kw_only=True)
class Evaluate(Section):
    """The report on the test release."""

    release: str = "r1"
    """Name of the test release; its images are fixed at first use."""
    kept: float = 0.95
    """Share of a release's images that must still be there: without the others it goes on, and names them. `--set`
    writes it into params.yaml."""
    wanted_accuracy: float = 0.99
    """Share of right ones among the answers that are sure enough; the others are told as `abstain`."""

    def __post_init__(self) -> None:
        names.check("release", self.release)
        if not 0.5 <= self.kept <= 1:
            raise ValueError(f"kept = {self.kept:g} is outside 0.5 … 1: a release that lost half is another one")
        if not 0.5 <= self.wanted_accuracy < 1:
            raise ValueError(f"wanted_accuracy = {self.wanted_accuracy:g} is outside 0.5 … 1: no model is always right")


@dataclass(frozen=True, kw_only=True)
class Gate(Section):
    """What a version must show to become champion. Which checks there are is no value: none can be switched off."""

    min_accuracy: float = 0.5
    """The first champion is right in at least this share of the test images …"""
    min_gain_over_majority: float = 0.05
    """… and beats the answer "always the most frequent class" by at least this."""
    alpha: float = 0.05
    """Chance that any of all candidates is promoted without being better; at most 0.05. Promotions earn another."""
    margin: float = 0.01
    """What `no_worse` means: worse by less than this share of the images; 0.01 is one point."""
    new_traffic: float | None = None
    """Share of the answers asked for images like the newly labelled ones: then the weighted sum is judged too."""
    robust_margin: float = 0.05
    """Share of the corrupted images that may be lost against the champion; blocks where a larger loss is shown."""
    approval: bool = False
    """Whether the promotion flow pauses for a person once all checks have passed."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.05:
            raise ValueError(f"alpha = {self.alpha:g} is outside 0 … 0.05: the gate can be made stricter, not laxer")
        if not 0 < self.margin <= 0.05:
            raise ValueError(f"margin = {self.margin:g} is outside 0 … 0.05, the share of images that may be lost")
        if self.new_traffic is not None and not 0 < self.new_traffic < 1:
            raise ValueError(f"new_traffic = {self.new_traffic:g} is no share between 0 and 1")
        if not 0 < self.robust_margin <= 0.2:
            raise ValueError(f"robust_margin = {self.robust_margin:g} is outside 0 … 0.2, the share that may be lost")
        if not (0 <= self.min_accuracy <= 1 and 0 <= self.min_gain_over_majority <= 1):
            raise ValueError("min_accuracy and min_gain_over_majority are shares between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Train(Section):
    """How training uses the machine; decides nothing that is learned, but for rounding and dropout."""

    workers: int = 1
    """Processes that train one network together, each with a part of every batch and, where there are GPUs, its own."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 1024:
            raise ValueError(f"workers = {self.workers} is outside 1 … 1024 processes")


@dataclass(frozen=True, kw_only=True)
class Capture(Section):
    """What `sightline serve` records of its answers; decides nothing that is learned."""

    keep: Literal["none", "figures", "thumbnails", "images"] = "figures"
    """Nothing; what was answered, with features and statistics of the image; a small picture too; the file itself."""
    days: int = 90
    """Older ones are removed."""
    share: float = 1.0
    """Of the requests, drawn by their ids."""
    folder: str = "captured"
    """Below the project, or an address that fsspec knows, such as s3://bucket/path."""

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"capture.days = {self.days} must be at least 1; capture.keep: none records nothing")
        if not 0 < self.share <= 1:
            raise ValueError(f"capture.share = {self.share:g} is outside 0 … 1; capture.keep: none records nothing")
        if not self.folder.strip():
            raise ValueError("capture.folder is empty: name a folder, or an address such as s3://bucket/path")


@dataclass(frozen=True, kw_only=True)
class Monitor(Section):
    """How captured answers are watched; decides nothing that is learned."""

    alpha: float = 0.01
    """Chance of ever an alarm while nothing shifts; each one that is acknowledged adds half of the one before."""
    interval: float = 60.0
    """Seconds in which one image of a camera enters the bet: a burst is no evidence."""
    audit: float = 0.02
    """Share of the images that are drawn to be labelled: their labels alone say whether accuracy fell."""
    harm_margin: float = 0.02
    """Share of wrong answers, beyond what the reference allows, that is no harm yet."""
    alerts: list[str] = field(default_factory=list)
    """Prefect's notification blocks that are told of each alarm once, such as slack-webhook/ops."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.1:
            raise ValueError(f"monitor.alpha = {self.alpha:g} is outside 0 … 0.1, the chance of a false alarm")
        if not 0 <= self.interval <= 86_400:
            raise ValueError(f"monitor.interval = {self.interval:g} is outside 0 … 86400 seconds")
        if not 0 < self.audit <= 1:
            raise ValueError(f"monitor.audit = {self.audit:g} is no share between 0 and 1")
        if not 0 < self.harm_margin <= 0.5:
            raise ValueError(f"monitor.harm_margin = {self.harm_margin:g} is outside 0 … 0.5, a share of the images")


@dataclass(frozen=True, kw_only=True)
class Retrain(Section):
    """When `train/on-signal` and `train/nightly` train; `sightline why-retrain` tells what they would do now."""

    new_labels: float = 0.1
    """New labels are a reason once they are this share of the images that the last training learned from."""
    age: float = 90.0
    """Days after which any new label is a reason."""
    drop: float = 0.02
    """Estimated loss of accuracy that is a reason while the monitor's alarm stands."""
    cooldown: float = 12.0
    """Hours between the beginnings of two trainings."""
    hours: float = 50.0
    """Of training within 30 days."""
    chance: float = 0.1
    """That the test release shows the hoped-for gain: below it a training could come to nothing."""

    def __post_init__(self) -> None:
        if not 0 < self.new_labels <= 10:
            raise ValueError(f"retrain.new_labels = {self.new_labels:g} is outside 0 … 10, a share of the images")
        if not 0 < self.drop <= 1:
            raise ValueError(f"retrain.drop = {self.drop:g} is outside 0 … 1, a loss of accuracy")
        if min(self.age, self.cooldown, self.hours) < 0:
            raise ValueError("retrain.age, retrain.cooldown and retrain.hours are not below 0")
        if not 0 <= self.chance < 1:
            raise ValueError(f"retrain.chance = {self.chance:g} is outside 0 … 1")


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
        return self.datasets[use].task or self.project.task

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
