"""The last complete run, remembered: where nothing has changed since, a run says so and has nothing to do.

Stamps of files may only ever lead to a closer look, which is the flow itself; the registry is asked each time. Only a
run whose version is the champion is remembered: any other one is judged anew.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.recording import open_run
from flows.summary import Summary
from sightline import config, stamps, stored
from sightline.data.versions.code import STAGES
from sightline.digests import digest_of
from sightline.errors import Damaged
from sightline.files import write_atomically
from sightline.models.named import placed
from sightline.models.shipped import is_shipped
from sightline.registry.ledger import UNCHANGED
from sightline.registry.opening import open_ledger
from sightline.registry.outcome import Outcome
from sightline.report.page import Score, StageRow
from sightline.tracking.runs import connect
from sightline.tracking.versions import CHAMPION, PREVIOUS

if TYPE_CHECKING:
    from sightline.duration import Budget
    from sightline.project import Paths
    from sightline.tracking.runs import Tracker

FOLDER, FILE = "data/cache", "complete.json"
"""Where this machine keeps what it knows of files."""


@dataclass(frozen=True)
class Complete:
    """A run that came to its end, as it is told where nothing has changed since."""

    flow_run: str
    """Its name."""
    run: str
    """Its MLflow run."""
    stamps: dict[str, str]
    registry: str
    """Digest of ledger, aliases and versions at its end."""
    summary: Summary

    @property
    def sentence(self) -> str:
        """What there is to say."""
        return f"nothing changed since run {self.flow_run}: {self.summary.outcome.sentence}"


class Look:
    """What a run is asked for and starts from, stamped before anything is read."""

    def __init__(self, paths: Paths, overrides: dict[str, Any] | None, budget: Budget | None) -> None:
        self.paths = paths
        self.params = config.load(paths.root, overrides)
        self.asked = digest_of([self.params, overrides or {}, budget])
        self.inputs = stamps.inputs(paths, self.params)

    @property
    def _file(self) -> Path:
        return self.paths.root / FOLDER / FILE

    @cached_property
    def last(self) -> Complete | None:
        """The last complete run, where everything but the registry is as at its end; no library is asked."""
        try:
            known = _read(stored.unseal(self._file))
        except (Damaged, ValueError, TypeError, KeyError):
            return None
        same = known.stamps == self._stamps() and Path(known.summary.report).is_file()
        return known if same else None

    def unchanged(self, tracker: Tracker) -> Complete | None:
        """The last complete run, where the registry too is as at its end."""
        return self.last if self.last is not None and self.last.registry == _registry(tracker) else None

    def remember(self, tracker: Tracker, run: str, flow_run: str, summary: Summary) -> None:
        """Keep a complete run, or forget the one before where its version is not the champion."""
        # A registered model decides here what a run starts from, and may change without a trace in the project.
        init = self.params.pretrain.init
        moving = not (init is None or is_shipped(init) or placed(self.paths.root, init).is_file())
        if summary.outcome.version != summary.outcome.champion or moving:
            self._file.unlink(missing_ok=True)
            return
        known = Complete(flow_run, run, self._stamps(), _registry(tracker), _repeated(summary))
        write_atomically(self._file, stored.seal(asdict(known)))

    def _stamps(self) -> dict[str, str]:
        return {"values": self.asked} | self.inputs | stamps.outputs(self.paths, self.params)


def repeat(look: Look, flow_run: str = "", name: str = "") -> Summary | None:
    """Record a run that has nothing to do, and what it came to; None where the registry asks for a closer look.

    `flow_run` and `name` are those of the Prefect flow run, if it is one.
    """
    tracker = connect(look.paths)
    known = look.unchanged(tracker)
    if known is None:
        return None
    run, _ = open_run(tracker, "train", name, flow_run, look.params)
    record(tracker, run, known)
    tracker.finish(run)
    return known.summary


def record(tracker: Tracker, run: str, known: Complete) -> None:
    """Write into the MLflow run `run` that nothing has changed since the complete one, and what that came to."""
    outcome = known.summary.outcome
    chosen = next(one for one in known.summary.scores if one.chosen)
    tracker.log(run, {"test_accuracy": chosen.accuracy, "seconds": 0.0})
    said = {"unchanged.since": known.run, "report": known.summary.report, "gate": outcome.sentence}
    tracker.tag(run, {**said, "version": outcome.version, "champion": outcome.champion or ""})


def _repeated(summary: Summary) -> Summary:
    """The summary as a run gives it that finds everything done."""
    version = summary.outcome.version
    outcome = Outcome(version, version, UNCHANGED, f"version {version} is the champion already")
    return replace(summary, rows=tuple(_idle(row, outcome) for row in summary.rows), outcome=outcome)


def _idle(row: StageRow, outcome: Outcome) -> StageRow:
    name, _, _ = row.name.partition(" ")
    what = outcome.sentence if name == "promote" else row.what
    return replace(row, outcome="up to date" if name in STAGES else "cached", seconds=0.0, what=what)


def _registry(tracker: Tracker) -> str:
    ledger = open_ledger(tracker.paths)
    try:
        standing = ledger.standing(tracker.classifier_model)
    finally:
        ledger.close()
    aliases = {alias: tracker.aliased(tracker.classifier_model, alias) for alias in (CHAMPION, PREVIOUS)}
    versions = [
        [model, str(one.version), one.tags.get("weights"), one.tags.get("bundle")]
        for model in (tracker.classifier_model, tracker.backbone_model)
        for one in tracker.versions(model)
    ]
    numbers = {alias: str(one.version) if one else None for alias, one in aliases.items()}
    return digest_of([standing, numbers, sorted(versions, key=str)])


def _read(values: dict[str, Any]) -> Complete:
    summary = values.pop("summary")
    outcome = Outcome(**{**summary["outcome"], "blessings": (), "messages": ()})
    rows, scores = (StageRow(**row) for row in summary["rows"]), (Score(**row) for row in summary["scores"])
    told = {"findings": tuple(summary["findings"])}
    whole = {**summary, **told, "rows": tuple(rows), "scores": tuple(scores), "outcome": outcome}
    return Complete(**values, summary=Summary(**whole))
