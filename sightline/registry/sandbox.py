"""What a model that is tried for the first time may do: compute, and read files."""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

FORBIDDEN = frozenset({"socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"})
KEPT = (
    *("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONWARNINGS", "TMPDIR"),
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT"),
)
"""Variables that the process inherits beside those of MLflow's own behaviour: none that holds a secret."""
SECONDS = 300
"""Processor time."""
BYTES = 2**20
"""Largest file that it may write."""


def environment() -> dict[str, str]:
    """Variables for a restricted process."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    return quiet | {key: os.environ[key] for key in KEPT if key in os.environ}


def restrict() -> None:
    """Deny this process the network, other programs and large files, for the rest of its life."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, BYTES))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in FORBIDDEN:
        raise PermissionError(f"a model that is tried may not do {event} {arguments[:1]}")
