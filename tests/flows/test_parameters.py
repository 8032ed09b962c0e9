"""What Prefect's server takes for the parameters of a flow."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools import validate

from flows.promote import promote
from flows.score import score


@pytest.mark.parametrize(
    ("flow", "others"), [(promote, {"reason": "it is better"}), (score, {"images": "new", "out": "new.parquet"})]
)
@pytest.mark.parametrize("version", [2, "2"])
def test_version_may_be_a_number(flow: Any, others: dict[str, str], version: str | int) -> None:
    """`prefect deployment run promote/manual -p version=2` makes a number of it, a page of the server text."""
    validate({"version": version, **others}, parameter_schema(flow).model_dump_for_openapi(), raise_on_error=True)
    assert flow.validate_parameters({"version": version, **others})["version"] == version
