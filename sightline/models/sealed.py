"""What the folder of a registered version may hold, and the seals by which each of its files is known.

The folder is data for us: of it `predictor` reads the bundle, and no code in it is executed. Others let MLflow serve
it, with the code that lies in it; so that must be ours, or what it was when the gate looked.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sightline.digests import digest_of, file_digest
from sightline.errors import ModelError
from sightline.models.bundle import BUNDLE, GOLDEN
from sightline.models.foreign import KNOWN
from sightline.models.weights import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CARD = f"artifacts/bundle/{BUNDLE}"
"""Where the folder that MLflow logged holds the bundle's card."""
SERVING, CODE, META, REQUIREMENTS = "serving.py", "code", "registered_model_meta", "requirements.txt"
PACKAGE = Path(__file__).parents[1]
"""Our own code, as it is installed."""
LIBRARIES = ("torch", "torchvision", "pillow", "numpy", "pandas", "safetensors")
"""What whoever serves the model needs beside MLflow."""
TIMM = "timm"
"""And where the network is one of its."""
LARGEST = 2**20
"""Bytes of a file that describes the model; those with images and weights may be larger."""
DESCRIBING = ("MLmodel", "conda.yaml", "python_env.yaml", REQUIREMENTS, META)
NAMES = {
    *(*DESCRIBING, SERVING, "input_example.json", "serving_input_example.json", CARD),
    *(f"artifacts/bundle/{name}" for name in (WEIGHTS, GOLDEN, KNOWN)),
}
"""Every file beside those below `code/sightline/`."""
CODE_ENDINGS = {".py", ".j2", ".json", ".css", ".html", ".js", ".svg"}
"""Of files below it in any release of ours; what is there in the installed one may end as it does."""
FLAVOR = {
    "artifacts": {"bundle": "artifacts/bundle"},
    "code": CODE,
    "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    "loader_module": "mlflow.pyfunc.loaders.code_model",
    "model_code_path": SERVING,
    "streamable": False,
}
"""How MLflow loads it: as the file `serving.py`, without pickle."""
COMPILED = "__pycache__"
"""Folder in which Python keeps what it compiled."""
TOLD = {"cloudpickle_version", "python_version"}
REMEDY = "nothing of this version is used: delete it, then train and register it again"


def whole(folder: Path) -> bool:
    """Whether nothing below `folder` is a link, a pipe or a device: what lies there lies nowhere else."""
    return folder.is_dir() and not folder.is_symlink() and all(_is_plain(one) for one in _entries(folder))


def seals(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of the model that MLflow logged in `folder`, by its name there; `code` stands for all below.

    Raises ModelError where something in it is no file of such a model.
    """
    found, code = {}, []
    for path in sorted(_entries(folder)):
        name = path.relative_to(folder).as_posix()
        if not _is_plain(path):
            raise ModelError(f"{path} is a link or a device, and no file of a model: {REMEDY}")
        if path.is_dir():
            continue
        inside = name.removeprefix(f"{CODE}/{PACKAGE.name}/")
        is_code = inside != name and (path.suffix in CODE_ENDINGS or (PACKAGE / inside).is_file())
        if not is_code and name not in NAMES:
            raise ModelError(f"{path} is no file of a model that Sightline registered: {REMEDY}")
        if name in DESCRIBING and path.stat().st_size > LARGEST:
            raise ModelError(f"{path} has {path.stat().st_size:,} bytes, and cannot be what was registered: {REMEDY}")
        if is_code:
            code.append([name, file_digest(path)])
        elif name != META:  # MLflow writes it anew whenever it fetches a version
            found[name] = file_digest(path)
    missing = sorted({"MLmodel", SERVING, CARD} - found.keys())
    if missing:
        raise ModelError(f"{folder} holds no {missing[0]}, and is no model that Sightline registered: {REMEDY}")
    _check_descriptions(folder)
    return found | {CODE: digest_of(code)}


def changed(recorded: Mapping[str, str], found: Mapping[str, str]) -> str | None:
    """The first name by which two seals differ; None where they are the same."""
    names = sorted(recorded.keys() | found.keys())
    return next((name for name in names if recorded.get(name) != found.get(name)), None)


def strange_code(folder: Path) -> str | None:
    """The first code file in `folder`, relative to it, that is not as our own is installed here; None where all are."""
    own = {f"{CODE}/{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path for path in _code_files(PACKAGE)}
    own[SERVING] = PACKAGE / "models" / SERVING
    there = {path.relative_to(folder).as_posix(): path for path in _code_files(folder / CODE)}
    there[SERVING] = folder / SERVING
    for name in sorted(own.keys() | there.keys()):
        if name not in own or name not in there or file_digest(own[name]) != file_digest(there[name]):
            return name
    return None


def refuse_strange_code(folder: Path) -> None:
    """Raises ModelError where code in `folder` is not as our own is installed here."""
    name = strange_code(folder)
    if name:
        raise ModelError(
            f"{name} in {folder} is not the code of the Sightline that is installed here: nothing of this version is "
            "used; where another release registered it install that one, else delete it and train and register it again"
        )


def sweep(folder: Path) -> None:
    """Remove what Python compiled of the code in `folder` while others served it: made from files, and no evidence."""
    for path in [folder / COMPILED, *(one for one in _entries(folder / CODE) if one.name == COMPILED)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


@contextmanager
def uncompiled() -> Iterator[None]:
    """Python leaves nothing compiled beside what it imports inside: MLflow imports the code of a model to store it."""
    given, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = given


def _entries(folder: Path) -> list[Path]:
    return [Path(at, name) for at, folders, files in os.walk(folder) for name in (*folders, *files)]


def _is_plain(path: Path) -> bool:
    return not path.is_symlink() and (path.is_file() or path.is_dir())


def _code_files(folder: Path) -> list[Path]:
    return [path for path in _entries(folder) if path.is_file() and COMPILED not in path.parts]


def _check_descriptions(folder: Path) -> None:
    """Raises ModelError where MLflow would load something else than our serving, or fetch other libraries for it."""
    flavors = _yaml(folder / "MLmodel").get("flavors")
    if flavors is None or flavors.keys() != {"python_function"} or _plain(flavors["python_function"]) != FLAVOR:
        raise ModelError(f"{folder / 'MLmodel'} has MLflow load something else than our serving: {REMEDY}")
    libraries = (folder / REQUIREMENTS).read_text(encoding="utf-8").split("\n")
    pins = re.compile(rf"({'|'.join(('mlflow', *LIBRARIES, TIMM))})==[\w.]+")
    if not all(pins.fullmatch(line) for line in libraries if line):
        raise ModelError(f"{folder / REQUIREMENTS} asks for something else than our serving needs: {REMEDY}")
    conda, virtualenv = _yaml(folder / "conda.yaml"), _yaml(folder / "python_env.yaml")
    *base, further = conda.get("dependencies") or [None]
    plain = conda.keys() == {"name", "channels", "dependencies"} and conda["channels"] == ["conda-forge"]
    plain = plain and further == {"pip": [line for line in libraries if line]} and _are_tools(base)
    if not plain:
        raise ModelError(f"{folder / 'conda.yaml'} asks for something else than our serving needs: {REMEDY}")
    plain = virtualenv.keys() == {"python", "build_dependencies", "dependencies"}
    plain = plain and virtualenv["dependencies"] == [f"-r {REQUIREMENTS}"]
    if not (plain and _are_tools([f"python={virtualenv['python']}", *virtualenv["build_dependencies"]])):
        raise ModelError(f"{folder / 'python_env.yaml'} asks for something else than our serving needs: {REMEDY}")


def _plain(flavor: Any) -> Any:
    """A flavor without what only tells of the machine that logged it."""
    if not isinstance(flavor, dict):
        return flavor
    kept = {key: value for key, value in flavor.items() if key not in TOLD}
    try:
        kept["artifacts"] = {name: one["path"] for name, one in kept["artifacts"].items()}
        # MLflow takes the last part of the path alone.
        kept["model_code_path"] = PurePosixPath(kept["model_code_path"].replace("\\", "/")).name
    except (KeyError, TypeError, AttributeError):
        return None
    return kept


def _are_tools(asked: list[Any]) -> bool:
    return all(re.fullmatch(r"(python|pip|setuptools|wheel)((=|==|<=)[\w.]+)?", str(one)) for one in asked)


def _yaml(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise ModelError(f"{path} cannot be read as what was registered ({said}): {REMEDY}") from None
    return found if isinstance(found, dict) else {}
