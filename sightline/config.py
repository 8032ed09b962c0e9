"""Reading and writing `params.yaml`: the file holds the values, `sightline.params` their meaning.

`load` reads the file, lays preset and `--set` overlay over it and checks names, types and ranges at once. `write_value`
is the one place that changes the file; it keeps the comments.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from sightline import yamls
from sightline.errors import ConfigError, ProjectError
from sightline.files import replacing
from sightline.params import Params
from sightline.params.section import Section
from sightline.recipe import Recipe
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

PARAMS = "params.yaml"
DATA_SECTIONS = ("datasets", "ingest", "validate", "preprocess")
"""Sections that DVC stages read from the file: a `--set` on them is written into it."""
DATA_KEYS = ("evaluate.kept", "project.task")
"""Values of other sections for which that holds too: every later command must decide as this one did."""
PRESET_KEYS = {
    "pretrain": ("pretrain", "recipe"),
    "finetune": ("finetune", "recipe"),
    "scratch": ("finetune", "scratch"),
}
"""Where the parts of a preset belong."""
SECTIONS = Section.__subclasses__()
OPTIONAL = {known.name for section in SECTIONS for known in fields(section) if known.default_factory in SECTIONS}
"""Sections that a file may leave out."""


def decides_data(key: str) -> bool:
    """Whether the dotted `key` is a value that counts as it stands in `params.yaml`."""
    return key.partition(".")[0] in DATA_SECTIONS or key in DATA_KEYS


def find_root(start: Path | None = None) -> Path:
    """Nearest folder upwards from `start` (default: the working directory) that holds `params.yaml`.

    Raises ProjectError where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PARAMS).is_file():
            return folder
    raise ProjectError(f"no {PARAMS} in {here} or above: run inside a project, or make one with `sightline init DIR`")


def load(root: Path, overrides: Mapping[str, Any] | None = None) -> Params:
    """Read and check `params.yaml` of the project at `root`, with `overrides` (`section.key` → value) laid over it.

    Raises ConfigError naming the key, the value and what was expected.
    """
    from pydantic import TypeAdapter, ValidationError

    values, given = read(root), dict(overrides or {})
    written = dict(_project(values))
    for key, value in given.items():
        # What chooses and makes the preset counts before the preset is laid.
        if key.startswith(("project.", "presets.")):
            place(values, key, value)
    presets = values.get("presets") if _project(values).get("preset") is None else None
    _lay_preset(values, wins="project.preset" in given)
    for key, value in given.items():
        if not key.startswith("presets."):
            place(values, key, value)
    try:
        # From JSON, because in strict mode pydantic wants instances where it is given Python objects; a date is text.
        params = TypeAdapter(Params).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        known = presets if isinstance(presets, dict) else {}
        # The one that stands in the file is named before the others.
        first = [name for name in known if name == written.get("preset")]
        raise ConfigError(_explain(error, {name: known[name] for name in (*first, *known)})) from None
    if params.project.name != str(written.get("name")):
        raise ConfigError(
            f"project.name = {params.project.name!r} cannot be set for one run: every command finds the registered "
            f"models by the name in {PARAMS}, which is {written.get('name')!r}; change it there"
        )
    return params


def _project(values: dict[str, Any]) -> dict[str, Any]:
    found = values.get("project")
    return found if isinstance(found, dict) else {}


def _lay_preset(values: dict[str, Any], *, wins: bool) -> None:
    """Put the recipes of `project.preset` together with those of the sections.

    Where both hold a value the preset `wins` if it was asked for by this run; raises ConfigError naming the values if
    it is written beside them, and where there is no such preset.
    """
    presets, name = values.pop("presets", None), _project(values).get("preset")
    known = presets if isinstance(presets, dict) else {}
    _check_presets({other: preset for other, preset in known.items() if other != name})
    if name is None:
        return
    if not isinstance(name, str) or name not in known:
        there = ", ".join(known) or "no presets"
        near = suggestion(str(name), known)
        raise ConfigError(f"project.preset = {name!r}{near}: {PARAMS} has {there}; take null for none")
    beaten: list[str] = []
    for stage, recipe in _parts(name, known[name]):
        section, key = PRESET_KEYS[stage]
        own = values[section].get(key) or {} if isinstance(values.get(section), dict) else {}
        if isinstance(own, dict):
            others = [one for one in recipe if own.get(one, recipe[one]) != recipe[one]]
            beaten += [f"{section}.{key}.{one} = {own[one]!r}" for one in others]
            place(values, f"{section}.{key}", {**own, **recipe})
    if beaten and not wins:
        raise ConfigError(
            f"project.preset = {name!r} has other values than the recipes of {PARAMS}, {', '.join(beaten)}: take "
            f"these out of the recipes, change presets.{name}, or set project.preset to null"
        )


def _check_presets(others: Mapping[str, Any]) -> None:
    """Raise ConfigError where one that is not chosen could not be: what it holds is a recipe, but for its epochs."""
    from pydantic import TypeAdapter, ValidationError

    recipes = TypeAdapter(Recipe)
    for name, preset in others.items():
        for stage, recipe in _parts(name, preset):
            try:
                recipes.validate_json(json.dumps({"epochs": 1, **recipe}, default=str))
            except ValidationError as error:
                raise ConfigError(_explain(error, {}, ("presets", name, stage), PRESET_KEYS[stage])) from None


def _parts(name: str, preset: Any) -> list[tuple[str, dict[str, Any]]]:
    """The recipes of a preset by stage; raises ConfigError where it holds anything else."""
    stages = list(preset.items()) if isinstance(preset, dict) else [("", preset)]
    for stage, recipe in stages:
        if stage not in PRESET_KEYS or not isinstance(recipe, dict):
            key = ".".join(["presets", name, *([stage] if stage else [])])
            raise ConfigError(f"{key} = {recipe!r}: a preset holds values for {', '.join(PRESET_KEYS)}, no others")
    return stages


def read(root: Path) -> dict[str, Any]:
    """The raw values of `params.yaml`.

    Raises ConfigError where it is not YAML with sections.
    """
    with _readable(root / PARAMS):
        values = yamls.read(root / PARAMS)
    if not isinstance(values, dict):
        raise ConfigError(f"{root / PARAMS} holds no sections: compare it with the one that `sightline init` writes")
    return values


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except yamls.Unreadable as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None


def parse_setting(text: str) -> tuple[str, Any]:
    """`section.key=value` → (`section.key`, value read as YAML).

    Raises ConfigError on any other form.
    """
    key, found, value = text.partition("=")
    if not found or "." not in key:
        raise ConfigError(f"--set {text!r} is not of the form section.key=value, such as pretrain.recipe.epochs=5")
    try:
        return key.strip(), yamls.parse(value)
    except yamls.Unreadable:
        return key.strip(), value


def settings(texts: Iterable[str], sections: Collection[str]) -> dict[str, Any]:
    """Parse several `section.key=value`, each of one of the `sections` that the command takes.

    Raises ConfigError where one has another form or is of another section.
    """
    found = dict(parse_setting(text) for text in texts)
    other = next((key for key in found if key.partition(".")[0] not in sections), None)
    if other is not None:
        raise ConfigError(
            f"--set {other}: this command takes values of {' and '.join(sections)}; `sightline run` takes all"
        )
    return found


def place(values: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at the dotted `key`; a `recipe` may be left out (`pretrain.epochs` = `pretrain.recipe.epochs`).

    Raises ConfigError where a section on the way does not exist.
    """
    *path, last = key.split(".")
    section: Any = values
    for number, name in enumerate(path):
        if name in OPTIONAL and isinstance(section, dict):
            section.setdefault(name, {})
        if not isinstance(section, dict) or not isinstance(section.get(name), dict):
            raise ConfigError(_no_section(key, path[:number], name, section))
        section = section[name]
    recipe = section.get("recipe")
    if last not in section and isinstance(recipe, dict) and last in recipe:
        section = recipe
    section[last] = value


def _no_section(key: str, path: list[str], name: str, section: Any) -> str:
    """That `name` is no section at `path`, and what there is."""
    known = [inner for inner, value in section.items() if isinstance(value, dict)] if isinstance(section, dict) else []
    near, whose = suggestion(name, known), f"{'.'.join(path)} of {PARAMS}" if path else PARAMS
    there = f"its sections are {', '.join(known)}" if known else "it has none"
    return f"{key}: there is no such section in {whose}{near}; {there}"


def write_value(root: Path, key: str, value: Any) -> None:
    """Write `value` at the dotted `key` into `params.yaml`, keeping comments and order."""
    change(root / PARAMS, root / PARAMS, lambda values: place(values, key, value))


def change(origin: Path, target: Path, edit: Callable[[Any], None]) -> None:
    """Write the YAML file `origin` to `target` with the values that `edit` changes in place; comments stay."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    # The default writes an empty value, which reads like a mistake.
    yaml.representer.add_representer(
        type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null")
    )
    with _readable(origin):
        values = yaml.load(yamls.text(origin))
    edit(values)
    with replacing(target) as scratch, scratch.open("w", encoding="utf-8") as handle:
        yaml.dump(values, handle)


def _explain(error: Any, presets: Mapping[str, Any], shown: Sequence[str] = (), at: Sequence[str] = ()) -> str:
    """One line per finding of pydantic: key, value, what was expected; `presets` are those that were not taken.

    What was checked stands at `shown` of the file, and means what stands at the section `at`.
    """
    lines, missing = [], []
    for finding in error.errors():
        parts = [str(part) for part in finding["loc"] if part != "[key]"]
        key = ".".join((*shown, *parts)) or "params"
        value = "" if isinstance(finding["input"], dict) else f" = {finding['input']!r}"
        if finding["type"] == "unexpected_keyword_argument":
            lines.append(f"{key}{value}: no such parameter{_taken((*at, *parts[:-1]), parts[-1])}")
        elif finding["type"] in {"missing", "missing_argument"}:
            missing.append((key, parts[-1]))
        else:
            lines.append(f"{key}{value}: {finding['msg'].removeprefix('Value error, ')}")
    # What is misspelt is missing, too: said once.
    misspelt = "".join(lines)
    lines += [
        f"{key}: missing; {_remedy(key, name, presets)}"
        for key, name in missing
        if f"did you mean {name}?" not in misspelt
    ]
    return "\n".join(lines)


def _remedy(key: str, name: str, presets: Mapping[str, Any]) -> str:
    """What to do where the value called `name` at `key` is missing: a preset that has it was perhaps taken away."""
    stage = next((one for one, way in PRESET_KEYS.items() if key == ".".join((*way, name))), None)
    for preset, parts in presets.items():
        recipe = parts.get(stage) if isinstance(parts, dict) else None
        if isinstance(recipe, dict) and name in recipe:
            return f"without a preset {PARAMS} must hold it; presets.{preset}.{stage} has {recipe[name]!r}"
    return f"compare {PARAMS} with the one that `sightline init` writes"


def _taken(parts: Sequence[str], name: str) -> str:
    """What may stand in the section at `parts`, and in a recipe of it; which of these `name` may have meant."""
    section: Any = Params
    for part in parts:
        section = get_type_hints(section)[part] if is_dataclass(section) else get_args(section)[-1]
    inside = {".".join(parts) or PARAMS: section}
    if "recipe" in (own := get_type_hints(section)):
        inside[".".join((*parts, "recipe"))] = own["recipe"]
    keys = {where: sorted(one.name for one in fields(what)) for where, what in inside.items()}
    listed = "; ".join(f"{where} takes {', '.join(names)}" for where, names in keys.items())
    return f"{suggestion(name, [one for names in keys.values() for one in names])}; {listed}"
