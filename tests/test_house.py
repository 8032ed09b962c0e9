"""Design rules and documents that must stay true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OTHERS = ("prefect", "mlflow", "dvc", "great_expectations", "pandas", "pyarrow", "sklearn", "scipy", "PIL", "pydantic")
BARE = f"""
import sys
for name in {OTHERS}:
    sys.modules[name] = None
import sightline.train.loop, sightline.train.probe, sightline.train.checkpoint, sightline.data.loader
"""


def tracked() -> list[str]:
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_training_needs_torch_alone() -> None:
    """The loop and the loader import where nothing but torch and NumPy is installed."""
    subprocess.run([sys.executable, "-c", BARE], check=True, cwd=ROOT)


def test_mlflow_folder_holds_no_code() -> None:
    """A Python file in mlflow/ would shadow the library of that name."""
    assert not [path for path in tracked() if path.startswith("mlflow/") and path.endswith(".py")]


def test_readme_names_every_file() -> None:
    """The list of files in the README is the tree as it is."""
    listed = set(re.findall(r"^\| `([^`]+\.py)` \|", README, flags=re.MULTILINE))
    real = {
        path
        for path in tracked()
        if path.endswith(".py") and not path.startswith("tests/") and not path.endswith("__init__.py")
    }
    assert listed == real


def test_readme_commands_exist() -> None:
    """Every `sightline` command of the README is one that the program has."""
    from typer.main import get_command

    from flows.cli.app import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    used = set(re.findall(r"(?:^|[`&] ?)sightline ([a-z]+)", README, flags=re.MULTILINE))
    assert used
    assert used <= known


def test_versions_are_pinned_alike() -> None:
    """constraints.txt pins what pyproject.toml asks for, without a local build tag."""
    pins = (ROOT / "constraints.txt").read_text()
    assert re.search(r"^torch==2\.13\.0$", pins, flags=re.MULTILINE)
    assert "+cpu" not in pins
    for name in ("prefect", "mlflow", "dvc", "great_expectations", "pillow"):
        assert re.search(rf"^{name}==", pins, flags=re.MULTILINE), name
