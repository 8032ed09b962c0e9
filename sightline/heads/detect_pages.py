"""Boxes around objects as people see them: words, pictures and the first figures of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.boxed import answered, kept, matched
from sightline.heads.decisions import aimed
from sightline.heads.located import told
from sightline.heads.matching import FIFTY, SCORE
from sightline.heads.shares import percent
from sightline.heads.targets import CLASS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats, Numbers

RIGHT, WRONG, MISSING = (22, 163, 74), (220, 38, 38), (250, 204, 21)
"""Colours of boxes that found an object, that did not, and of objects as they are."""


class Pages:
    """What `detect.Detect` has for them."""

    def summary(self, probabilities: Floats, fitted: Fitted) -> str:
        """How many boxes of each class."""
        numbers = probabilities[answered(probabilities, fitted), CLASS].astype(int).tolist()
        return told(fitted.classes[number] for number in numbers)

    def pictured(
        self, pixels: NDArray[np.uint8], probabilities: Floats, labels: Numbers, fitted: Fitted
    ) -> NDArray[np.uint8]:
        """True boxes below, the answered ones above: what is right covers what is true."""
        from sightline.images.outlined import Outline, outlined

        mine, truth = kept(probabilities, answered(probabilities, fitted)), np.asarray(labels)
        boxes = [Outline(tuple(row[:CLASS]), MISSING) for row in truth[truth[:, CLASS] >= 0].tolist()]
        for number, found in enumerate(matched(mine[None], truth[None], FIFTY)):
            # In the order of `match`.
            rows = mine[mine[:, CLASS] == number]
            rows = rows[np.argsort(-rows[:, SCORE], kind="stable")]
            fine = found.right[0] | found.ignored[0]
            boxes += [
                Outline(tuple(row[:CLASS]), RIGHT if is_fine else WRONG)
                for row, is_fine in zip(rows.tolist(), fine.tolist(), strict=True)
            ]
        return outlined(pixels, boxes)

    def cards(self, found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Average precision, by size too, and what is decided at the thresholds."""
        sizes, boxes = found["map_by_size"], found["boxes"]
        known = [f"{name} {percent(value)}" for name, value in sizes.items() if value is not None]
        return [
            (percent(found["map50"]), "Test mAP 50", "average precision at an overlap of 0.5, mean of the classes"),
            (percent(found["map"]), "mAP 50:95", ", ".join(["mean over overlaps of 0.5 to 0.95", *known])),
            (percent(found["accuracy"]), "F1 of an image", "its boxes at the thresholds, mean over the test images"),
            (
                percent(found["averages"]["micro"]["precision"]),
                "Precision",
                f"of all boxes answered{aimed(found)}",
            ),
            (percent(found["averages"]["micro"]["recall"]), "Recall", "of all objects"),
            (f"{boxes['answered']:.2f}", "Boxes an image", f"{boxes['true']:.2f} are there"),
        ]

    def lines(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The same."""
        exact, share = (found["averages"]["micro"][name] for name in ("precision", "recall"))
        sizes = ", ".join(f"{name} {value:.3f}" for name, value in found["map_by_size"].items() if value is not None)
        return [
            ("mAP 50", f"{found['map50']:.3f}, 50:95 {found['map']:.3f}"),
            ("by size", sizes or "no object"),
            ("F1", f"{found['accuracy']:.3f} of an image, precision {exact:.3f}{aimed(found)}, recall {share:.3f}"),
        ]
