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


def accept(paths: Paths, use: str) -> tuple[Baseline, bool]:
    """Make the present version of data set `use` its baseline, and log it; and whether it was not that already.

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
    accepted, file = baseline.infer(rows, version.digest, params.task_of(use)), paths.baseline(use)
    before = file.read_bytes() if file.is_file() else b""
    baseline.write(accepted, file)
    is_new = file.read_bytes() != before
    if is_new:
        history.record(paths, use, "accepted as the baseline")
    return accepted, is_new
