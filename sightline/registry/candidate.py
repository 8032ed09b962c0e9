"""One version before the gate: what is asked of it, and everything that the rules look at, fetched once.

Candidate and champion are both asked for the files of the present test release, by the packaged predictor, as serving
would be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.digests import file_digest
from sightline.errors import RegistryError, SightlineError
from sightline.evaluate import release
from sightline.models.backend import is_installed, start
from sightline.models.predictor import Predictor
from sightline.models.weights import WEIGHTS
from sightline.registry import rules
from sightline.registry.blessing import Bound
from sightline.registry.genuine import verify_version
from sightline.registry.rules import Scored
from sightline.registry.trial import start_trial

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.evaluate.metrics import IntArray
    from sightline.evaluate.release import Release
    from sightline.models.backend import Making
    from sightline.params import Gate
    from sightline.registry.blessing import Blessing
    from sightline.registry.genuine import Genuine
    from sightline.registry.ledger import Ledger
    from sightline.registry.rules import Rule
    from sightline.registry.trial import Trial
    from sightline.tracking.runs import Tracker

TAGS = {"data": "data.target", "code": "code", "weights": "weights", "verdict": "validation.target"}
"""What a version must say of itself before it can be judged."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of the gate."""

    version: str
    reason: str
    actor: str
    rule: Rule = rules.BETTER
    override: tuple[str, ...] = ()
    """Blessings that a person sets aside."""
    is_asked: bool = True
    """Whether somebody means this very version; a training flow asks for whatever it has made."""
    flow_run: str = ""
    """The Prefect flow run that asks."""


class Candidate:
    """One version before the gate; everything is fetched and answered once, when it is first asked for."""

    def __init__(
        self, tracker: Tracker, ledger: Ledger, request: Request, champion: str | None, limits: Gate, release_name: str
    ) -> None:
        self.tracker, self.ledger, self.request = tracker, ledger, request
        self.champion, self.limits = champion, limits
        self.model, self.paths = tracker.classifier_model, tracker.paths
        self.tags: dict[str, str] = dict(tracker.version(self.model, request.version).tags)
        self.testing: Release = release.current(self.paths, release_name)
        self.trial: Trial | None = None
        self.making: Making | None = None
        self.own: Genuine | None = None
        self.broken, weights = "", ""
        try:
            self.own = verify_version(tracker, ledger, request.version)
            weights = file_digest(self.own.bundle / WEIGHTS)
            self.trial = start_trial(self.own.bundle)
            self.making = start(self.own.bundle) if is_installed() else None
        except (SightlineError, OSError) as error:
            self.broken = str(error)
        self.bound = Bound(
            data=self.tags.get(TAGS["data"], ""),
            code=self.tags.get(TAGS["code"], ""),
            weights=weights,
            release=self.testing.digest,
        )
        self._predictors: dict[str, Predictor] = {}
        self._answers: dict[str, NDArray[np.float64]] = {}
        self._on_roles: dict[tuple[str, str], Scored] = {}
        self.found: list[Blessing] = []
        """What the checks have said so far."""

    def close(self) -> None:
        """End what still works beside the checks."""
        if self.making:
            self.making.stop()

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The manifest's rows of the release's images."""
        return release.rows(self.paths, self.testing)

    @cached_property
    def groups(self) -> IntArray:
        """(N,) which images of the release belong together, by number: no independent evidence."""
        return manifest.groups(self.rows)

    @cached_property
    def files(self) -> list[bytes]:
        """The release's images, as serving would receive them."""
        return release.open_files(self.paths, self.testing)

    @cached_property
    def labels(self) -> NDArray[np.str_]:
        """The true class of each."""
        return release.labels(self.paths, self.testing)

    def predictor(self, version: str) -> Predictor:
        """A version, loaded, with the thresholds of comparisons; raises RegistryError where it cannot be."""
        if version not in self._predictors:
            found = Predictor.load(self.folder(version), self.paths.params.ingest.max_pixels)
            found.card = found.card.compared
            self._predictors[version] = found
        return self._predictors[version]

    def folder(self, version: str) -> Path:
        """The bundle of a version; of an earlier one exactly that which the ledger names.

        Raises RegistryError where it can be had nowhere.
        """
        if version == self.request.version:
            if self.own is None:
                raise RegistryError(self.broken)
            return self.own.bundle
        known = self.ledger.identity(self.model, version)
        digest, weights = (known.bundle, known.weights) if known else (None, None)
        return self.tracker.bundle(self.model, version, digest, weights)

    def has_the_network_of(self, version: str) -> bool:
        """Whether both have one network bit for bit, and only what is decided by its answers may differ."""
        cards = [self.predictor(one).card.network_alone for one in (self.request.version, version)]
        return cards[0] == cards[1]

    def scored(self, version: str) -> Scored:
        """What a version answers for the test images."""
        if version not in self._answers:
            self._answers[version] = self.predictor(version).probabilities(self.files)
        return _scored(version, self.predictor(version), self.labels, self._answers[version], self.groups)

    @cached_property
    def answers(self) -> Scored:
        """The candidate's answers; raises RegistryError where one is no number."""
        found = self.scored(self.request.version)
        if not np.isfinite(found.probabilities).all():
            raise RegistryError(f"version {self.request.version} answers with NaN, which is no probability")
        return found

    @cached_property
    def rival(self) -> Scored | None:
        """The champion's answers, if there is a champion."""
        return self.scored(self.champion) if self.champion else None

    def role(self, role: str) -> pd.DataFrame:
        """The manifest's rows of the usable target images with that role; the same bytes once."""
        rows = manifest.read(self.paths.manifest("target"))
        rows = rows[(rows["status"] == manifest.OK) & (rows["role"] == role)]
        return rows.drop_duplicates("sha256").reset_index(drop=True)

    def on_role(self, role: str, version: str) -> Scored:
        """What a version answers for the target images with that role."""
        if (role, version) not in self._on_roles:
            rows, predictor, raw = self.role(role), self.predictor(version), self.paths.raw("target")
            answers = predictor.probabilities([read_bytes(raw, path) for path in rows["path"]])
            labels = np.array(rows["label"].tolist(), dtype=str)
            done = _scored(version, predictor, labels, answers, manifest.groups(rows))
            self._on_roles[role, version] = done
        return self._on_roles[role, version]

    @property
    def calib(self) -> Scored:
        """The candidate's answers for the calibration images."""
        return self.on_role("calib", self.request.version)


def _scored(
    version: str,
    predictor: Predictor,
    labels: NDArray[np.str_],
    probabilities: NDArray[np.float64],
    groups: IntArray,
) -> Scored:
    """Over the classes of version and release together: a class that the version does not know gets probability 0."""
    head, card = predictor.task, predictor.card
    known, numbers = head.indexed(card, labels)
    wider = head.widened(probabilities, len(known), 0.0)
    figures = head.figures(wider, numbers, card)
    return Scored(version=version, labels=numbers, probabilities=wider, groups=groups, head=head, figures=figures)
