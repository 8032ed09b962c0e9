"""Findings about images that resemble one another: copies, contradictions, leaks, and groups that nobody named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.manifest import CROWD, OK, pictures
from sightline.data.quality.finding import Finding, together, usable
from sightline.words import counted, tally

if TYPE_CHECKING:
    import pandas as pd

    from sightline.params import Validate


def identical(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Files with the same bytes under one label; those under several are no copies to keep one of."""
    del limits
    found = rows[rows["sha256"].duplicated(keep=False) & rows["width"].notna()]
    found = found[found.groupby("sha256")["label"].transform("nunique") <= 1]
    groups = found["sha256"].nunique()
    said = f"{counted(groups, 'picture')} stored more than once, byte for byte ({counted(len(found), 'file')})."
    return _finding("copies", "Exact copies", found, "sha256", f"{said} Copies count double: keep one of each.")


def near(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Pictures that are there in several sizes, compressions, crops or turns."""
    del limits
    found = _alike(rows)
    groups = found["alike"].nunique()
    said = (
        f"{counted(groups, 'picture')} stored in several sizes, compressions, crops or turns "
        f"({counted(len(found), 'file')})."
    )
    kept = "The copies of a picture share a group, and so stay in one role."
    return _finding("near-copies", "Near copies", found, "alike", f"{said} {kept}")


def contradictions(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Look for copies, exact or near, with different labels."""
    del limits
    known = _pictures(rows[rows["label"].notna()])
    found = known[known.groupby("picture")["label"].transform("nunique") > 1]
    said = f"{counted(found['picture'].nunique(), 'picture')} stored under more than one label."
    advice = "Exact copies of this kind are in quarantine, near ones are not. Decide for one label each."
    return _finding("contradictions", "Contradicting labels", found, "picture", f"{said} {advice}")


def leaks(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Look for copies of one picture on both sides of a split."""
    del limits
    known = _pictures(rows)
    known["side"] = known["role"].fillna(known["split"])
    found = known[known.groupby("picture")["side"].transform("nunique") > 1]
    out = int((~found["status"].eq(OK)).sum())
    said = (
        f"{counted(found['picture'].nunique(), 'picture')} stored on both sides of a split, as copies or near copies."
    )
    advice = f"Left out for it, or for another reason: {out:,} of {counted(len(found), 'file')}."
    return _finding("leaks", "Leaks between the splits", found, "picture", f"{said} {advice}")


def large_groups(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Near copies that make up more than the share `large_group` of the set: a scene, or a mistake of ours."""
    found = _alike(rows)
    size = found.groupby("alike")["path"].transform("size")
    found = found[size > max(limits.large_group * len(usable(rows)), 4)]
    largest = int(size.max()) if len(found) else 0
    said = f"{counted(found['alike'].nunique(), 'group')} of near copies above {limits.large_group:.1%} of the set."
    advice = f"The largest holds {largest:,} images, all bound to one role: is it one scene, or a plain background?"
    return _finding("large-groups", "Large groups of near copies", found, "alike", f"{said} {advice}")


def _pictures(rows: pd.DataFrame) -> pd.DataFrame:
    """Files that are copies of others, exact or near, with the name of the `picture` that they show."""
    known = rows[rows["width"].notna()]
    known = known.assign(picture=pictures(known))
    return known[known["picture"].duplicated(keep=False)]


def crowds(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images that are as alike as copies, too many or of too many labels to be any."""
    del limits
    images = usable(rows).dropna(subset="alike")
    found = images[images["alike"].str.startswith(CROWD)]
    sizes = found["alike"].value_counts()
    if found.empty:
        return None
    labels = found.loc[found["alike"] == sizes.index[0], "label"].value_counts()
    largest = tally({str(name): int(number) for name, number in labels.items()})
    said = (
        f"{counted(len(sizes), 'group')} of images as alike as copies are, and no copies of one another; the largest "
        f"holds {largest}. Each image has a role of its own, as is right for parts of one kind before one camera. If "
        "they are shots of one object, or frames of one scene, name their group in labels.csv."
    )
    return _finding("crowds", "Alike, but no copies", found, "alike", said)


def _alike(rows: pd.DataFrame) -> pd.DataFrame:
    found = usable(rows).dropna(subset="alike")
    found = found[~found["alike"].str.startswith(CROWD)]
    return found[found["alike"].duplicated(keep=False)]


def _finding(name: str, title: str, found: pd.DataFrame, key: str, sentence: str) -> Finding | None:
    if found.empty:
        return None
    return Finding(name, title, sentence, int(found[key].nunique()), together(found, key))
