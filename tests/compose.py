"""`mlflow/compose.yaml`, read as Docker reads it, and what can be started of it without Docker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from ruamel.yaml import YAML
from servers import PASSWORD, beside, free_port, postgres, s3, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = Path(__file__).parents[1] / "mlflow" / "compose.yaml"
SECRETS = {
    "POSTGRES_PASSWORD": PASSWORD,
    "S3_KEY": "team",
    "S3_SECRET": PASSWORD,
    "MLFLOW_SECRET": "long-and-random",
    "MLFLOW_ADMIN_PASSWORD": "password-of-admin",
    "PREFECT_AUTH": f"team:{PASSWORD}",
}
"""What `team.env` holds."""


def compose(secrets: Mapping[str, str]) -> Any:
    """The file with its variables filled in; KeyError where one is asked for that `secrets` lacks."""

    def fill(found: re.Match[str]) -> str:
        name, how, word = found.groups()
        return secrets[name] if how == ":?" else secrets.get(name, word)

    return YAML(typ="safe").load(re.sub(r"\$\{(\w+)(:[?-])([^}]*)\}", fill, FILE.read_text(encoding="utf-8")))


@contextmanager
def team(folder: Path) -> Iterator[dict[str, str]]:
    """Its databases, buckets and MLflow server, by its own statements, commands and variables; address there → here.

    PostgreSQL and the object store are those of this machine; skips where one is not installed.
    """
    values = compose(SECRETS)
    mlflow, buckets = values["services"]["mlflow"], values["services"]["buckets"]
    with s3(folder) as keys, postgres("first") as (first,):
        _execute(first, values["configs"]["databases"]["content"])
        (folder / "auth.ini").write_text(_here(values["configs"]["auth"]["content"], {"@postgres/": _place(first)}))
        port, store = free_port(), keys["AWS_ENDPOINT_URL"]
        here = {
            "@postgres/": _place(first),
            "http://s3:9000": store,
            "/auth.ini": str(folder / "auth.ini"),
            "0.0.0.0": "127.0.0.1",  # noqa: S104 — what is replaced
            "5000": str(port),
        }
        made = [sys.executable, *(_here(word, here) for word in buckets["command"][1:])]
        subprocess.run(made, env=_env(buckets, here), check=True, capture_output=True)
        words = [beside("mlflow"), *(_here(word, here) for word in mlflow["command"][1:])]
        with started(words, port, folder, env=_env(mlflow, here)):
            yield {
                "127.0.0.1:5000": f"127.0.0.1:{port}",
                "127.0.0.1:5432": _place(first).strip("@/"),
                "http://127.0.0.1:9000": store,
            }


def _place(address: str) -> str:
    """Where a database's server listens, as an address has it."""
    return "@" + address.partition("@")[2].partition("/")[0] + "/"


def _here(text: str, here: Mapping[str, str]) -> str:
    for there, place in here.items():
        text = text.replace(there, place)
    return text


def _env(service: Any, here: Mapping[str, str]) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "AWS"))}
    return own | {key: _here(value, here) for key, value in service["environment"].items()}


def _execute(address: str, statements: str) -> None:
    engine = sa.create_engine(address, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        for statement in statements.strip().splitlines():
            connection.execute(sa.text(statement))
