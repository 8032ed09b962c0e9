"""Accepting the present version of a data set as the baseline of those to come."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.validation import baseline
from sightline.data.validation.expectations import validate
from sightline.data.validation.verdict import sentences
from sightline.data.versions import archive, history
from sightline.errors import DataError, ValidationFailed

if TYPE_CHECKING:
    from sightline.data.validation.baseline import Baseline
    from sightline.project import Paths


def accept(paths: Paths, use: str) -> Baseline:
    """Make the present version of data set `use` its baseline, and log it.

    Raises DataError where there is no version yet or another one's manifest lies here, ValidationFailed where it is not
    fit whatever it is compared with.
    """
    version = archive.current(paths, use)
    if not archive.is_here(paths, version):
        raise DataError(f"data set {use}: {archive.ELSEWHERE}, and `sightline run` makes a version of those here")
    rows = manifest.read(paths.manifest(use))
    params = paths.params
    with TemporaryDirectory() as docs:
        verdict = validate(rows, params.validate, params.datasets[use], use, Path(docs), task=params.task_of(use))
    if not verdict.passed:
        raise ValidationFailed("\n".join([f"data set {use} cannot be a baseline, it is not fit:", *sentences(verdict)]))
    accepted = baseline.infer(rows, version.digest, params.task_of(use))
    baseline.write(accepted, paths.baseline(use))
    history.record(paths, use, "accepted as the baseline")
    return accepted
