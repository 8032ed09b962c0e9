"""Rules that compare a data set with its accepted baseline. Import it late: Great Expectations is slow to load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from great_expectations.expectations.metadata_types import FailureSeverity

from sightline.data.validation.baseline import KINDS, distance
from sightline.data.validation.checks import Fault, ManifestExpectation
from sightline.data.validation.suite import Demand
from sightline.heads.labels import CLASSIFY

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from sightline.data.validation.baseline import Baseline
    from sightline.params import Against

TOLD = 0.1
"""Losses and shifts above this are told where they do not stop the run."""
REMEDY = "See `sightline data log`; then mend the data, or accept it as it is with `sightline data baseline`"


class ExpectNearBaseline(ManifestExpectation):
    """One aspect of the manifest (see `baseline.distance`) is at most `above` away from what was accepted.

    Beyond `upto` it is silent: there another expectation speaks, a critical one.
    """

    success_keys: ClassVar[tuple[str, ...]] = ("aspect", "accepted", "above", "upto", "task")
    aspect: str
    accepted: Any
    above: float
    upto: float | None = None
    task: str

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Tell the distance and what makes it."""
        far, text = distance(self.aspect, self.accepted, rows, self.task)
        if far <= self.above or (self.upto is not None and far > self.upto):
            return None
        return Fault(int(far), f"{far:.2g} ({text})", [])


def rules(limits: Against, baseline: Baseline, task: str = CLASSIFY) -> list[Demand]:
    """List the rules of a data set whose version `baseline` was accepted: what stops a run, then what is only told."""
    return list(_rules(limits, baseline, task))


def _rules(limits: Against, baseline: Baseline, task: str) -> Iterator[Demand]:
    what = "columns of the manifest that are gone or of another type"
    yield _demand("columns", what, baseline.columns, 0, f"{REMEDY}.", task)
    for aspect, what in {"new_classes": "new classes", "lost_classes": "classes that are gone"}.items():
        yield from _both(aspect, what, baseline.classes, 0, limits, aspect, task)
    yield from _both("loss", "share of a class's images that is gone", baseline.classes, TOLD, limits, "loss", task)
    distributions = {"label": baseline.classes} | {name: baseline.kinds[name] for name in KINDS} | baseline.spreads
    for column, accepted in distributions.items():
        yield from _both(column, f"shift of the distribution of {column}", accepted, TOLD, limits, "shift", task)


def _both(
    aspect: str, what: str, accepted: Any, notify: float, limits: Against, key: str, task: str
) -> Iterator[Demand]:
    """The critical rule at the limit, and a warning below it where there is room for one."""
    limit = getattr(limits, key)
    yield _demand(aspect, what, accepted, limit, f"{REMEDY}, or raise validate.baseline.{key} (now {limit:g}).", task)
    if notify < limit:
        yield _demand(aspect, what, accepted, notify, f"It may be up to {limit:g}.", task, upto=limit)


def _demand(
    aspect: str, what: str, accepted: Any, above: float, remedy: str, task: str, upto: float | None = None
) -> Demand:
    warning = upto is not None
    demand = f"Compared with the accepted version, {what}: at most {above:g}."
    expectation = ExpectNearBaseline(
        aspect=aspect,
        accepted=accepted,
        above=above,
        upto=upto,
        task=task,
        description=f"{demand} (A warning: it is told.)" if warning else demand,
        severity=FailureSeverity.WARNING if warning else FailureSeverity.CRITICAL,
    )
    name = f"baseline-{aspect}-told" if warning else f"baseline-{aspect}"
    return Demand(name, expectation, f"Compared with the accepted version, {what}: {{found}}. {remedy}")
