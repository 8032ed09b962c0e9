"""The server of a project put together: for one process, and for each replica of several."""

from __future__ import annotations

from os import environ
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from sightline.errors import ConfigError
from sightline.models.backend import quicken
from sightline.monitor.gauges import Gauges
from sightline.project import Paths
from sightline.registry.served import answering, named, served
from sightline.serve.app import LOOPBACK, application
from sightline.serve.capture import Capture
from sightline.serve.follow import Follower
from sightline.serve.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI

    from sightline.serve.batcher import Version
    from sightline.serve.challenger import Challenger

LOCAL = ("127.0.0.1", "localhost", "::1")
TOKEN = "SIGHTLINE_TOKEN"  # noqa: S105 — the name of a variable
REPLICAS = "flows.serving:replicas"
"""What a Ray Serve config names."""


def required_token() -> str | None:
    """What callers must bring; None where all may ask.

    Raises ConfigError where it is empty: who set it wants not all to be let in.
    """
    given = environ.get(TOKEN)
    if given is not None and not given.strip():
        raise ConfigError(f"{TOKEN} is empty: give it the token that callers must bring, or unset it to let in all")
    return given


def hosts(host: str) -> Sequence[str]:
    """Names by which a server that listens on `host` may be called: on loopback its own alone."""
    return LOOPBACK if host in LOCAL else ("*",)


def assembled(
    paths: Paths,
    version: str | None,
    token: str | None,
    names: Sequence[str],
    challenger: Challenger | None = None,
) -> FastAPI:
    """The application of a project: it follows the ledger, and records what it answers as params.yaml says."""
    policy = paths.params.capture
    capture = Capture(Store(paths.root, policy.folder), policy)
    follower = Follower(lambda: version or named(paths), lambda: quicker(paths, answering(paths, version)))
    return application(
        follower, token=token, hosts=names, capture=capture, challenger=challenger, gauges=[Gauges(paths)]
    )


def quicker(paths: Paths, version: Version) -> Version:
    """A version that answers at once, and faster as soon as a faster form is made where the gate has made none."""
    found = served(paths, version.number)
    if not found.settled:
        Thread(target=quicken, args=[version.predictor, found.bundle], daemon=True, name="quicken").start()
    return version


def replicas(arguments: dict[str, str]) -> Any:
    """The same application as a Ray Serve deployment; `arguments` are those of the config that `ray_config` makes."""
    from ray import serve

    def build() -> FastAPI:
        paths = Paths(Path(arguments["project"]))
        return assembled(paths, arguments.get("version"), required_token(), hosts(arguments["host"]))

    @serve.deployment(name="Replica")
    @serve.ingress(build)
    class Replica:
        """One process that answers."""

    return Replica.bind()  # type: ignore[attr-defined]


def ray_config(paths: Paths, version: str | None, host: str, port: int) -> dict[str, Any]:
    """What `serve run` and `serve deploy` take: one to four replicas, by how many requests are under way."""
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": host, "port": port},
        "applications": [
            {
                "name": "sightline",
                "route_prefix": "/",
                "import_path": REPLICAS,
                "args": {"project": str(paths.root), "host": host, **({"version": version} if version else {})},
                "deployments": [
                    {
                        "name": "Replica",
                        "max_ongoing_requests": 64,
                        "autoscaling_config": {"min_replicas": 2, "max_replicas": 4, "target_ongoing_requests": 16},
                        "ray_actor_options": {"num_cpus": 1},
                        "health_check_period_s": 10,
                        "graceful_shutdown_timeout_s": 10,
                    }
                ],
            }
        ],
    }
