"""YAML of strangers: read at the cost of its size, or refused in a few words."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sightline import config, yamls
from sightline.data.versions import archive
from sightline.data.versions.dvc import opened
from sightline.errors import ConfigError, DataError
from sightline.project import Paths

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 12))
BOMB = f"l0: &l0 [{', '.join(['lol'] * 10)}]\n{LEVELS}"
MERGED = "m0: &m0 {a: 1}\n" + "".join(f"m{n}: &m{n}\n  <<: [{', '.join([f'*m{n - 1}'] * 10)}]\n" for n in range(1, 12))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", [BOMB, MERGED])
def test_a_bomb_is_refused_before_it_grows(text: str) -> None:
    """A few hundred bytes that stand for a hundred thousand million values take no memory and no time."""
    ask = """
import resource, sys
from sightline import yamls
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try: yamls.parse(sys.stdin.read())
except yamls.Unreadable as error: print(error)
"""
    done = subprocess.run([sys.executable, "-c", ask], input=text, capture_output=True, text=True, check=True)
    assert "aliases multiply" in done.stdout


@pytest.mark.timeout(60)
def test_a_bomb_in_any_file_of_a_project_is_told(tmp_path: Path) -> None:
    """params.yaml and dvc.lock are refused by name, also before DVC reads them."""
    for name in ("params.yaml", "dvc.lock"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(BOMB)
        with pytest.raises(DataError, match=rf"{name} is damaged \(its aliases multiply"), opened(folder):
            pass
    with pytest.raises(ConfigError, match="aliases multiply"):
        config.load(tmp_path / "params.yaml")
    with pytest.raises(ConfigError, match="aliases multiply"):
        config.write_value(tmp_path / "params.yaml", "a.b", 1)
    with pytest.raises(DataError, match=r"dvc.lock is damaged"):
        archive.current(Paths(tmp_path / "dvc.lock"), "target")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [*x]", "stands for nothing, or for itself"),
        ("a: *b", "stands for nothing"),
        ("[" * 3000 + "]" * 3000, "inside of one another"),
        ("2024-01-01: 3", "the key 2024-01-01 is no text but a date"),
        ("a: {[1]: 3}", "is no text but a tuple"),
        ("a: 2024-13-45", "a date or a number in it is none"),
        (f"a: {'9' * 5000}", "a date or a number in it is none"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: 1\na: 2", "duplicate key"),
        ("a: [1", "in line"),
    ],
)
def test_what_is_no_plain_value_is_told(text: str, words: str) -> None:
    """Each in one line, whatever the parser says of it."""
    with pytest.raises(yamls.Unreadable) as caught:
        yamls.parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plain_yaml_is_read_as_ever() -> None:
    """Aliases of modest size are what they stand for."""
    assert yamls.parse("a: &x {b: 1e-3}\nc: *x\nd:\n  <<: *x\n  e: null") == {
        "a": {"b": 1e-3},
        "c": {"b": 1e-3},
        "d": {"b": 1e-3, "e": None},
    }
