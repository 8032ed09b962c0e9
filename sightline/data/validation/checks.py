"""Sightline's own expectations, registered with Great Expectations: those that look at several columns or rows at once.

Import it late: Great Expectations takes seconds to load.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import pandas as pd
from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

from sightline.data.manifest import LEFT_OUT, NO_LABEL, OK, QUARANTINED, pictures
from sightline.data.quality import found_by
from sightline.data.quality.finding import usable
from sightline.heads.labels import LABELS
from sightline.params import Validate

EXAMPLES = 5
"""Image paths that a finding shows."""
ROWS = "sightline.rows"
ENOUGH = 20
"""Files in quarantine below which no share of them stops a run."""
NAMED = 10
"""Classes that a sentence names before it counts the others."""


class WholeManifest(TableMetricProvider):
    """Metric: the manifest itself, for expectations about several columns or rows at once."""

    metric_name: Any = ROWS  # text, whatever its base class declares

    @metric_value(engine=PandasExecutionEngine)
    def _pandas(cls, execution_engine: Any, metric_domain_kwargs: Any, **_: Any) -> pd.DataFrame:  # noqa: N805
        rows: pd.DataFrame = execution_engine.get_domain_records(metric_domain_kwargs)
        return rows


class Fault(NamedTuple):
    """What breaks an expectation about the whole manifest."""

    cases: int
    text: str
    examples: list[str]
    """Image paths."""


class ManifestExpectation(BatchExpectation):
    """Base of our own expectations; each class is registered with Great Expectations when it is defined."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (ROWS,)

    @abstractmethod
    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Say what is wrong with `rows`, or None."""

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        del runtime_configuration, execution_engine
        fault = self.fault(metrics[ROWS])
        if fault is None:
            return {"success": True, "result": {"observed_value": "as it should be"}}
        observed = {"observed_value": fault.text, "cases": fault.cases, "examples": fault.examples[:EXAMPLES]}
        return {"success": False, "result": observed}


class ExpectManifestTypes(ManifestExpectation):
    """Columns have the given pandas types; columns that are missing are another expectation's matter."""

    success_keys: ClassVar[tuple[str, ...]] = ("types",)
    types: dict[str, str]

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Name the columns of another type."""
        wrong = [
            f"{name} is {rows.dtypes[name]} instead of {kind}"
            for name, kind in self.types.items()
            if name in rows and str(rows.dtypes[name]) != kind
        ]
        return Fault(len(wrong), ", ".join(wrong), []) if wrong else None


class ExpectOneEach(ManifestExpectation):
    """No value of column `key` stands beside two values of column `value` among the images in use."""

    success_keys: ClassVar[tuple[str, ...]] = ("key", "value")
    key: str
    value: str

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Count the keys with several values; the examples show an image of each value, side by side."""
        if self.key == "alike":
            rows = rows.assign(alike=pictures(rows))
        used = rows.loc[rows["status"] == OK, ["path", self.key, self.value]].dropna()
        pairs = used.drop_duplicates([self.key, self.value])
        torn = pairs[pairs[self.key].duplicated(keep=False)].sort_values([self.key, self.value])
        if torn.empty:
            return None
        cases = int(torn[self.key].nunique())
        return Fault(cases, f"{cases} with more than one {self.value}", torn["path"].head(EXAMPLES).tolist())


class ExpectImagesPerClass(ManifestExpectation):
    """Each class has at least `minimum` images with status ok in each of `roles`; held-back ones do not count."""

    success_keys: ClassVar[tuple[str, ...]] = ("minimum", "roles", "task")
    minimum: int
    roles: list[str]
    task: str

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Name class and role of every shortfall.

        A class whose images are all in quarantine has 0 everywhere; one of a handful of files is none, and left out.
        """
        each = LABELS[self.task].each(rows["label"])
        rows = rows.loc[each.index, ["status", "role", "split", "reason"]].assign(label=each.to_numpy())
        usable = set(rows.loc[rows["status"] != QUARANTINED, "label"])
        files = rows["label"].value_counts().items()
        classes = sorted(str(name) for name, number in files if name in usable or number >= ENOUGH)
        cells = pd.MultiIndex.from_product([classes, self.roles])
        counts = rows.loc[rows["status"] == OK, ["label", "role"]].value_counts().reindex(cells, fill_value=0)
        few = counts[counts < self.minimum]
        if few.empty:
            return None
        first = few.head(NAMED)
        short = rows[rows["label"].isin(few.index.unique(0))]
        out = short.loc[short["reason"].str.startswith(LEFT_OUT).fillna(value=False), "label"].value_counts()
        listed = [
            f"{name} has {number} in {role}" + (f" ({out[name]} left out, as copies)" if name in out else "")
            for (name, role), number in zip(first.index, first, strict=True)
        ]
        if len(few) > NAMED:
            listed.append(f"and {len(few) - NAMED} more")
        why = _by_given_splits(short, rows["split"])
        if len(out):
            why += ". What is left out shows the same as a test or validation image: see the page of quality"
        return Fault(len(few), f"{', '.join(listed)}{why}", [])


def _by_given_splits(short: pd.DataFrame, given: pd.Series) -> str:
    """Which classes of the rows `short` the origin has in some of the `given` splits alone; nothing where in all."""
    found = short[short["status"] != QUARANTINED].groupby("label")["split"]
    # Images without a split may have any role: a class with such is not kept out of one.
    splits = {str(name): set(those) for name, those in found if those.notna().all()}
    every = set(given.dropna())
    lacking = [f"{name} is only in {' and '.join(sorted(those))}" for name, those in splits.items() if those < every]
    more = f", and {len(lacking) - NAMED} more" if len(lacking) > NAMED else ""
    return f". By the splits that came with the images, {', '.join(lacking[:NAMED])}{more}" if lacking else ""


class ExpectFewQuarantined(ManifestExpectation):
    """At most the share `largest` of the files is in quarantine, or fewer than ENOUGH.

    Images that nobody has labelled do not count: they are no damage. A handful says nothing of the others.
    """

    success_keys: ClassVar[tuple[str, ...]] = ("largest",)
    largest: float

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Tell the share, with the three most frequent reasons."""
        waiting = rows["reason"].str.startswith(NO_LABEL).fillna(value=False)
        rows = rows[~waiting]
        bad = rows[rows["status"] == QUARANTINED]
        if len(bad) < ENOUGH or len(bad) <= self.largest * len(rows):
            return None
        reasons = bad["reason"].fillna("no reason given").value_counts().head(3)
        listed = "; ".join(f"{reason} ({number})" for reason, number in reasons.items())
        text = f"{len(bad)} of {len(rows)} files ({len(bad) / len(rows):.1%}): {listed}"
        return Fault(len(bad), text, bad["path"].head(EXAMPLES).tolist())


class ExpectNothingFound(ManifestExpectation):
    """The quality finder `finder` has nothing to tell under `limits`, the values of `validate` in `params.yaml`."""

    success_keys: ClassVar[tuple[str, ...]] = ("finder", "limits", "task")
    finder: str
    limits: dict[str, Any]
    task: str

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Tell what the finder found."""
        found = found_by(self.finder, rows, Validate(**self.limits), self.task)
        return Fault(found.cases, found.sentence, found.examples) if found else None


class ExpectFewBlank(ManifestExpectation):
    """At most the share `largest` of the usable images has grey levels that spread less than `spread`."""

    success_keys: ClassVar[tuple[str, ...]] = ("largest", "spread")
    largest: float
    spread: float

    def fault(self, rows: pd.DataFrame) -> Fault | None:
        """Tell the share."""
        images = usable(rows)
        blank = images[images["contrast"] < self.spread]
        if len(blank) <= self.largest * len(images):
            return None
        text = f"{len(blank)} of {len(images)} ({len(blank) / len(images):.1%})"
        return Fault(len(blank), text, blank["path"].head(EXAMPLES).tolist())
