"""Flow runs on the project's own Prefect server whose command was killed: nobody else tells Prefect that they ended.

A command leaves a file with its identity for as long as it has such a server, and its flow runs carry that as a tag.
"""

from __future__ import annotations

import atexit
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sightline.processes import has_died, identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.objects import State

FOLDER = ".prefect/commands"
WHY = "its process was killed"
_enrolled: list[Path] = []
"""The files of this process."""


def enrol(root: Path) -> None:
    """Say that this command has a server, by a file that goes when the command has ended well."""
    place = root / FOLDER / identity()
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    _enrolled.append(place)
    atexit.register(_withdraw, place)


def _withdraw(place: Path) -> None:
    place.unlink(missing_ok=True)


@contextmanager
def mine() -> Iterator[None]:
    """Flow runs that are started inside belong to this command.

    Where one fails the command's file stays for the next one: what failed it, such as a full disk, may have kept the
    server from noting that it ended. A server of the command's own is no longer there when a heartbeat is missed, and a
    flow run waits up to a second for the thread that sends it.
    """
    from prefect import tags
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    silent = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None} if _enrolled else {}
    with temporary_settings(silent), tags(identity()):
        try:
            yield
        except Exception:
            atexit.unregister(_withdraw)
            raise


def killed(root: Path) -> list[Path]:
    """The files of commands that did not come to their end."""
    return [place for place in sorted((root / FOLDER).glob("*")) if has_died(place.name)]


def settle(root: Path) -> None:
    """Tell the project's own server which runs of killed commands crashed, flows and tasks.

    Where that does not succeed the next command does it.
    """
    left = killed(root)
    if not left:
        return
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

    with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
        for place in left:
            _crash(client, FlowRunFilter(tags=FlowRunFilterTags(all_=[place.name])))
            place.unlink(missing_ok=True)


def _crash(client: SyncPrefectClient, runs: FlowRunFilter) -> None:
    from prefect.states import Crashed

    crashed: State[Any] = Crashed(message=WHY)
    for task in client.read_task_runs(flow_run_filter=runs):
        if task.state is None or not task.state.is_final():
            client.set_task_run_state(task.id, crashed, force=True)
    for run in client.read_flow_runs(flow_run_filter=runs):
        if run.state is None or not run.state.is_final():
            client.set_flow_run_state(run.id, crashed, force=True)
