"""Design rules and documents that must stay true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import grimp
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sightline.digests import PACKAGES
from sightline.project import environment

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
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


def test_nothing_is_unpickled() -> None:
    """No file of ours reads or writes pickles, but for torch's reader of weights alone; libraries are told so."""
    words = re.compile(
        r"^\s*(?:import|from) (?:pickle|cPickle|_pickle|cloudpickle|dill|joblib|shelve|marshal)\b"
        r"|allow_pickle=True|weights_only=False|read_pickle|to_pickle|\bPickleSerializer\b|unsafe_load|typ=\"unsafe\""
        r"|torch\.load\((?!.*weights_only=True)",
        re.MULTILINE,
    )
    code = [ROOT / path for path in tracked() if path.endswith(".py") and path != "tests/test_house.py"]
    found = {path.name: words.findall(text) for path in code if words.search(text := path.read_text(encoding="utf-8"))}
    assert found == {}
    settings = environment(ROOT, {})
    assert settings["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    assert settings["PREFECT_RESULTS_DEFAULT_SERIALIZER"] == "json"


def floors() -> dict[str, list[list[str]]]:
    """The floors by the package that they are in, from above, as the contracts of import-linter name them."""
    contracts = [one for one in PROJECT["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    return {
        inside: [[name.strip() for name in floor.split("|")] for floor in one["layers"]]
        for one in contracts
        for inside in one.get("containers", [""])
    }


def imports() -> tuple[set[str], set[tuple[str, str]]]:
    """The modules, and who imports whom; what only type checkers read counts too."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    arrows = {(one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one)}
    return set(graph.modules), arrows


def part(module: str, inside: str) -> str:
    """The part of the package `inside` that a module belongs to; empty where it is elsewhere."""
    start = f"{inside}." if inside else ""
    return module.removeprefix(start).split(".")[0] if module.startswith(start) else ""


def between(inside: str, found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows between the parts of the package `inside`."""
    pairs = {(part(one, inside), part(other, inside)) for one, other in found}
    return {(one, other) for one, other in pairs if one and other and one != other}


def circle(found: set[tuple[str, str]]) -> list[str]:
    """The parts of one circle of arrows; empty where there is none."""
    below: dict[str, set[str]] = {}
    for one, other in found:
        below.setdefault(one, set()).add(other)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_arrow_up_and_no_circle() -> None:
    """No import goes up a floor or along it, no parts of a package form a circle, and the floors are those that are."""
    modules, found = imports()
    packages = {module.rpartition(".")[0] for module in modules}
    circles = {inside: ring for inside in packages if (ring := circle(between(inside, found)))}
    up, moved = [], set()
    for inside, listed in floors().items():
        place = {name: number for number, floor in enumerate(listed) for name in floor}
        moved |= {part(module, inside) for module in modules} - {""} ^ place.keys()
        up += [(inside, *pair) for pair in between(inside, found) if place[pair[1]] <= place[pair[0]]]
    assert (len(up), len(circles), len(moved)) == (0, 0, 0), (up, circles, moved)


def test_readme_maps_the_rooms_from_above() -> None:
    """Each room and each loose module stands once on the README's map, in the order of the floors."""
    rows = re.findall(r"^\| (`[^|]+) \|", README[README.index("## The rooms") :], flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`((?:flows|tasks|sightline)/[^`]*)`", row)]
    inside = [path for path in tracked() if path.startswith("sightline/") and not path.endswith("__init__.py")]
    loose = {path for path in inside if path.count("/") == 1}
    rooms = {"/".join(path.split("/")[:2]) + "/" for path in inside if path.count("/") > 1}
    assert sorted(named) == sorted(loose | rooms | {"flows/cli/", "flows/", "tasks/"})
    places = [
        [named.index(f"sightline/{name}{'.py' if f'sightline/{name}.py' in loose else '/'}") for name in floor]
        for floor in floors()["sightline"]
    ]
    assert [place for floor in places for place in sorted(floor)] == list(range(3, len(named)))


def test_readme_names_the_folders() -> None:
    """Every folder at the top is one that the README tells of; the README stays short."""
    folders = {path.split("/")[0] for path in tracked() if "/" in path and not path.startswith(".")}
    assert {folder for folder in folders if f"`{folder}/" not in README} == set()
    assert len(README.splitlines()) <= 160


def test_tests_mirror_the_rooms() -> None:
    """A folder of tests is about the room of the same name, a file beside the folders about a loose module."""
    tests = [path.removeprefix("tests/") for path in tracked() if re.search(r"^tests/.*test_\w+\.py$", path)]
    folders = {path.rpartition("/")[0] for path in tests if "/" in path}
    assert [one for one in sorted(folders) if not any((ROOT / top / one).is_dir() for top in (".", "sightline"))] == []
    loose = {path.removeprefix("test_") for path in tests if "/" not in path} - {"house.py"}
    assert [one for one in sorted(loose) if not (ROOT / "sightline" / one).is_file()] == []


def test_documented_commands_exist() -> None:
    """Every `sightline` command of the README and the pages is one that the program has, with each of its options."""
    from typer.main import get_command

    from flows.cli.app import app

    pages = [README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
    text = "\n".join(pages)
    blocks = "".join(re.findall(r"^```sh.*\n((?:.*\n)*?)```", text, flags=re.MULTILINE))
    shown = re.findall(r"^(?:.*&& )?(sightline .*)$", blocks, flags=re.MULTILINE)
    used = [line.split("  #")[0] for line in shown] + re.findall(r"`(sightline [^`\n]+)`", text)
    assert len(used) > 80
    for line in used:
        words = shlex.split(line.split(" && ")[0].replace("…", ""))[1:]
        command, known = get_command(app), set[str]()
        while words and words[0] != "--help" and (inner := getattr(command, "commands", {})):
            assert words[0] in inner, line
            command, known = inner[words.pop(0)], set()
        known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known | {"--help"}, line


def test_versions_are_pinned_alike() -> None:
    """constraints.txt pins everything that pyproject.toml asks for, inside its range and without a local build tag."""
    pins = (ROOT / "constraints.txt").read_text()
    pinned = {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)$", pins)}
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    for one in map(Requirement, asked):
        assert one.specifier.contains(pinned[canonicalize_name(one.name)]), one
    assert "+" not in "".join(pinned.values())
