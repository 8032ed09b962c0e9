"""What the boxes of a data set must fulfil: rules as those of `suite`, about the table of boxes beside the manifest.

Import it late: Great Expectations takes seconds to load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from great_expectations.expectations.metadata_types import FailureSeverity
from great_expectations.expectations.row_conditions import Column

from sightline.data.annotations.table import CUT, OK, QUARANTINED
from sightline.data.manifest import OK as IN_USE
from sightline.data.validation.suite import REMAKE, Demand, demand, gxe
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    import pandas as pd

    from sightline.params import Validate

TINY = 0.02
"""Share of the image's longer side below which a box is narrower than most networks see."""
MOST_TINY = 0.1
USABLE = Column("status").is_in([OK, CUT])
EDGES = (("x1", "x2"), ("y1", "y2"))


def frame(boxes: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The boxes of images in use, beside each the `longest` side of its image and its own shorter one as a share of it.

    The first bounds edges either way: the manifest has sides as they are stored, boxes lie in the upright image.
    """
    used = rows[rows["status"] == IN_USE]
    longest = used[["width", "height"]].max(axis=1).astype("float64")
    found = boxes.merge(used[["path"]].assign(longest=longest), on="path")
    sides = found[["x2", "y2"]].to_numpy() - found[["x1", "y1"]].to_numpy()
    return found.assign(share=sides.min(axis=1) / found["longest"])


def rules(limits: Validate, rows: pd.DataFrame, task: str) -> list[Demand]:
    """List the rules, the most basic first."""
    used = rows.loc[rows["status"] == IN_USE, "label"]
    classes = sorted(LABELS[task].each(used).unique().tolist())
    return [*_places(), *_boxes(classes), *_shares(limits)]


def _places() -> list[Demand]:
    """Of the edges of a box in its image."""
    return [
        *(
            demand(
                f"box-{high}-beyond-{low}",
                gxe.ExpectColumnPairValuesAToBeGreaterThanB,
                f"Every usable box has an area: its {high} is beyond its {low}.",
                f"{{n}} of {{of}} usable boxes {{have}} no area: {high} is not beyond {low}. {REMAKE}",
                column_A=high,
                column_B=low,
                row_condition=USABLE,
            )
            for low, high in EDGES
        ),
        *(
            demand(
                f"box-{low}-inside",
                gxe.ExpectColumnValuesToBeBetween,
                f"No usable box reaches out of its image at {low}.",
                f"{{n}} of {{of}} usable boxes {{are}} outside of the image at {low} ({{found}}). {REMAKE}",
                column=low,
                min_value=0,
                row_condition=USABLE,
            )
            for low, _ in EDGES
        ),
        *(
            demand(
                f"box-{high}-inside",
                gxe.ExpectColumnPairValuesAToBeGreaterThanB,
                f"No usable box reaches out of its image at {high}.",
                f"{{n}} of {{of}} usable boxes {{are}} outside of the image at {high}. {REMAKE}",
                column_A="longest",
                column_B=high,
                or_equal=True,
                row_condition=USABLE,
            )
            for _, high in EDGES
        ),
    ]


def _boxes(classes: list[str]) -> list[Demand]:
    """Of a box among the others."""
    return [
        demand(
            "box-class-known",
            gxe.ExpectColumnValuesToBeInSet,
            "Every usable box is of a class that the labels name.",
            f"{{n}} of {{of}} usable boxes {{are}} of a class that no label names ({{found}}). {REMAKE}",
            column="label",
            value_set=classes,
            row_condition=USABLE,
        ),
        demand(
            "box-once",
            gxe.ExpectCompoundColumnsToBeUnique,
            "No usable box is there twice.",
            f"{{n}} of {{of}} usable boxes are there twice, of one class at one place. {REMAKE}",
            column_list=["path", "label", "x1", "y1", "x2", "y2"],
            row_condition=USABLE,
        ),
    ]


def _shares(limits: Validate) -> list[Demand]:
    """Of all boxes together."""
    return [
        demand(
            "few-boxes-quarantined",
            gxe.ExpectColumnValuesToNotBeInSet,
            f"At most {limits.max_quarantined:.1%} of the boxes are in quarantine.",
            "{n} of {of} boxes {are} in quarantine: `sightline data boxes` tells why. Mend the annotations, or raise "
            f"validate.max_quarantined (now {limits.max_quarantined:g}).",
            column="status",
            value_set=[QUARANTINED],
            mostly=1 - limits.max_quarantined,
        ),
        demand(
            "few-boxes-tiny",
            gxe.ExpectColumnValuesToBeBetween,
            f"At most {MOST_TINY:.0%} of the boxes are narrower than {TINY:.0%} of their image. (A warning.)",
            f"{{n}} of {{of}} boxes {{are}} narrower than {TINY:.0%} of the image, and will hardly be found. Raise "
            "preprocess.size, or cut the images into tiles.",
            column="share",
            min_value=TINY,
            mostly=1 - MOST_TINY,
            row_condition=USABLE,
            severity=FailureSeverity.WARNING,
        ),
    ]
