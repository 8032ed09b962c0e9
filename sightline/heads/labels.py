"""How a task reads the column `label` of a manifest: as one name, or as the names of a set.

A set is written as its names in their order with a semicolon between them; the empty one, "none of the classes shows",
as the semicolon alone. This module is what the data side knows of a task: it imports NumPy and nothing heavier.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

CLASSIFY, MULTILABEL = "classify", "multilabel"
SEPARATOR = ";"


def names_of(text: str) -> list[str]:
    """The names in a set, each once, in their order."""
    parts = (unicodedata.normalize("NFC", part.strip()) for part in text.split(SEPARATOR))
    return sorted({part for part in parts if part})


def joined(names: Iterable[str]) -> str:
    """A set of names as one text."""
    return SEPARATOR.join(sorted(set(names))) or SEPARATOR


def shown(label: str) -> str:
    """A label for people."""
    return "none of the classes" if label == SEPARATOR else label


def noted(task: str) -> dict[str, str]:
    """What a file says of its task: nothing of the first one, so that files from before there were others stay."""
    return {} if task == CLASSIFY else {"task": task}


class Labels(Protocol):
    """What a task makes of texts in the column `label`."""

    are_sets: bool
    """Whether an image may show several classes."""

    def spelled(self, text: str) -> str:
        """A label in its one spelling."""
        ...

    def normal(self, labels: pd.Series) -> pd.Series:
        """The texts in one spelling each; missing ones stay missing."""
        ...

    def names(self, text: str) -> list[str]:
        """The classes that a label names."""
        ...

    def each(self, labels: pd.Series) -> pd.Series:
        """One row for every name, with the index of its image; none for a missing label."""
        ...

    def agreed(self, texts: Sequence[str]) -> str | None:
        """What copies of one picture with these different labels all show; None where they contradict one another."""
        ...

    def fault(self, text: str) -> str | None:
        """Why the text of a set is no label here; None where it is one."""
        ...

    def targets(self, labels: pd.Series, classes: Sequence[str]) -> NDArray[np.generic]:
        """What a network of these classes is to answer, a row for each image."""
        ...

    def members(self, labels: pd.Series) -> dict[str, NDArray[np.bool_]]:
        """For each class, in order of names, which images (N,) are of it."""
        ...

    def questions(self, labels: pd.Series) -> list[NDArray[np.object_]]:
        """What may be wrong about the labels, each as an answer (N,) for every image."""
        ...


class OneName:
    """An image shows one class."""

    are_sets = False

    def spelled(self, text: str) -> str:
        """As it is."""
        return text

    def normal(self, labels: pd.Series) -> pd.Series:
        """As they are."""
        return labels

    def names(self, text: str) -> list[str]:
        """The text itself."""
        return [text]

    def each(self, labels: pd.Series) -> pd.Series:
        """As they are."""
        return labels.dropna()

    def agreed(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 — whatever they are
        """Nothing: two labels contradict one another."""
        return None

    def fault(self, text: str) -> str | None:
        """A set has exactly one name."""
        names = names_of(text)
        if len(names) == 1:
            return None
        said = f"{len(names)} labels ({', '.join(names)})" if names else "no class at all"
        return f"it has {said}, and one label per image is learned: set project.task to {MULTILABEL}"

    def targets(self, labels: pd.Series, classes: Sequence[str]) -> NDArray[np.int64]:
        """(N,) the number of each one's class."""
        position = {name: number for number, name in enumerate(classes)}
        return labels.map(position).to_numpy(dtype=np.int64)  # type: ignore[return-value]

    def members(self, labels: pd.Series) -> dict[str, NDArray[np.bool_]]:
        """By value."""
        values = sorted(labels.value_counts().index)
        return {str(value): (labels == value).fillna(value=False).to_numpy(dtype=bool) for value in values}

    def questions(self, labels: pd.Series) -> list[NDArray[np.object_]]:
        """Which class it is."""
        return [labels.to_numpy(dtype=object)]


class SetOfNames:
    """An image shows any number of classes, none included."""

    are_sets = True

    def spelled(self, text: str) -> str:
        """The names in their order, each once."""
        return joined(names_of(text))

    def normal(self, labels: pd.Series) -> pd.Series:
        """The names in their order, each once."""
        return labels.map(self.spelled, na_action="ignore").astype(labels.dtype)

    def names(self, text: str) -> list[str]:
        """Those of the set."""
        return names_of(text)

    def each(self, labels: pd.Series) -> pd.Series:
        """A row for each name; an image of the empty set has none."""
        return labels.dropna().map(names_of).explode().dropna().astype(labels.dtype)

    def agreed(self, texts: Sequence[str]) -> str | None:
        """All names: a file that lies in two class folders shows both."""
        return joined(name for text in texts for name in names_of(text))

    def fault(self, text: str) -> str | None:  # noqa: ARG002 — whatever it is
        """Every set is a label."""
        return None

    def targets(self, labels: pd.Series, classes: Sequence[str]) -> NDArray[np.uint8]:
        """(N, classes) 1 where an image shows the class."""
        return members_of(labels.tolist(), classes)

    def members(self, labels: pd.Series) -> dict[str, NDArray[np.bool_]]:
        """Of each name those in whose set it is."""
        classes = sorted(self.each(labels).unique().tolist())
        inside = members_of(labels.fillna(SEPARATOR).tolist(), classes).astype(bool)
        return {str(name): inside[:, number] for number, name in enumerate(classes)}

    def questions(self, labels: pd.Series) -> list[NDArray[np.object_]]:
        """Of each class whether it is there."""
        return [np.where(there, name, f"no {name}").astype(object) for name, there in self.members(labels).items()]


def members_of(texts: Sequence[str], classes: Sequence[str]) -> NDArray[np.uint8]:
    """(N, classes) 1 where a class is in the set of an image.

    Raises KeyError where a set holds another name.
    """
    position = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(texts), len(classes)), dtype=np.uint8)
    for row, text in enumerate(texts):
        found[row, [position[name] for name in names_of(text)]] = 1
    return found


LABELS: dict[str, Labels] = {CLASSIFY: OneName(), MULTILABEL: SetOfNames()}
"""Every task → how it reads labels."""
