"""Reading and writing `params.yaml`: the file holds the values, `sightline.params` their meaning.

`load` reads the file, lays preset and `--set` overlay over it and checks names, types and ranges at once. `save` writes
such an overlay into the file, so that the next `load` says the same without it; the comments stay.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline import yamls
from sightline.errors import ConfigError, ProjectError
from sightline.files import replacing
from sightline.params import PRESET_KEYS, Params
from sightline.params.mistakes import explain, no_section
from sightline.params.section import Section
from sightline.recipe import Recipe
from sightline.words import suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

PARAMS = "params.yaml"
DATA_SECTIONS = ("datasets", "ingest", "validate", "preprocess")
"""Sections that DVC stages read from the file: a `--set` on them is written into it."""
DATA_KEYS = ("evaluate.kept", "project.task")
"""Values of other sections for which that holds too: every later command must decide as this one did."""
SECTIONS = Section.__subclasses__()
OPTIONAL = {known.name for section in SECTIONS for known in fields(section) if known.default_factory in SECTIONS}
"""Sections that a file may leave out."""
WITH_RECIPE = {section for section, key in PRESET_KEYS.values() if key == "recipe"}
RECIPE = {one.name for one in fields(Recipe)}
"""Values of one, whose key may leave out `recipe` in the sections that have one."""


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
    return _checked(read(root), overrides or {})


def _checked(values: dict[str, Any], given: Mapping[str, Any]) -> Params:
    """What the file's `values` mean with those `given` laid over them, which changes them in place."""
    from pydantic import TypeAdapter, ValidationError

    written = dict(_project(values))
    _lay(values, given)
    presets = values.pop("presets", None)
    try:
        # From JSON, because in strict mode pydantic wants instances where it is given Python objects; a date is text.
        params = TypeAdapter(Params).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        # One that was taken has nothing more to give.
        known = presets if isinstance(presets, dict) and _project(values).get("preset") is None else {}
        # The one that stands in the file is named before the others.
        first = [name for name in known if name == written.get("preset")]
        raise ConfigError(explain(error, {name: known[name] for name in (*first, *known)})) from None
    if params.project.name != str(written.get("name")):
        raise ConfigError(
            f"project.name = {params.project.name!r} cannot be set for one run: every command finds the registered "
            f"models by the name in {PARAMS}, which is {written.get('name')!r}; change it there"
        )
    return params


def _project(values: dict[str, Any]) -> dict[str, Any]:
    found = values.get("project")
    return found if isinstance(found, dict) else {}


def _lay(values: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Put the values of the preset into the recipes of the file's `values`, and what is `given` for a run over them."""
    written = _project(values).get("preset")
    # What chooses and makes the preset counts before the preset is laid.
    first = [key for key in given if key.startswith(("project.", "presets."))]
    for key in first:
        place(values, key, given[key])
    chosen, asked = _project(values).get("preset"), "project.preset" in given
    # Whoever sets it to null wants recipes by themselves: what it held is theirs where they say nothing else.
    name = written if asked and chosen is None else chosen
    unused = next((key for key in first if key.startswith("presets.") and key.split(".")[1] != name), None)
    if unused is not None:
        raise ConfigError(
            f"{unused} = {given[unused]!r} changes nothing, because project.preset is {chosen or 'null'}: give "
            f"--set project.preset={unused.split('.')[1]} too, or write it into {PARAMS} for later"
        )
    _lay_preset(values, name, asked=asked)
    for key, value in given.items():
        if key not in first:
            place(values, key, value)


def _lay_preset(values: dict[str, Any], name: Any, *, asked: bool) -> None:
    """Put the recipes of the preset `name` together with those of the sections; None is no preset.

    Where both hold a value the preset wins if this run `asked` for it, the recipe if it asked for none; raises
    ConfigError naming the values if it asked for neither, and where there is no such preset.
    """
    presets, chosen = values.get("presets"), _project(values).get("preset")
    known = presets if isinstance(presets, dict) else {}
    _check_presets({other: preset for other, preset in known.items() if other != name})
    if name is None:
        return
    if not isinstance(name, str) or name not in known:
        if chosen is None:
            return
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
            both = own.copy()  # where comments hang on it, they stay
            both.update({one: value for one, value in recipe.items() if chosen is not None or one not in own})
            place(values, f"{section}.{key}", both)
    if beaten and not asked:
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
                raise ConfigError(explain(error, {}, ("presets", name, stage), PRESET_KEYS[stage])) from None


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
    """Put `value` at the dotted `key`, which may be short as in `full`.

    Raises ConfigError where a section on the way does not exist.
    """
    key = full(key)
    *path, last = key.split(".")
    section: Any = values
    for number, name in enumerate(path):
        if name in OPTIONAL and isinstance(section, dict):
            section.setdefault(name, {})
        if not isinstance(section, dict) or not isinstance(section.get(name), dict):
            raise ConfigError(no_section(key, path[:number], name, section))
        section = section[name]
    section[last] = value


def full(key: str) -> str:
    """The whole dotted key; `recipe` may be left out (`pretrain.epochs` is `pretrain.recipe.epochs`)."""
    section, _, name = key.partition(".")
    return f"{section}.recipe.{name}" if section in WITH_RECIPE and name in RECIPE else key


def write_value(root: Path, key: str, value: Any) -> None:
    """Write `value` at the dotted `key` into `params.yaml`, keeping comments and order; nothing is checked."""
    change(root / PARAMS, root / PARAMS, lambda values: place(values, key, value))


def save(root: Path, given: Mapping[str, Any]) -> str | None:
    """Write what is `given` (`section.key` → value) into `params.yaml`: from then on `load` says what it says with it.

    Where what stands there would contradict the preset, or lack what it held, the preset's values move into the recipes
    and `project.preset` becomes null: the name of that preset, else None. Raises ConfigError where the next command
    could not load it; the file is as before then.
    """
    wanted, got = read(root), read(root)
    before = _project(got).get("preset")
    _lay(wanted, given)

    def write(values: Any) -> None:
        for key, value in given.items():
            place(values, key, value)

    def move(values: Any) -> None:
        _lay(values, given)
        values["project"]["preset"] = None

    try:
        write(got)
        _lay(got, {})
        moves = got != wanted
    except ConfigError:
        moves = True
    change(root / PARAMS, root / PARAMS, move if moves else write, lambda values: _checked(values, {}))
    return (_project(wanted).get("preset") or before) if moves else None


def change(
    origin: Path, target: Path, edit: Callable[[Any], None], check: Callable[[Any], object] | None = None
) -> None:
    """Write the YAML file `origin` to `target` with the values that `edit` changes in place; comments stay.

    What `check` raises of the values as the next one will read them leaves `target` as it was.
    """
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
    with replacing(target) as scratch:
        with scratch.open("w", encoding="utf-8") as handle:
            yaml.dump(values, handle)
        if check is not None:
            check(yamls.read(scratch))
