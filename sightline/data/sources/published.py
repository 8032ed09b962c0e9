"""Classification sets that torchvision knows by name (`torchvision:EuroSAT`), made class folders once.

`torchvision:NAME` looks in CACHE, `torchvision:NAME@FOLDER` in a folder of yours, as torchvision itself lays it out.
"""

from __future__ import annotations

import difflib
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.data.sources.copying import Left, as_name, clone
from sightline.data.sources.entries import why_closed
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "torchvision:"
CACHE = "~/.cache/sightline/torchvision"

Splits = dict[str, dict[str, Any]]
WHOLE: Splits = {"": {}}
BY_FLAG: Splits = {"train": {"train": True}, "test": {"train": False}}


def _by_name(**splits: str) -> Splits:
    return {ours: {"split": theirs} for ours, theirs in splits.items()}


SETS: dict[str, Splits] = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST", "QMNIST", "USPS"), BY_FLAG),
    **dict.fromkeys(("Caltech101", "Caltech256", "EuroSAT", "SEMEION", "SUN397"), WHOLE),
    **dict.fromkeys(
        ("FER2013", "Food101", "GTSRB", "LFWPeople", "STL10", "SVHN", "StanfordCars"),
        _by_name(train="train", test="test"),
    ),
    **dict.fromkeys(
        ("DTD", "FGVCAircraft", "Flowers102", "PCAM", "RenderedSST2"), _by_name(train="train", val="val", test="test")
    ),
    **dict.fromkeys(("CLEVRClassification", "ImageNet", "Imagenette"), _by_name(train="train", val="val")),
    "Country211": _by_name(train="train", val="valid", test="test"),
    "EMNIST": {name: {"split": "balanced", **flag} for name, flag in BY_FLAG.items()},
    "INaturalist": {"train": {"version": "2021_train"}, "val": {"version": "2021_valid"}},
    "OxfordIIITPet": _by_name(train="trainval", test="test"),
    "Omniglot": {"train": {"background": True}, "test": {"background": False}},
    "Places365": _by_name(train="train-standard", val="val"),
}
"""Set → our splits of it → what torchvision's class is asked for."""


def check(given: str, *, download: bool) -> None:
    """Raise DataError where the set is unknown, or is not at hand and may not, or cannot, be downloaded."""
    next(_parts(given, download=download))


def write(given: str, folder: Path, *, download: bool) -> Left:
    """Write the set to `folder`[/SPLIT]/CLASS/NNNNNN.EXT and return what was left out.

    Files that the set keeps as files are copied as they are; others are written as PNG, without loss. Raises
    DataError as `check` does.
    """
    left, root = Left(), os.path.realpath(_root(given))
    for split, dataset in _parts(given, download=download):
        names, files = _class_names(dataset), getattr(dataset, "samples", None) or getattr(dataset, "_samples", None)
        for number in range(len(dataset)):
            file, target = files[number] if files else dataset[number]
            label = names[int(target)] if names else str(int(target))
            place = folder / split / as_name(label) / f"{number:06d}"
            place.parent.mkdir(parents=True, exist_ok=True)
            if not files:
                file.save(place.with_suffix(".png"))
            elif reason := why_closed(file, root) or clone(Path(file), place.with_suffix(Path(file).suffix.lower())):
                left[os.path.relpath(file, root)] = reason
    return left


def _parts(given: str, *, download: bool) -> Iterator[tuple[str, Any]]:
    """Our name of each split, and torchvision's data set."""
    name = given.removeprefix(PREFIX).partition("@")[0]
    if name not in SETS:
        lower = {known.lower(): known for known in SETS}
        close = [lower[one] for one in difflib.get_close_matches(name.lower(), lower, n=1)] or sorted(SETS)
        raise DataError(f"{given}: torchvision has no such classification set; did you mean {', '.join(close)}?")
    from sightline.models import operators

    operators.ensure()
    from torchvision import datasets

    kind, root = getattr(datasets, name), _root(given)
    may_load = {"download": download} if "download" in inspect.signature(kind.__init__).parameters else {}
    if download:
        root.mkdir(parents=True, exist_ok=True)
    for split, arguments in SETS[name].items():
        try:
            yield split, kind(root, **arguments, **may_load)
        except (RuntimeError, OSError) as error:
            raise DataError(_missing(given, root, error, download=download)) from None


def _root(given: str) -> Path:
    return Path(given.partition("@")[2] or CACHE).expanduser()


def _missing(given: str, root: Path, error: Exception, *, download: bool) -> str:
    words = " ".join(str(error).split())
    if download:
        return f"{given} could not be downloaded ({words}): look at the network, or bring the files to {root} yourself"
    name = given.partition("@")[0]
    return f"{given} is not in {root} ({words}): add --download to fetch it, or name its folder as {name}@FOLDER"


def _class_names(dataset: Any) -> list[str]:
    names = getattr(dataset, "classes", None) or getattr(dataset, "categories", None)
    if names is None and (numbers := getattr(dataset, "class_to_idx", None)):
        names = sorted(numbers, key=numbers.__getitem__)
    return [str(name if isinstance(name, str) else name[0]) for name in names or ()]
