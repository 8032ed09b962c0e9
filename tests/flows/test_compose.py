"""The servers that a team starts: what their file says is what is tested, and nobody gets in by default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from compose import FILE, SECRETS, compose

SERVICES: dict[str, Any] = compose(SECRETS)["services"]
PINNED = (Path(__file__).parents[2] / "constraints.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_open_on_this_machine_alone(name: str) -> None:
    """Whoever wants more puts a proxy in front."""
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    """Each names a release, never the newest one."""
    assert re.fullmatch(r"[a-z/-]+:[A-Z.]*\d[\w.-]*\d\w*", SERVICES[name]["image"])


def test_versions_are_those_that_the_tests_run_with() -> None:
    """MLflow, its drivers and Prefect have the versions of constraints.txt."""
    built = SERVICES["mlflow"]["build"]["dockerfile_inline"]
    wanted = [word.replace("[auth]", "") for word in built.split() if "==" in word]
    assert {word.partition("==")[0] for word in wanted} == {"mlflow", "Flask-WTF", "psycopg2-binary", "boto3"}
    assert set(wanted) <= set(PINNED)
    assert SERVICES["mlflow"]["image"].partition(":")[2] in {word.partition("==")[2] for word in wanted}
    assert f"prefect=={SERVICES['prefect']['image'].partition(':')[2].partition('-')[0]}" in PINNED


@pytest.mark.parametrize("name", SECRETS)
def test_no_password_has_a_default(name: str) -> None:
    """Without it nothing starts."""
    with pytest.raises(KeyError, match=name):
        compose({key: value for key, value in SECRETS.items() if key != name})


def test_every_secret_comes_from_outside() -> None:
    """What is called a password, a key or a secret is a variable without a value in the file."""
    text = FILE.read_text(encoding="utf-8")
    named = re.findall(r"^ *\w*(?:PASSWORD|SECRET|KEY|AUTH_STRING|USER)\w*: (.*)$", text, flags=re.MULTILINE)
    assert len(named) > 8
    assert {value for value in named if not value.startswith("${")} == {"sightline"}
    assert not re.search(r"\w+://\w+:(?!\$\{)[^@\s]*@", text)


def test_mlflow_asks_who_is_there_and_hands_artifacts_through() -> None:
    """As in the tests of the whole chain."""
    assert {"--app-name=basic-auth", "--serve-artifacts"} <= set(SERVICES["mlflow"]["command"])
