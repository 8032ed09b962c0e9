"""What a cached task returned, kept as typed JSON: a stored result says what came out and never what to execute.

Prefect stores pickles by default, and each stored record names the code that reads it: a callable for its JSON too. So
only records of our own kind are read, and of these only the types below.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from prefect.context import FlowRunContext
from prefect.filesystems import LocalFileSystem
from prefect.logging import get_run_logger
from prefect.serializers import Serializer
from pydantic import Field, TypeAdapter

from sightline import stored
from sightline.errors import Damaged, SightlineError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND = "sightline"
TYPES = {
    "Trained": "sightline.train.result",
    "Evaluated": "sightline.evaluate.evaluation",
    "LabelErrors": "sightline.report.label_errors",
}
"""Where the types of results are defined. Imported when one is read: no task depends on what another one returns."""
ERROR = "error"


class TypedJson(Serializer):
    """Dataclasses of `TYPES` as JSON, and back; of an error what it said."""

    type: str = Field(default=KIND, frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """The JSON of a result; raises TypeError where it is of another type."""
        name = type(obj).__name__
        if isinstance(obj, BaseException):
            return stored.seal({"type": ERROR, "value": f"{name}: {obj}"}).encode()
        if TYPES.get(name) != type(obj).__module__:
            raise TypeError(f"a task returned {name}, which tasks.results.TYPES does not name")
        return stored.seal({"type": name, "value": asdict(obj)}).encode()

    def loads(self, blob: bytes) -> Any:
        """The result in that JSON; raises Damaged, ValueError or KeyError where it is none, or of no such type."""
        return self.made(stored.opened(blob, "a task's result", stored.BEFORE))

    def made(self, told: dict[str, Any]) -> Any:
        """The result that such JSON tells of."""
        name, value = told["type"], told["value"]
        if name == ERROR:
            return SightlineError(str(value))
        kind = getattr(import_module(TYPES[name]), name)
        # Validated by pydantic, but not made by it: it would turn whole numbers in floats' places into floats.
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
        return kind(**{key: _tuples(inner) for key, inner in value.items()})


class OwnResults(LocalFileSystem):
    """Files of which those that hold another kind of result are not read, whatever code they name."""

    _block_type_name = "Sightline's results"

    async def aread_path(self, path: str) -> bytes:
        """As `read_path`."""
        return self.read_path(path)

    def read_path(self, path: str, *, _sync: bool = True) -> bytes:  # type: ignore[override]
        """The record in a file of ours; raises ValueError where there is none."""
        file = self._resolve_path(path)
        if not file.is_file():
            raise ValueError(f"{file} does not exist")
        try:
            return _checked(file)
        except (Damaged, ValueError, TypeError, KeyError):
            get_run_logger().warning(f"{file} is no result that Sightline stored: it is not read, and made anew")
            raise ValueError(f"{file} is no result that Sightline stored") from None


@contextmanager
def typed_results(root: Path) -> Iterator[None]:
    """Let the tasks that the present flow calls inside the block keep typed results in the project, and read no others.

    Prefect's own place for them belongs to the user or the worker: there a copy of a project would find what another
    one made, and a second machine nothing.
    """
    flow = FlowRunContext.get()
    if flow is None:
        raise RuntimeError("results are kept for the tasks of a flow; there is no flow here")
    files = OwnResults(basepath=str(root / stored.RESULTS))
    store = flow.result_store.model_copy(update={"result_storage": files, "serializer": TypedJson()})
    with flow.model_copy(update={"result_store": store}):
        yield


def _checked(file: Path) -> bytes:
    """A record with the parts that were looked at, and no others; raises ValueError where it is not one of ours."""
    record, told = stored.result(file)
    own = {"type": KIND}
    if record.keys() != {"metadata", "result"} or record["metadata"]["serializer"] != own:
        raise ValueError("another serializer")
    TypedJson().made(told)
    kept = {name: record["metadata"].get(name) for name in ("storage_key", "expiration", "prefect_version")}
    return json.dumps({"metadata": {**kept, "serializer": own}, "result": record["result"]}).encode()


def _tuples(value: Any) -> Any:
    """Lists as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
