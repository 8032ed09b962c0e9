"""Findings about classes: how uneven they are, and whether something other than the picture tells one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sightline.data.quality.finding import LOOK, Finding, enough, singles, usable
from sightline.words import counted

if TYPE_CHECKING:
    from sightline.params import Validate

LEAST = 10
"""Fewer images of a class than this show no shortcut."""
NAMED = 5
"""Shortcuts that the sentence names before it counts the others."""


def imbalance(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Compare the largest class with the smallest."""
    counts = usable(rows)["label"].value_counts()
    if len(counts) < 2 or counts.iloc[0] <= limits.imbalance * counts.iloc[-1]:  # noqa: PLR2004
        return None
    few, many = counts.index[-1], counts.index[0]
    sentence = (
        f"{many} has {counted(counts.iloc[0], 'image')}, {few} {counted(counts.iloc[-1], 'image')}: "
        f"{counts.iloc[0] / counts.iloc[-1]:.0f} times fewer. Collect more of {few}, and look at the recall by class."
    )
    images = usable(rows)
    paths = images.loc[images["label"] == few, "path"]
    return Finding("imbalance", "Uneven classes", sentence, 1, singles(paths))


def shortcuts(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Classes that size, shape, brightness, format, colour mode or camera alone tell from the others."""
    images = enough(usable(rows).dropna(subset="label"))
    if images["label"].nunique() < 2:  # noqa: PLR2004
        return None
    scores = _scores(images)
    best = scores.max(axis=1).sort_values(ascending=False, kind="stable")
    found = best[best >= limits.shortcut]
    if found.empty:
        return None
    facts = scores.idxmax(axis=1)[found.index]
    classes = [f"{one} by its {fact} ({score:.0%})" for one, fact, score in zip(found.index, facts, found, strict=True)]
    classes = classes[:NAMED]
    if len(found) > NAMED:
        classes.append(f"and {len(found) - NAMED} more")
    sentence = (
        f"Told from the other classes without a look at the object: {'; '.join(classes)}, by balanced "
        "accuracy. A network learns such a shortcut first, and fails where it does not hold: take the images of all "
        "classes in the same way."
    )
    inside = images.drop_duplicates("label").set_index("label")["path"]
    pairs = tuple((inside[label], inside[inside.index != label].iloc[0]) for label in found.index[:LOOK])
    return Finding("shortcuts", "Shortcuts", sentence, len(found), pairs)


def _scores(images: pd.DataFrame) -> pd.DataFrame:
    """Balanced accuracy with which each fact (columns) tells each common class (rows) from all others."""
    width, height = images["width"].astype(float), images["height"].astype(float)
    numbers = {
        "size": width * height,
        "shape": width / height,
        "brightness": images["brightness"].astype(float),
    }
    scores = pd.DataFrame({name: _by_threshold(values, images["label"]) for name, values in numbers.items()})
    for column, name in {"format": "format", "mode": "colour mode", "camera": "camera"}.items():
        scores[name] = _by_value(images[column], images["label"])
    counts = images["label"].value_counts()
    return scores.loc[sorted(counts.index[(counts >= LEAST) & (len(images) - counts >= LEAST)])]


def _by_threshold(values: pd.Series, labels: pd.Series) -> pd.Series:
    """Best threshold for each class: 1/2 + D/2, D the Kolmogorov-Smirnov distance of the class from the others."""
    size, total = labels.map(labels.value_counts()).astype(float), len(values)
    grouped = values.groupby(labels)
    # How many values lie up to each one, and how many before it: in its class, and in all.
    after = grouped.rank(method="max"), values.rank(method="max")
    before = grouped.rank(method="min") - 1, values.rank(method="min") - 1
    best = pd.Series(0.0, index=values.index)
    for inside, everywhere in (after, before):
        apart = inside / size - (everywhere - inside) / (total - size)
        best = best.where(best > apart.abs(), apart.abs())
    return 0.5 + best.groupby(labels).max() / 2


def _by_value(values: pd.Series, labels: pd.Series) -> pd.Series:
    """Best set of values for each class: those that are more frequent in it than among the others."""
    counts = pd.crosstab(labels, values.fillna(""))
    inside, outside = counts, counts.sum() - counts
    apart = inside.div(inside.sum(axis=1), axis=0) - outside.div(outside.sum(axis=1), axis=0)
    return 0.5 + apart.abs().sum(axis=1) / 4
