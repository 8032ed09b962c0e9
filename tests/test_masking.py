"""Passwords in addresses reach neither a screen nor a file."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import commit

from sightline.digests import git_patch
from sightline.errors import RegistryError
from sightline.masking import fitting, masked, parted
from sightline.project import environment

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

SECRET = "sesame"  # noqa: S105 — of nobody


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at postgresql://me:sesame@host:5432/db, as it", "at postgresql://me:***@host:5432/db, as it"),
        ("postgresql+psycopg2://me:se/sa@me@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("(https://me:sesame@host/api)", "(https://***@host/api)"),
        ("https://sesame@github.com/x.git", "https://***@github.com/x.git"),
        ("mysql://host/db?user=me&password=sesame&x=1", "mysql://host/db?user=me&password=***&x=1"),
        ("https://s3/x?X-Amz-Signature=sesame", "https://s3/x?X-Amz-Signature=***"),
        ("http://127.0.0.1:5000/models/x@champion", "http://127.0.0.1:5000/models/x@champion"),
        ("sqlite:////srv/p/mlflow.db and ssh://git@host/x", "sqlite:////srv/p/mlflow.db and ssh://git@host/x"),
        ("password=open, me:you@host", "password=open, me:you@host"),
    ],
)
def test_what_is_masked(text: str, shown: str) -> None:
    """Passwords and tokens; addresses without any stay as they are."""
    assert masked(text) == shown


def test_an_error_holds_no_password() -> None:
    """Not where it is printed, represented, or kept as an object."""
    error = RegistryError("no answer from http://me:sesame@host/x")
    assert str(error) == "no answer from http://***@host/x"
    assert SECRET not in repr([error.args, vars(error), copy.copy(error)])


def test_web_addresses_lose_their_passwords_where_a_project_is_entered() -> None:
    """They move where MLflow and Prefect take them from; other addresses stay."""
    found = parted(
        {
            "MLFLOW_TRACKING_URI": "https://me:s%40same@host:5000/x",
            "PREFECT_API_URL": "http://me:sesame@host/api",
            "SIGHTLINE_LEDGER_URI": "postgresql://me:sesame@host/db",
        }
    )
    assert found["MLFLOW_TRACKING_URI"] == "https://host:5000/x"
    assert (found["MLFLOW_TRACKING_USERNAME"], found["MLFLOW_TRACKING_PASSWORD"]) == ("me", "s@same")
    assert found["PREFECT_API_URL"] == "http://host/api"
    assert found["PREFECT_API_AUTH_STRING"] == "me:sesame"
    assert found["SIGHTLINE_LEDGER_URI"] == "postgresql://me:sesame@host/db"


def test_a_patch_holds_no_password(ingested: Paths) -> None:
    """What is stored with a run of the changes to a tracked file."""
    file = ingested.root / "prefect.yaml"
    file.write_text(file.read_text() + "# postgresql://me:sesame@host/db\n")
    patch = git_patch(ingested.root)
    assert b"+# postgresql://me:***@host/db" in patch
    assert SECRET.encode() not in patch


@pytest.mark.parametrize("name", ["notes.md", 'odd "name" ü\\.md'])
def test_a_patch_without_its_passwords_still_applies(ingested: Paths, tmp_path: Path, name: str) -> None:
    """Whether they stand beside the change, are taken away or come; only what comes is masked in the end."""
    file = ingested.root / name
    before = [f"line {number}" for number in range(30)]
    before[5] = before[20] = "# postgresql://me:sesame@host/db"
    file.write_text("\n".join(before))
    subprocess.run(["git", "add", "."], cwd=ingested.root, check=True)
    commit(ingested, "with a password")
    shutil.copytree(ingested.root, tmp_path / "then", ignore=shutil.ignore_patterns(".git"))
    after = [*before[:6], "new", *before[7:20], "-- gone", "# mysql://you:sesame@host/db", *before[21:], ""]
    file.write_text("\n".join(after))
    patch = git_patch(ingested.root)
    assert SECRET.encode() not in patch
    words = ["git", "apply", "--unidiff-zero", "--whitespace=nowarn", "-"]
    patch = fitting(patch, tmp_path / "then")
    env = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    subprocess.run(words, cwd=tmp_path / "then", env=env, input=patch, check=True)
    expected = "\n".join(after).replace("mysql://you:sesame@", "mysql://you:***@")
    assert (tmp_path / "then" / name).read_text() == expected


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "variables",
    [
        {"MLFLOW_TRACKING_URI": "http://me:sesame@127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"},
        {"SIGHTLINE_LEDGER_URI": "postgresql://me:sesame@127.0.0.1:9/ledger"},
        {"SIGHTLINE_LEDGER_URI": "nothing://me:sesame@127.0.0.1:9/ledger"},
        {"PREFECT_API_URL": "http://me:sesame@127.0.0.1:9/api"},
    ],
    ids=["mlflow", "ledger", "no such ledger", "prefect"],
)
def test_no_command_tells_or_keeps_a_password(ingested: Paths, variables: dict[str, str]) -> None:
    """Servers that do not answer are told by their addresses, without passwords, on screen and in the project."""
    env = {key: value for key, value in os.environ.items() if key not in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL")}
    for words in (["doctor"], ["lineage"], ["promote", "1", "--reason", "x"]):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "flows.cli", *words],
            cwd=ingested.root,
            env=environment(ingested.root, env | variables) | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode
        assert SECRET not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr or words[0] == "promote", done.stderr
    files = [file for file in ingested.root.rglob("*") if file.is_file()]
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
