"""`sightline verify` where a run was refused, or another release of Sightline was at work: nothing is damaged."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, draw
from prefect.serializers import prefect_json_object_encoder

from sightline import stored
from sightline.data.versions import dvc, history
from sightline.digests import digest_of
from sightline.errors import ValidationFailed
from sightline.files import write_atomically
from sightline.verify import data, runs
from sightline.verify.finding import DAMAGED, HEALED, WHOLE

if TYPE_CHECKING:
    from sightline.project import Paths

# Great Expectations imports sre_constants and sre_parse, which Python deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")


def test_verdict_of_a_refused_data_set_stays(ingested: Paths) -> None:
    """It is newer than the version in `dvc.lock`; a passing one that was changed is damaged, and comes back."""
    dvc.reproduce(ingested, "validate", "target")
    verdict = ingested.verdict("target")
    passed = verdict.read_bytes()
    write_atomically(verdict, passed.replace(b"Every", b"Never", 1))
    (found,) = (one for one in data.findings(ingested, fix=True) if one.state != WHOLE)
    assert (found.what, found.state) == ("version of the data", HEALED)
    assert verdict.read_bytes() == passed
    shutil.rmtree(ingested.raw("target") / "red")
    (ingested.raw("target") / "red").mkdir()
    draw(1, COLOURS["red"]).save(ingested.raw("target") / "red" / "only.png")
    history.ingest(ingested, "target")
    with pytest.raises(ValidationFailed):
        dvc.reproduce(ingested, "validate", "target")
    refused = verdict.read_bytes()
    assert {one.state for one in data.findings(ingested, fix=True)} == {WHOLE}
    assert verdict.read_bytes() == refused != passed


def test_error_of_a_refused_run_is_no_result(ingested: Paths) -> None:
    """Prefect stores it among what tasks returned, in a form of its own; anything else there is damaged."""
    folder = ingested.root / stored.RESULTS
    told = prefect_json_object_encoder(ValidationFailed("data set target is not fit"))
    write_atomically(folder / "0123456789abcdef", json.dumps(told))
    assert list(runs.findings(ingested, fix=False)) == []
    write_atomically(folder / "0123456789abcdef", json.dumps({**told, "result": ""}))
    assert [one.state for one in runs.findings(ingested, fix=False)] == [DAMAGED]


def test_note_of_an_older_release_is_made_anew(ingested: Paths) -> None:
    """What made the shards was once a bare digest: nothing to tell of, as nothing was lost."""
    note = ingested.decoded("target")
    for before in ("", digest_of("shards")):
        write_atomically(note, before)
        assert {one.state for one in data.findings(ingested, fix=False)} == {WHOLE}
    write_atomically(note, digest_of("shards")[:5])
    assert [one.which for one in data.findings(ingested, fix=False) if one.state != WHOLE] == ["target.decoded"]
