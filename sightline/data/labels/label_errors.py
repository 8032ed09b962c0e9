"""Likely label errors: labels that other images contradict.

A linear classifier on frozen features predicts each image without having seen it or its group; `noise` tells from that
how likely each label is wrong. The most suspect ones are left out and the whole is done once more: a classifier that
learned from fewer errors sees the others more clearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sightline.data.labels import noise
from sightline.data.quality.finding import Finding, WrongLabel, singles
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.words import counted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FOLDS = 5
ROUNDS = 2
UNSEEN = 0.1
"""Share of the images beyond which doubts about one of several labels say that the features do not show it."""
LEAST = 0.2
"""Chance that a label is wrong from which somebody should look at it: four in five that are told are errors where these
are random, and more where one class is taken for another."""
STRENGTH = 0.03
"""Inverse of the L2 penalty on standardised features: weak enough that a wrong label is not learned by heart."""


@dataclass(frozen=True)
class Suspect:
    """An image whose label is probably wrong."""

    position: int
    """Row of the features."""
    given: str
    likely: str
    """The most probable label."""
    doubt: float
    """Probability of the likely label minus that of the given one, out of fold."""


def suspects(
    features: Floats, labels: NDArray[np.object_], groups: NDArray[np.object_], seed: int = 0
) -> list[Suspect]:
    """Find likely label errors among N images, the most doubtful first.

    `features` (N, D) are frozen: made without these labels. `labels` and `groups` are N names; a group is held out as
    one. Images of classes with fewer than FOLDS groups are left out: too little is known to judge them. Empty where
    fewer than two classes remain.
    """
    known = _judged(labels, groups)
    names, given = np.unique(labels[known].astype(str), return_inverse=True)
    if len(names) < 2:  # noqa: PLR2004
        return []
    trusted = np.ones(len(known), dtype=bool)
    for _ in range(ROUNDS):
        probabilities = _out_of_fold(features[known], given, groups[known], trusted, seed)
        wrong = noise.chances(given, probabilities) >= LEAST
        trusted = ~wrong
    likely = probabilities.argmax(1)
    rows = np.arange(len(known))
    doubt = probabilities[rows, likely] - probabilities[rows, given]
    found = np.flatnonzero(wrong & (likely != given))
    order = found[np.argsort(-doubt[found], kind="stable")]
    return [Suspect(int(known[at]), names[given[at]], names[likely[at]], round(float(doubt[at]), 4)) for at in order]


def find_label_errors(rows: pd.DataFrame, features: Floats, task: str = CLASSIFY) -> Finding | None:
    """Look for likely label errors among the images of the manifest's `rows` (N), described by `features` (N, D).

    Of several labels each is asked about by itself; a class that the features do not show is not.
    """
    groups = rows["group"].fillna(rows["sha256"]).to_numpy(dtype=object)
    labels = LABELS[task]
    most = UNSEEN * len(rows) if labels.are_sets else len(rows)
    asked = [suspects(features, answers, groups) for answers in labels.questions(rows["label"])]
    found = [one for suspected in asked if len(suspected) <= most for one in suspected]
    return finding(rows, sorted(found, key=lambda one: -one.doubt))


def finding(rows: pd.DataFrame, found: list[Suspect]) -> Finding | None:
    """Tell the suspects; their positions are those of `rows`, which have a `path`."""
    if not found:
        return None
    pairs = pd.Series([f"{one.given} → {one.likely}" for one in found]).value_counts()
    listed = ", ".join(f"{pair} ({number})" for pair, number in pairs.head(5).items())
    sentence = (
        f"{counted(len(found), 'label')} of {len(rows):,} {'is' if len(found) == 1 else 'are'} probably wrong, given → "
        f"likely: {listed}. Look at them, the most doubtful first: some are merely unusual images."
    )
    paths = rows["path"].to_numpy()
    labels = tuple(
        WrongLabel(path=str(paths[one.position]), given=str(one.given), likely=str(one.likely), doubt=one.doubt)
        for one in found
    )
    images = list(dict.fromkeys(one.path for one in labels))
    return Finding("labels", "Likely label errors", sentence, len(images), singles(images), labels=labels)


def _judged(labels: NDArray[np.object_], groups: NDArray[np.object_]) -> NDArray[np.intp]:
    """Positions of the images of classes with enough groups to hold some out."""
    table = pd.DataFrame({"label": labels, "group": groups})
    return np.flatnonzero((table.groupby("label")["group"].transform("nunique") >= FOLDS).to_numpy())


def _out_of_fold(
    features: Floats, given: NDArray[np.intp], groups: NDArray[np.object_], trusted: NDArray[np.bool_], seed: int
) -> Floats:
    """Probabilities (N, K) of each image by classifiers that saw neither it nor its group, nor what is not trusted."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    probabilities = np.zeros((len(given), given.max() + 1))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    # Thousands of products, each small: threads that share one wait for one another, for minutes on a busy machine.
    with threadpool_limits(1):
        for inside, outside in folds.split(features, given, groups):
            seen = inside[trusted[inside]]
            model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=500))
            model.fit(features[seen], given[seen])
            probabilities[np.ix_(outside, model.classes_)] = model.predict_proba(features[outside])
    return probabilities
